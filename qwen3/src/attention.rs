//! Causal attention over packed sequences: the one entry point, [`attend`].
//!
//! Queries and keys of all sequences lie one after another without padding. A sequence may have fewer queries than
//! keys; its queries then stand at its last positions (a prefix before them, or only the last token wanted). Key/value
//! heads are shared by groups of query heads.

use candle_core::{CpuStorage, DType, InplaceOp1, InplaceOp2, Layout, Tensor};

use crate::{
    error::Result,
    kernels::{Attention, Format, Past, PastRows, Sight, Span},
    ops::{Kernels, Place, check, cpu, rows_of, view, view_mut},
};

/// Queries that candle's way takes at once, which bounds its scores.
const BLOCK_QUERIES: usize = 128;

/// Queries, keys and values of a batch, in rows of one token each.
pub(crate) enum Projected {
    /// `[tokens, queries | keys | values]`.
    Together(Tensor),
    /// `[queries, heads * head_dim]` of some tokens, `[tokens, keys | values]` of all.
    Apart { queries: Tensor, keys_values: Tensor },
}

/// Keys and values of tokens that stand before sequences: `[tokens, keys | values]`, keys turned by position.
#[derive(Clone)]
pub(crate) struct KeysValues(pub(crate) Tensor);

/// What a block knows of the tokens before the sequences of a batch.
#[derive(Clone, Copy)]
pub(crate) enum Before<'b> {
    Nothing,
    /// The same before all of them.
    Shared(&'b KeysValues),
    /// Before each its own, in their order.
    Each(&'b [Option<KeysValues>]),
}

impl<'b> Before<'b> {
    /// What stands before a sequence.
    pub(crate) fn of(&self, sequence: usize) -> Option<&'b KeysValues> {
        match *self {
            Self::Nothing => None,
            Self::Shared(kept) => Some(kept),
            Self::Each(kept) => kept.get(sequence).and_then(Option::as_ref),
        }
    }
}

/// Sizes of the heads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
}

impl Sizes {
    pub(crate) fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    pub(crate) fn key_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

/// Attention of every query over the keys that it may see: `[queries, heads * head_dim]`, perhaps in the place of the
/// queries (then rows have a stride).
///
/// The one place that chooses how: this crate's kernels on a CPU, flash attention on a GPU where the build has it,
/// candle's operations otherwise.
pub(crate) fn attend(
    projected: &Projected,
    sizes: Sizes,
    spans: &[Span],
    before: Before,
    place: &Place,
) -> Result<Tensor> {
    debug_assert!(spans.iter().all(|span| 0 < span.queries));
    match (place.kernels, projected) {
        #[cfg(feature = "flash-attn")]
        (Kernels::Candle, _) if crate::flash::takes(projected, sizes) => {
            crate::flash::attend(projected, sizes, spans, before)
        }
        (Kernels::Candle, _) => attend_plain(projected, sizes, spans, before),
        (Kernels::Fastest | Kernels::Own(_), Projected::Together(rows)) => {
            rows.inplace_op1(&Attend { sizes, spans, before, place })?;
            Ok(rows.narrow(1, 0, sizes.query_width())?)
        }
        (Kernels::Fastest | Kernels::Own(_), Projected::Apart { queries, keys_values }) => {
            queries.inplace_op2(keys_values, &Attend { sizes, spans, before, place })?;
            Ok(queries.clone())
        }
    }
}

/// This crate's kernel as candle's operation.
struct Attend<'a> {
    sizes: Sizes,
    spans: &'a [Span],
    before: Before<'a>,
    place: &'a Place,
}

impl Attend<'_> {
    fn run(&self, key_column: usize, compute: impl FnOnce(&Attention)) -> candle_core::Result<()> {
        let Some(loops) = self.place.kernels.loops() else { candle_core::bail!("attention of another device") };
        let key_width = self.sizes.key_width();
        let kept: &[Option<KeysValues>] = match self.before {
            Before::Nothing => &[],
            Before::Shared(kept) => &[Some(kept.clone())],
            Before::Each(kept) => kept,
        };
        let held: Vec<_> = kept.iter().map(|kept| kept.as_ref().map(|kept| kept.0.storage_and_layout())).collect();
        let rows = held.iter().map(|held| {
            let Some((storage, layout)) = held else { return Ok(None) };
            Ok(Some(PastRows {
                tokens: rows_of(layout)?.0,
                rows: view(cpu(storage)?, layout)?,
                key_column: 0,
                value_column: key_width,
            }))
        });
        let rows = rows.collect::<candle_core::Result<Vec<Option<PastRows>>>>()?;
        let past = match (self.before, rows.as_slice()) {
            (Before::Each(_), rows) => Past::Each(rows),
            (Before::Shared(_), [Some(rows)]) => Past::Shared(*rows),
            _ => Past::Nothing,
        };
        compute(&Attention {
            isa: loops.isa(),
            format: if self.place.format == Format::F32 { Format::F32 } else { Format::Bf16 },
            heads: self.sizes.heads,
            kv_heads: self.sizes.kv_heads,
            head_dim: self.sizes.head_dim,
            sight: Sight::Causal,
            spans: self.spans,
            past,
            key_column,
            value_column: key_column + key_width,
        });
        Ok(())
    }
}

