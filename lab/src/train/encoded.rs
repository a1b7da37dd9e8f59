//! Hidden states of many sequences, computed in parts of bounded size, with a way back. Contrastive learning wants large
//! batches: where the whole does not fit, hidden states are computed without a way back first, and each part once more
//! when the gradient of the loss by its hidden states is known (GradCache, Gao et al. 2021). Same result, one more pass.

use candle_core::Tensor;

use super::{
    gradients::Gradients,
    network::{Network, Pass},
    padded::Padded,
};
use crate::error::Result;

/// How a batch is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Division {
    /// Most tokens in a part, filling included; a longer sequence is a part of its own.
    pub(super) part: usize,
    /// Most tokens whose way back is kept; batches with more are computed twice.
    pub(super) kept: usize,
}

/// Sequences that were passed through the network.
pub(super) struct Encoded {
    parts: Vec<Part>,
    /// `[sequences, hidden]`, in the order of the sequences.
    pub(super) hidden: Tensor,
}

struct Part {
    /// Which sequences.
    members: Vec<usize>,
    batch: Padded,
    /// Kept, where there was room.
    pass: Option<Pass>,
}

impl Encoded {
    pub(super) fn new(network: &Network<'_>, sequences: &[&[u32]], division: Division) -> Result<Self> {
        let groups = division.groups(sequences);
        let filled = |group: &Vec<usize>| group.len() * group.iter().map(|at| sequences[*at].len()).max().unwrap_or(0);
        let is_kept = groups.iter().map(filled).sum::<usize>() <= division.kept;
        let (mut parts, mut rows) = (Vec::with_capacity(groups.len()), Vec::with_capacity(groups.len()));
        for members in groups {
            let batch: Vec<&[u32]> = members.iter().map(|at| sequences[*at]).collect();
            let batch = Padded::new(&batch, network.parameters().config())?;
            let pass = network.forward(&batch)?;
            rows.push(pass.hidden.detach());
            parts.push(Part { members, batch, pass: is_kept.then_some(pass) });
        }
        let mut places = vec![0u32; sequences.len()];
        let order = parts.iter().flat_map(|part| &part.members);
        order.zip(0..).for_each(|(member, row)| places[*member] = row);
        let places = Tensor::new(places, network.parameters().device())?;
        let hidden = Tensor::cat(&rows, 0)?.index_select(&places, 0)?;
        Ok(Self { parts, hidden })
    }

    /// Adds to `gradients` what `upstream`, the gradient of a loss by `hidden`, means for the parameters.
    pub(super) fn backward(self, network: &Network<'_>, upstream: &Tensor, gradients: &mut Gradients) -> Result<()> {
        for Part { members, batch, pass } in self.parts {
            let rows: Vec<u32> = members.iter().map(|member| *member as u32).collect();
            let upstream = upstream.index_select(&Tensor::new(rows, upstream.device())?, 0)?;
            let pass = match pass {
                Some(pass) => pass,
                None => network.forward(&batch)?,
            };
            network.backward(pass, &batch, &upstream, gradients)?;
        }
        Ok(())
    }
}

impl Division {
    /// Sequences of similar length together.
    fn groups(&self, sequences: &[&[u32]]) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|at| (sequences[*at].len(), *at));
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for at in order {
            let length = sequences[at].len();
            match groups.last_mut() {
                // The newest is the longest so far.
                Some(group) if (group.len() + 1) * length <= self.part => group.push(at),
                _ => groups.push(vec![at]),
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_bounded_and_lose_nobody() {
        let lengths = [3usize, 9, 1, 1, 4, 20, 2];
        let sequences: Vec<Vec<u32>> = lengths.iter().map(|length| vec![0; *length]).collect();
        let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let groups = Division { part: 10, kept: 0 }.groups(&sequences);
        let mut all: Vec<usize> = groups.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..7));
        let size = |group: &Vec<usize>| group.len() * group.iter().map(|at| lengths[*at]).max().unwrap();
        assert!(groups.iter().all(|group| size(group) <= 10 || group.len() == 1), "{groups:?}");
    }
}
