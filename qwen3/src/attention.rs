//! Causal attention over packed sequences: the one entry point, [`attend`], and the CPU way through it.
//!
//! Queries and keys of all sequences lie one after another without padding. A sequence may have fewer queries than
//! keys; its queries then stand at its last positions (a cached prefix before them, or only the last token wanted).
//! Key/value heads are shared by groups of query heads.

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Storage, Tensor};
use rayon::prelude::*;

use crate::error::Result;

/// Bound on the scores of one block, in values: memory stays linear in the length.
const BLOCK_SCORES: usize = 1 << 20;
const BLOCK_ROWS: usize = 128;

/// One sequence of a packed batch: rows of the query tensor, and rows of the key and value tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) query_start: usize,
    pub(crate) queries: usize,
    pub(crate) key_start: usize,
    pub(crate) keys: usize,
}

/// Attention of `q` `[queries, heads, head_dim]` over `k`, `v` `[keys, kv_heads, head_dim]`: same shape as `q`.
///
/// The seam for GPUs: CUDA's variable-length flash attention takes the same packed tensors (with cumulative lengths
/// of queries and of keys, causal, aligned at the end of each sequence) and is to be chosen here by device.
pub(crate) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, spans: &[Span]) -> Result<Tensor> {
    for x in [q, k, v] {
        debug_assert!(x.is_contiguous() && x.dtype() == DType::F32, "attention wants contiguous f32 operands");
    }
    debug_assert!(spans.iter().all(|span| 0 < span.queries && span.queries <= span.keys));
    attend_cpu(q, k, v, spans)
}

struct Shape {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    scale: f32,
}

/// Query rows of one sequence, small enough that their scores fit a block.
struct Block {
    queries: usize,
    query_start: usize,
    key_start: usize,
    /// Keys that the block's last query sees.
    keys: usize,
}

fn attend_cpu(q: &Tensor, k: &Tensor, v: &Tensor, spans: &[Span]) -> Result<Tensor> {
    let (rows, heads, head_dim) = q.dims3()?;
    let shape = Shape { heads, kv_heads: k.dim(1)?, head_dim, scale: 1.0 / (head_dim as f32).sqrt() };
    let mut output = vec![0f32; rows * heads * head_dim];
    let blocks = blocks(spans, heads);
    let mut parts = Vec::with_capacity(blocks.len());
    let mut rest = output.as_mut_slice();
    for block in &blocks {
        let (part, after) = rest.split_at_mut(block.queries * heads * head_dim);
        parts.push((block, part));
        rest = after;
    }
    let ((q_storage, q_layout), (k_storage, k_layout), (v_storage, v_layout)) =
        (q.storage_and_layout(), k.storage_and_layout(), v.storage_and_layout());
    let slices = (values(&q_storage, q_layout)?, values(&k_storage, k_layout)?, values(&v_storage, v_layout)?);
    parts.into_par_iter().try_for_each(|(block, part)| -> Result<()> {
        if block.queries == 1 {
            attend_row(slices, block, &shape, part);
            return Ok(());
        }
        attend_block((q, k, v), block, &shape, part)
    })?;
    Ok(Tensor::from_vec(output, (rows, heads, head_dim), q.device())?)
}

fn values<'s>(storage: &'s Storage, layout: &Layout) -> Result<&'s [f32]> {
    match storage {
        Storage::Cpu(storage) => {
            Ok(&storage.as_slice::<f32>()?[layout.start_offset()..][..layout.shape().elem_count()])
        }
        _ => Err(candle_core::Error::Msg("CPU attention was handed a tensor of another device".to_owned()).into()),
    }
}

/// Spans must be in the order of their query rows and leave none out.
fn blocks(spans: &[Span], heads: usize) -> Vec<Block> {
    let mut blocks = Vec::with_capacity(spans.len());
    for span in spans {
        let rows = (BLOCK_SCORES / (heads * span.keys)).clamp(8, BLOCK_ROWS);
        for start in (0..span.queries).step_by(rows) {
            let queries = rows.min(span.queries - start);
            let keys = span.keys - span.queries + start + queries;
            blocks.push(Block { queries, query_start: span.query_start + start, key_start: span.key_start, keys });
        }
    }
    blocks
}