impl InplaceOp1 for Attend<'_> {
    fn name(&self) -> &'static str {
        "attend"
    }

    fn cpu_fwd(&self, rows: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let (count, width, stride) = rows_of(layout)?;
        if stride != width {
            candle_core::bail!("attend: rows of queries, keys and values must be contiguous");
        }
        let values = &mut view_mut(rows, layout)?[..count * stride];
        self.run(self.sizes.query_width(), |attention| attention.run_together(values, stride))
    }
}

impl InplaceOp2 for Attend<'_> {
    fn name(&self) -> &'static str {
        "attend"
    }

    fn cpu_fwd(
        &self,
        queries: &mut CpuStorage,
        layout: &Layout,
        own: &CpuStorage,
        own_layout: &Layout,
    ) -> candle_core::Result<()> {
        let (_, _, stride) = rows_of(layout)?;
        let (queries, own) = (view_mut(queries, layout)?, view(own, own_layout)?);
        self.run(0, |attention| attention.run_apart(queries, stride, own))
    }
}

/// The same by candle's operations: one sequence after another, a block of queries at a time.
fn attend_plain(projected: &Projected, sizes: Sizes, spans: &[Span], before: Before) -> Result<Tensor> {
    let (query_width, key_width) = (sizes.query_width(), sizes.key_width());
    let (queries, own) = match projected {
        Projected::Together(rows) => (rows.narrow(1, 0, query_width)?, rows.narrow(1, query_width, 2 * key_width)?),
        Projected::Apart { queries, keys_values } => (queries.clone(), keys_values.clone()),
    };
    let mut outputs = Vec::with_capacity(spans.len());
    for (index, span) in spans.iter().enumerate() {
        let own = own.narrow(0, span.key_start, span.keys)?;
        let rows = match before.of(index) {
            Some(kept) => Tensor::cat(&[&kept.0, &own], 0)?,
            None => own,
        };
        // [kv_heads, tokens, head_dim]
        let heads = |start| -> Result<Tensor> {
            let heads = rows.narrow(1, start, key_width)?.contiguous()?;
            Ok(heads.reshape(((), sizes.kv_heads, sizes.head_dim))?.transpose(0, 1)?.contiguous()?)
        };
        let (keys, values) = (heads(0)?, heads(key_width)?);
        let earlier = keys.dim(1)? - span.queries;
        for start in (0..span.queries).step_by(BLOCK_QUERIES) {
            let count = BLOCK_QUERIES.min(span.queries - start);
            let queries = queries.narrow(0, span.query_start + start, count)?.contiguous()?;
            outputs.push(attend_block(&queries, &keys, &values, earlier + start, sizes)?);
        }
    }
    Ok(Tensor::cat(&outputs, 0)?)
}

/// Queries `[count, heads * head_dim]` of which the first sees `before` keys and its own.
fn attend_block(queries: &Tensor, keys: &Tensor, values: &Tensor, before: usize, sizes: Sizes) -> Result<Tensor> {
    check(queries);
    let Sizes { heads, kv_heads, head_dim } = sizes;
    let (count, group, seen) = (queries.dim(0)?, heads / kv_heads, before + queries.dim(0)?);
    let (keys, values) = (keys.narrow(1, 0, seen)?.contiguous()?, values.narrow(1, 0, seen)?.contiguous()?);
    // Query heads that share a key/value head are rows of one product.
    let queries = queries.reshape((count, kv_heads, group, head_dim))?.permute((1, 2, 0, 3))?.contiguous()?;
    let queries = queries.reshape((kv_heads, group * count, head_dim))?;
    let scores = (queries.matmul(&keys.transpose(1, 2)?.contiguous()?)? / (head_dim as f64).sqrt())?;
    let hidden = |index: usize| if index % seen > before + index / seen { f32::NEG_INFINITY } else { 0.0 };
    let mask: Vec<f32> = (0..count * seen).map(hidden).collect();
    let mask = Tensor::from_vec(mask, (1, 1, count, seen), queries.device())?;
    let scores = scores.to_dtype(DType::F32)?.reshape((kv_heads, group, count, seen))?.broadcast_add(&mask)?;
    let weights = candle_nn::ops::softmax_last_dim(&scores)?.reshape((kv_heads, group * count, seen))?;
    let mixed = weights.to_dtype(values.dtype())?.matmul(&values)?.reshape((kv_heads, group, count, head_dim))?;
    Ok(mixed.permute((2, 0, 1, 3))?.contiguous()?.reshape((count, heads * head_dim))?)
}
