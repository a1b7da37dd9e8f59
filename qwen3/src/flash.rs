//! Attention by CUDA's variable-length flash attention: all sequences of a batch in one call.

use candle_core::{DType, Tensor};

use crate::{
    attention::{Before, Projected, Sizes},
    error::Result,
    kernels::Span,
};

/// The largest heads it takes, in values.
const LARGEST_HEAD: usize = 256;

/// Whether it takes these operands: a GPU's, in 16 bits.
pub(crate) fn takes(projected: &Projected, sizes: Sizes) -> bool {
    let (Projected::Together(rows) | Projected::Apart { queries: rows, .. }) = projected;
    let head = sizes.head_dim;
    rows.device().is_cuda() && rows.dtype() == DType::BF16 && head <= LARGEST_HEAD && head.is_multiple_of(8)
}

/// `[queries, heads * head_dim]`. Masks are aligned at the end of each sequence: fewer queries than keys are its last.
pub(crate) fn attend(projected: &Projected, sizes: Sizes, spans: &[Span], before: Before) -> Result<Tensor> {
    let (query_width, key_width) = (sizes.query_width(), sizes.key_width());
    let (queries, own) = match projected {
        Projected::Together(rows) => (rows.narrow(1, 0, query_width)?, rows.narrow(1, query_width, 2 * key_width)?),
        Projected::Apart { queries, keys_values } => (queries.clone(), keys_values.clone()),
    };
    let rows = match before {
        Before::Nothing => own,
        Before::Shared(_) | Before::Each(_) => interleave(before, &own, spans)?,
    };
    let heads =
        |x: Tensor, count: usize| -> Result<Tensor> { Ok(x.contiguous()?.reshape(((), count, sizes.head_dim))?) };
    let queries = heads(queries, sizes.heads)?;
    let keys = heads(rows.narrow(1, 0, key_width)?, sizes.kv_heads)?;
    let values = heads(rows.narrow(1, key_width, key_width)?, sizes.kv_heads)?;
    let query_lengths: Vec<usize> = spans.iter().map(|span| span.queries).collect();
    let length = |(index, span): (usize, &Span)| -> Result<usize> {
        Ok(before.of(index).map_or(Ok(0), |kept| kept.0.dim(0))? + span.keys)
    };
    let key_lengths = spans.iter().enumerate().map(length).collect::<Result<Vec<usize>>>()?;
    let longest = |lengths: &[usize]| lengths.iter().copied().max().unwrap_or(0);
    let mixed = candle_flash_attn::flash_attn_varlen(
        &queries,
        &keys,
        &values,
        &cumulative(&query_lengths, &queries)?,
        &cumulative(&key_lengths, &queries)?,
        longest(&query_lengths),
        longest(&key_lengths),
        1.0 / (sizes.head_dim as f32).sqrt(),
        true,
    )?;
    Ok(mixed.reshape(((), query_width))?)
}

/// Each sequence's own rows with those that stand before it.
fn interleave(before: Before, own: &Tensor, spans: &[Span]) -> Result<Tensor> {
    let mut parts = Vec::with_capacity(2 * spans.len());
    for (index, span) in spans.iter().enumerate() {
        parts.extend(before.of(index).map(|kept| kept.0.clone()));
        parts.push(own.narrow(0, span.key_start, span.keys)?);
    }
    Ok(Tensor::cat(&parts, 0)?)
}

/// Where each sequence starts, and where the last one ends: `[sequences + 1]`, on the device of `like`.
fn cumulative(lengths: &[usize], like: &Tensor) -> Result<Tensor> {
    let mut ends = vec![0u32];
    let mut end = 0;
    for length in lengths {
        end += *length as u32;
        ends.push(end);
    }
    Ok(Tensor::new(ends, like.device())?)
}