/// One query against its keys: plain loops, as there is no matrix to multiply.
fn attend_row((q, k, v): (&[f32], &[f32], &[f32]), block: &Block, shape: &Shape, out: &mut [f32]) {
    let Shape { heads, kv_heads, head_dim, scale } = *shape;
    let group = heads / kv_heads;
    let row = |x: &[f32], token: usize, kv_head: usize| -> std::ops::Range<usize> {
        let start = ((block.key_start + token) * kv_heads + kv_head) * head_dim;
        debug_assert!(start + head_dim <= x.len());
        start..start + head_dim
    };
    let mut scores = vec![0f32; block.keys];
    for head in 0..heads {
        let query = &q[(block.query_start * heads + head) * head_dim..][..head_dim];
        for (token, score) in scores.iter_mut().enumerate() {
            *score = scale * dot(query, &k[row(k, token, head / group)]);
        }
        let scale = 1.0 / exponentiate(&mut scores);
        let out = &mut out[head * head_dim..][..head_dim];
        for (token, score) in scores.iter().enumerate() {
            let weight = score * scale;
            out.iter_mut().zip(&v[row(v, token, head / group)]).for_each(|(out, v)| *out += weight * v);
        }
    }
}

/// Several queries of one sequence: two batched matrix products, one batch entry per key/value head.
fn attend_block((q, k, v): (&Tensor, &Tensor, &Tensor), block: &Block, shape: &Shape, out: &mut [f32]) -> Result<()> {
    let Shape { heads, kv_heads, head_dim, scale } = *shape;
    let (queries, keys, group) = (block.queries, block.keys, heads / kv_heads);
    let q = q.narrow(0, block.query_start, queries)?.reshape((queries, kv_heads, group, head_dim))?;
    let q = q.permute((1, 2, 0, 3))?.contiguous()?.reshape((kv_heads, group * queries, head_dim))?;
    let k = k.narrow(0, block.key_start, keys)?.permute((1, 2, 0))?;
    let v = v.narrow(0, block.key_start, keys)?.transpose(0, 1)?;
    let scores = q.matmul(&k)?;
    scores.inplace_op1(&CausalSoftmax { queries, scale })?;
    let mixed = scores.matmul(&v)?;
    let (storage, layout) = mixed.storage_and_layout();
    for (index, row) in values(&storage, layout)?.chunks_exact(head_dim).enumerate() {
        // Rows come as [kv head, head of the group, query]; they go out as [query, head].
        let (head, query) = (index / queries, index % queries);
        out[(query * heads + head) * head_dim..][..head_dim].copy_from_slice(row);
    }
    Ok(())
}

/// Softmax of scaled scores `[.., queries, keys]`, where query `i` of the block sees all but the last
/// `queries - 1 - i` keys.
struct CausalSoftmax {
    queries: usize,
    scale: f32,
}

impl InplaceOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal-softmax"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(scores) = storage else { candle_core::bail!("causal-softmax expects f32") };
        let (start, end) = layout
            .contiguous_offsets()
            .ok_or_else(|| candle_core::Error::Msg("causal-softmax expects contiguous scores".to_owned()))?;
        let keys = layout.dims().last().copied().unwrap_or(1);
        for (index, row) in scores[start..end].chunks_exact_mut(keys).enumerate() {
            let visible = keys - (self.queries - 1 - index % self.queries);
            let (row, hidden) = row.split_at_mut(visible);
            row.iter_mut().for_each(|score| *score *= self.scale);
            let factor = 1.0 / exponentiate(row);
            row.iter_mut().for_each(|score| *score *= factor);
            hidden.fill(0.0);
        }
        Ok(())
    }
}

/// Replaces scores by `exp(score - max)` and returns their sum.
fn exponentiate(scores: &mut [f32]) -> f32 {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - most).exp());
    scores.iter().sum()
}

/// Sixteen running sums, so that the compiler may use vector registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<16>();
    let (b_chunks, b_rest) = b.as_chunks::<16>();
    let mut sums = [0f32; 16];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// Attention by its definition, in f64.
    fn naive(q: &[f32], k: &[f32], v: &[f32], spans: &[Span], dims: (usize, usize, usize)) -> Vec<f32> {
        let (heads, kv_heads, d) = dims;
        let mut out = vec![0.0; q.len()];
        for span in spans {
            for (query, head) in (0..span.queries).flat_map(|i| (0..heads).map(move |h| (i, h))) {
                let at = ((span.query_start + query) * heads + head) * d;
                let visible = span.keys - span.queries + query + 1;
                let key = |t: usize| ((span.key_start + t) * kv_heads + head * kv_heads / heads) * d;
                let score = |t: usize| -> f64 {
                    (0..d).map(|i| f64::from(q[at + i]) * f64::from(k[key(t) + i])).sum::<f64>() / (d as f64).sqrt()
                };
                let weights: Vec<f64> = (0..visible).map(|t| score(t).exp()).collect();
                let total: f64 = weights.iter().sum();
                for i in 0..d {
                    let mixed: f64 = weights.iter().enumerate().map(|(t, w)| w * f64::from(v[key(t) + i])).sum();
                    out[at + i] = (mixed / total) as f32;
                }
            }
        }
        out
    }

    fn spans(lengths: &[(usize, usize)]) -> Vec<Span> {
        let (mut query_start, mut key_start) = (0, 0);
        let span = |(queries, keys): &(usize, usize)| {
            let span = Span { query_start, queries: *queries, key_start, keys: *keys };
            (query_start, key_start) = (query_start + queries, key_start + keys);
            span
        };
        lengths.iter().map(span).collect()
    }

    fn noise(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    fn compare(lengths: &[(usize, usize)], dims: (usize, usize, usize)) {
        let (heads, kv_heads, d) = dims;
        let spans = spans(lengths);
        let queries: usize = lengths.iter().map(|l| l.0).sum();
        let keys: usize = lengths.iter().map(|l| l.1).sum();
        let (q, k, v) = (noise(queries * heads * d, 1), noise(keys * kv_heads * d, 2), noise(keys * kv_heads * d, 3));
        let tensor = |x: &[f32], rows, heads| Tensor::from_slice(x, (rows, heads, d), &Device::Cpu).unwrap();
        let out = attend(&tensor(&q, queries, heads), &tensor(&k, keys, kv_heads), &tensor(&v, keys, kv_heads), &spans);
        let out = out.unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let expected = naive(&q, &k, &v, &spans, dims);
        let worst = out.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{lengths:?} {dims:?}: off by {worst}");
    }

    #[test]
    fn equals_the_definition() {
        let lengths = [(1, 1), (7, 7), (2, 9), (1, 33), (130, 130), (300, 301), (64, 64)];
        for dims in [(4, 2, 32), (6, 1, 16), (8, 4, 64), (3, 3, 18)] {
            compare(&lengths, dims);
        }
    }

    #[test]
    fn only_last_rows_and_only_full_sequences() {
        compare(&[(1, 5), (1, 1), (1, 200)], (4, 2, 8));
        compare(&[(16, 16), (16, 16), (16, 16)], (4, 2, 8));
    }

    #[test]
    fn long_sequences_use_small_blocks() {
        let blocks = blocks(&spans(&[(32_768, 32_768)]), 16);
        assert!(blocks.iter().all(|b| b.queries * b.keys * 16 <= 8 * 32_768 * 16));
        assert_eq!(blocks.iter().map(|b| b.queries).sum::<usize>(), 32_768);
    }
}
