//! Attention over packed sequences, causal or not, in tiles: scores exist for a few queries and 256 keys at a time, so memory
//! is linear in the length, and keys that no query of a tile may see are never touched.
//!
//! Softmax is taken on the way ("online"): each query keeps the largest score so far and the sum of exponentials
//! relative to it; when the largest grows, what was summed before is scaled down. Query heads that share a key/value
//! head are rows of the same tiles. The products are those of the inner loops in micro.rs, with keys as panels of 32
//! tokens and values as panels of 32 dimensions.
#![expect(unsafe_code, reason = "tasks write disjoint rows and columns of one buffer")]

use std::{marker::PhantomData, ops::Range};

use rayon::prelude::*;

use super::{
    View,
    aligned::{Scratch, cut, padded},
    isa::Isa,
    lanes::{self, LANES},
    micro::{Format, Micro, Panel, Start, Target, Tile, WIDTH, Work, dispatch},
    sequences::{Past, PastRows, Sight, Span},
    tiles::{interleave, tiles},
};

/// Keys scored at once.
const KEYS: usize = 256;
/// Rows (queries times the query heads of a key/value head) that one task takes: each task packs its keys.
const TASK_ROWS: usize = 512;

/// Attention whose results replace the queries.
///
/// Queries are rows of `heads * head_dim` values from column 0; keys and values are rows of another buffer or, to the
/// right of the queries, of the same.
pub(crate) struct Attention<'a> {
    pub(crate) isa: Isa,
    /// F32 or Bf16: how queries, keys, values and the weights between them enter products.
    pub(crate) format: Format,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) sight: Sight,
    pub(crate) spans: &'a [Span],
    pub(crate) past: Past<'a>,
    /// Columns at which keys and values begin in their rows.
    pub(crate) key_column: usize,
    pub(crate) value_column: usize,
}

/// The buffers: of queries, and of keys and values. They may be one, hence pointers.
#[derive(Clone, Copy)]
struct Buffers<'b> {
    queries: *mut f32,
    query_stride: usize,
    own: *const f32,
    own_stride: usize,
    lifetime: PhantomData<&'b mut f32>,
}

// SAFETY: a task writes only the queries of its own rows and heads, which no other task reads; keys and values lie in
// other columns or another buffer and are only read.
unsafe impl Send for Buffers<'_> {}
// SAFETY: as above.
unsafe impl Sync for Buffers<'_> {}

/// Queries of one sequence that share a key/value head.
struct Task<'a> {
    span: Span,
    past: Option<PastRows<'a>>,
    kv_head: usize,
    queries: Range<usize>,
}

impl Attention<'_> {
    /// Queries, keys and values side by side in rows of `stride` values.
    pub(crate) fn run_together(&self, values: &mut [f32], stride: usize) {
        assert!(
            self.heads * self.head_dim <= self.key_column.min(self.value_column),
            "keys lie to the right of queries"
        );
        let length = values.len();
        let queries = values.as_mut_ptr();
        let buffers =
            Buffers { queries, query_stride: stride, own: queries, own_stride: stride, lifetime: PhantomData };
        self.run(buffers, length, length);
    }

    /// Queries in rows of `stride` values, keys and values elsewhere.
    pub(crate) fn run_apart(&self, queries: &mut [f32], stride: usize, own: View) {
        let (length, own_length) = (queries.len(), own.values.len());
        let buffers = Buffers {
            queries: queries.as_mut_ptr(),
            query_stride: stride,
            own: own.values.as_ptr(),
            own_stride: own.stride,
            lifetime: PhantomData,
        };
        self.run(buffers, length, own_length);
    }

    fn run(&self, buffers: Buffers, query_length: usize, own_length: usize) {
        self.check(&buffers, query_length, own_length);
        let group = self.heads / self.kv_heads;
        let step = (TASK_ROWS / group).max(1);
        let mut tasks = Vec::new();
        for (index, span) in self.spans.iter().enumerate() {
            let (span, past) = (*span, self.past.of(index));
            // Later queries see more keys: the longest tasks come first.
            for start in (0..span.queries).step_by(step).rev() {
                let queries = start..span.queries.min(start + step);
                tasks.extend((0..self.kv_heads).map(|kv_head| Task { span, past, kv_head, queries: queries.clone() }));
            }
        }
        tasks.par_iter().with_max_len(1).for_each(|task| {
            dispatch(self.isa, self.format, Run { attention: self, task, buffers });
        });
    }

    /// What the unsafe reads and writes rely on.
    fn check(&self, buffers: &Buffers, query_length: usize, own_length: usize) {
        let width = self.heads * self.head_dim;
        let key_width = self.kv_heads * self.head_dim;
        assert!(self.heads.is_multiple_of(self.kv_heads) && width <= buffers.query_stride, "heads do not fit");
        let end = self.key_column.max(self.value_column) + key_width;
        assert!(end <= buffers.own_stride, "keys do not fit");
        let mut next = 0;
        for (index, span) in self.spans.iter().enumerate() {
            let before = self.past.of(index).map_or(0, |past| past.tokens);
            assert!(span.query_start >= next && span.queries <= before + span.keys, "spans overlap");
            next = span.query_start + span.queries;
            assert!(
                span.keys > 0 && (span.key_start + span.keys) * buffers.own_stride <= own_length,
                "keys are missing"
            );
        }
        assert!(next * buffers.query_stride <= query_length, "queries are missing");
    }
}

struct Run<'a> {
    attention: &'a Attention<'a>,
    task: &'a Task<'a>,
    buffers: Buffers<'a>,
}

impl Work for Run<'_> {
    #[inline(always)]
    fn run<M: Micro>(self) {
        // Only where queries are a few chosen ones or go on with what is known: among sequences as they come, one of a
        // single token must not be computed in another way than the same token behind a prefix, which is one of many
        // there.
        let goes_on = matches!(self.attention.past, Past::Each(_));
        let chosen = goes_on || !std::ptr::eq(self.buffers.queries, self.buffers.own);
        if chosen && self.task.span.queries == 1 {
            self.single();
        } else {
            self.tiled::<M>();
        }
    }
}

/// Scratch memory of a task with several queries.
struct Memory<'m> {
    /// All rows' queries, tile by tile.
    queries: &'m mut [u32],
    /// Panels of 32 keys.
    keys: &'m mut [u32],
    /// Panels of 32 dimensions.
    values: &'m mut [u32],
    /// `[rows][padded head_dim]`.
    sums: &'m mut [f32],
    most: &'m mut [f32],
    totals: &'m mut [f32],
    /// `[tile rows][KEYS]`.
    scores: &'m mut [f32],
    /// Of one tile and panel, where sums cannot be held.
    mixed: &'m mut [f32],
    encoded: &'m mut [u32],
    tile: &'m mut [u32],
    row: &'m mut [f32],
}

impl Run<'_> {
    fn group(&self) -> usize {
        self.attention.heads / self.attention.kv_heads
    }

    #[inline(always)]
    fn past_tokens(&self) -> usize {
        self.task.past.map_or(0, |past| past.tokens)
    }

    /// Keys visible to a query of the task's span, those before it included.
    #[inline(always)]
    fn visible(&self, query: usize) -> usize {
        let span = self.task.span;
        let own = match self.attention.sight {
            Sight::Causal => span.keys - span.queries + query + 1,
            Sight::Whole => span.keys,
        };
        self.past_tokens() + own
    }

    /// Row `row` of the task: its query and where its head's values lie.
    #[inline(always)]
    fn query(&self, row: usize) -> (usize, *mut f32) {
        let group = self.group();
        let (query, head) = (self.task.queries.start + row / group, self.task.kv_head * group + row % group);
        let at = (self.task.span.query_start + query) * self.buffers.query_stride + head * self.attention.head_dim;
        (query, self.buffers.queries.wrapping_add(at))
    }

    /// Key or value `index`, counted with those before the span.
    #[inline(always)]
    fn row(&self, index: usize, of: impl Fn(&PastRows) -> usize, own_column: usize) -> &[f32] {
        let dim = self.attention.head_dim;
        let head = self.task.kv_head * dim;
        let past_tokens = self.past_tokens();
        match &self.task.past {
            Some(past) if index < past_tokens => past.rows.row(index, of(past) + head, dim),
            _ => {
                let at = (self.task.span.key_start + index - past_tokens) * self.buffers.own_stride;
                // SAFETY: `Attention::check` saw that every span's keys lie within the buffer; nothing writes there.
                unsafe { std::slice::from_raw_parts(self.buffers.own.add(at + own_column + head), dim) }
            }
        }
    }

    #[inline(always)]
    fn key(&self, index: usize) -> &[f32] {
        self.row(index, |past| past.key_column, self.attention.key_column)
    }

    #[inline(always)]
    fn value(&self, index: usize) -> &[f32] {
        self.row(index, |past| past.value_column, self.attention.value_column)
    }

    fn scale(&self) -> f32 {
        1.0 / (self.attention.head_dim as f32).sqrt()
    }

    /// One query against its keys: there is no matrix to multiply.
    #[inline(always)]
    fn single(&self) {
        let (dim, group, scale) = (self.attention.head_dim, self.group(), self.scale());
        let visible = self.visible(self.task.queries.start);
        let mut scratch = Scratch::take(padded(group * visible) + dim);
        let mut rest = scratch.words();
        let scores: &mut [f32] = bytemuck::cast_slice_mut(cut(&mut rest, group * visible));
        let out: &mut [f32] = bytemuck::cast_slice_mut(&mut rest[..dim]);
        for index in 0..visible {
            let key = self.key(index);
            for row in 0..group {
                // SAFETY: the queries of this task's rows, which only this task writes, later.
                let query = unsafe { std::slice::from_raw_parts(self.query(row).1, dim) };
                scores[row * visible + index] = scale * lanes::dot(query, key);
            }
        }
        for (row, scores) in scores.chunks_exact_mut(visible).enumerate() {
            let total = lanes::exponentiate(scores, lanes::largest(scores));
            out.fill(0.0);
            for (index, weight) in scores.iter().enumerate() {
                lanes::add_scaled(out, self.value(index), *weight);
            }
            lanes::scale(out, 1.0 / total);
            // SAFETY: as above; the row's scores are done with.
            unsafe { std::slice::from_raw_parts_mut(self.query(row).1, dim).copy_from_slice(out) };
        }
    }

    #[inline(always)]
    fn tiled<M: Micro>(&self) {
        let rows = self.task.queries.len() * self.group();
        let dim = self.attention.head_dim;
        let words = M::words(dim);
        let dim_panels = dim.div_ceil(WIDTH);
        let key_words = M::words(KEYS);
        let sizes = [
            M::room(rows) * words,
            KEYS * words,
            dim_panels * WIDTH * key_words,
            M::room(rows) * dim_panels * WIDTH,
            rows,
            rows,
            M::ROWS * KEYS,
            M::ROWS * WIDTH,
            M::ROWS.max(WIDTH) * words.max(key_words),
            M::ROWS * key_words,
            2 * dim_panels * WIDTH,
        ];
        let mut scratch = Scratch::take(sizes.iter().map(|size| padded(*size)).sum());
        let mut rest = scratch.words();
        let mut parts = sizes.map(|size| cut(&mut rest, size)).into_iter();
        let mut next = || parts.next().unwrap_or_default();
        let mut memory = Memory {
            queries: next(),
            keys: next(),
            values: next(),
            sums: bytemuck::cast_slice_mut(next()),
            most: bytemuck::cast_slice_mut(next()),
            totals: bytemuck::cast_slice_mut(next()),
            scores: bytemuck::cast_slice_mut(next()),
            mixed: bytemuck::cast_slice_mut(next()),
            encoded: next(),
            tile: next(),
            row: bytemuck::cast_slice_mut(next()),
        };
        memory.sums.fill(0.0);
        memory.most.fill(f32::NEG_INFINITY);
        memory.totals.fill(0.0);
        let _guard = M::enter();
        self.pack_queries::<M>(&mut memory, rows);
        let last = self.visible(self.task.queries.end - 1);
        for start in (0..last).step_by(KEYS) {
            let count = KEYS.min(last - start);
            self.pack_keys::<M>(&mut memory, start, count);
            self.pack_values::<M>(&mut memory, start, count);
            for tile in tiles::<M>(rows) {
                self.tile::<M>(&mut memory, tile, start, count);
            }
        }
        for row in 0..rows {
            let sums = &memory.sums[row * dim_panels * WIDTH..][..dim];
            // SAFETY: the queries of this task's rows, packed and done with.
            let out = unsafe { std::slice::from_raw_parts_mut(self.query(row).1, dim) };
            let factor = 1.0 / memory.totals[row];
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum * factor);
        }
    }

    #[inline(always)]
    fn pack_queries<M: Micro>(&self, memory: &mut Memory, rows: usize) {
        let (dim, scale) = (self.attention.head_dim, self.scale());
        let steps = M::FORMAT.steps(dim);
        for tile in tiles::<M>(rows) {
            for (index, row) in tile.clone().enumerate() {
                // SAFETY: the queries of this task's rows, not written before all are packed.
                let query = unsafe { std::slice::from_raw_parts(self.query(row).1, dim) };
                let scaled = &mut memory.row[..dim];
                scaled.iter_mut().zip(query).for_each(|(out, query)| *out = query * scale);
                M::encode(scaled, &mut memory.encoded[index * steps..][..steps], &mut []);
            }
            let words = &mut memory.queries[tile.start * M::words(dim)..][..M::room(tile.len()) * M::words(dim)];
            M::arrange(memory.encoded, steps, tile.len(), steps, words);
        }
    }

    #[inline(always)]
    fn pack_keys<M: Micro>(&self, memory: &mut Memory, start: usize, count: usize) {
        let steps = M::FORMAT.steps(self.attention.head_dim);
        let size = M::words(self.attention.head_dim) * WIDTH;
        for (panel, first) in (0..count).step_by(WIDTH).enumerate() {
            for slot in 0..WIDTH {
                let encoded = &mut memory.encoded[slot * steps..][..steps];
                if first + slot < count {
                    M::encode(self.key(start + first + slot), encoded, &mut []);
                } else {
                    encoded.fill(0);
                }
            }
            let (words, rest) = memory.keys[panel * size..][..size].split_at_mut(steps * WIDTH);
            interleave(memory.encoded, steps, WIDTH, steps, words);
            rest.fill(0);
        }
    }

    #[inline(always)]
    fn pack_values<M: Micro>(&self, memory: &mut Memory, start: usize, count: usize) {
        let dim = self.attention.head_dim;
        let per_word = M::FORMAT.per_word();
        let size = M::words(KEYS) * WIDTH;
        let (zeros, words) = memory.encoded.split_at_mut(dim);
        let zeros: &mut [f32] = bytemuck::cast_slice_mut(zeros);
        zeros.fill(0.0);
        let words = &mut words[..dim];
        for panel in memory.values.chunks_exact_mut(size) {
            panel[M::FORMAT.steps(count) * WIDTH..M::words(count) * WIDTH].fill(0);
        }
        for step in 0..M::FORMAT.steps(count) {
            let even = self.value(start + step * per_word);
            let odd = step * per_word + 1;
            let odd = if per_word == 2 && odd < count { self.value(start + odd) } else { &*zeros };
            M::encode_across([even, odd], words);
            for (panel, words) in words.chunks(WIDTH).enumerate() {
                memory.values[panel * size + step * WIDTH..][..words.len()].copy_from_slice(words);
            }
        }
    }

    /// Scores of a tile of rows with the keys at hand, their exponentials, and the values weighted by those.
    #[inline(always)]
    fn tile<M: Micro>(&self, memory: &mut Memory, tile: Range<usize>, start: usize, count: usize) {
        let dim = self.attention.head_dim;
        let words = M::words(dim);
        let (dim_panels, key_words) = (dim.div_ceil(WIDTH), M::words(KEYS));
        let seen = self.visible(self.query(tile.end - 1).0).saturating_sub(start).min(count);
        if seen == 0 {
            return;
        }
        let queries = Tile { words: memory.queries[tile.start * words..].as_ptr(), scales: std::ptr::null() };
        for panel in 0..seen.div_ceil(WIDTH) {
            let keys = &memory.keys[panel * WIDTH * words..][..WIDTH * words];
            let target = &mut memory.scores[panel * WIDTH..];
            debug_assert!((M::room(tile.len()) - 1) * KEYS + WIDTH <= target.len());
            // SAFETY: the tile holds its rows' queries, the panel 32 keys, and the scores' rows are KEYS long.
            unsafe {
                M::tile_of(
                    tile.len(),
                    queries,
                    plain(keys, words),
                    Target::new(target.as_mut_ptr(), KEYS),
                    Start::Zero,
                );
            }
        }
        let weight_steps = M::FORMAT.steps(seen);
        for (index, row) in tile.clone().enumerate() {
            let visible = self.visible(self.query(row).0).saturating_sub(start).min(seen);
            let scores = &mut memory.scores[index * KEYS..][..KEYS];
            if visible > 0 {
                // Whole vectors of scores: those that the row may not see weigh nothing.
                let whole = visible.next_multiple_of(LANES);
                scores[visible..whole].fill(f32::NEG_INFINITY);
                let before = memory.most[row];
                let most = lanes::largest(&scores[..whole]);
                let most = if most > before { most } else { before };
                let sum = lanes::exponentiate(&mut scores[..whole], most);
                let factor = if before == f32::NEG_INFINITY { 0.0 } else { lanes::exp(before - most) };
                memory.totals[row] = memory.totals[row] * factor + sum;
                memory.most[row] = most;
                if start > 0 && factor != 1.0 {
                    lanes::scale(&mut memory.sums[row * dim_panels * WIDTH..][..dim_panels * WIDTH], factor);
                }
            }
            scores[visible..seen].fill(0.0);
            let words = &mut memory.encoded[index * key_words..][..weight_steps];
            M::encode(&memory.scores[index * KEYS..][..seen], words, &mut []);
        }
        M::arrange(memory.encoded, key_words, tile.len(), weight_steps, memory.tile);
        let weights = Tile { words: memory.tile.as_ptr(), scales: std::ptr::null() };
        for panel in 0..dim_panels {
            let words = &memory.values[panel * key_words * WIDTH..][..M::words(seen) * WIDTH];
            let values = plain(words, M::words(seen));
            let sums = &mut memory.sums[(tile.start * dim_panels + panel) * WIDTH..];
            if M::HOLDS {
                debug_assert!((M::room(tile.len()) - 1) * dim_panels * WIDTH + WIDTH <= sums.len());
                let target = Target::new(sums.as_mut_ptr(), dim_panels * WIDTH);
                // SAFETY: the tile holds its rows' weights, the panel as many values, and the sums full tiles.
                unsafe { M::tile_of(tile.len(), weights, values, target, Start::Held) };
                continue;
            }
            let target = Target::new(memory.mixed.as_mut_ptr(), WIDTH);
            // SAFETY: the tile holds its rows' weights, the panel as many values, and `mixed` any tile's results.
            unsafe { M::tile_of(tile.len(), weights, values, target, Start::Zero) };
            for (sums, mixed) in
                sums.chunks_mut(dim_panels * WIDTH).zip(memory.mixed.as_chunks::<WIDTH>().0).take(tile.len())
            {
                lanes::add_scaled(&mut sums[..WIDTH], mixed, 1.0);
            }
        }
    }
}

/// A panel without scales; nothing is fetched ahead.
#[inline(always)]
fn plain(words: &[u32], steps: usize) -> Panel {
    Panel {
        words: words.as_ptr(),
        scales: std::ptr::null(),
        starts: std::ptr::null(),
        steps,
        ahead: words.as_ptr().cast(),
        ahead_bytes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        heads: usize,
        kv_heads: usize,
        head_dim: usize,
        past: usize,
        sight: Sight,
        /// Queries and own keys of each sequence.
        lengths: Vec<(usize, usize)>,
    }

    fn noise(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| 2.0 * next()).collect()
    }

    impl Case {
        fn spans(&self) -> Vec<Span> {
            let (mut query_start, mut key_start) = (0, 0);
            let span = |(queries, keys): &(usize, usize)| {
                let span = Span { query_start, queries: *queries, key_start, keys: *keys };
                (query_start, key_start) = (query_start + queries, key_start + keys);
                span
            };
            self.lengths.iter().map(span).collect()
        }

        fn key_width(&self) -> usize {
            self.kv_heads * self.head_dim
        }

        /// Attention by its definition, in f64; `past` and `own` are rows of keys and values.
        fn naive(&self, queries: &[f32], past: &[f32], own: &[f32]) -> Vec<f32> {
            let (width, d) = (2 * self.key_width(), self.head_dim);
            let mut out = vec![0.0; queries.len()];
            for span in self.spans() {
                for (query, head) in (0..span.queries).flat_map(|i| (0..self.heads).map(move |h| (i, h))) {
                    let at = ((span.query_start + query) * self.heads + head) * d;
                    let visible = match self.sight {
                        Sight::Causal => self.past + span.keys - span.queries + query + 1,
                        Sight::Whole => self.past + span.keys,
                    };
                    let column = head * self.kv_heads / self.heads * d;
                    let row = |t: usize| match t.checked_sub(self.past) {
                        Some(t) => &own[(span.key_start + t) * width + column..],
                        None => &past[t * width + column..],
                    };
                    let score = |t: usize| -> f64 {
                        let key = row(t);
                        (0..d).map(|i| f64::from(queries[at + i]) * f64::from(key[i])).sum::<f64>() / (d as f64).sqrt()
                    };
                    let weights: Vec<f64> = (0..visible).map(|t| score(t).exp()).collect();
                    let total: f64 = weights.iter().sum();
                    for i in 0..d {
                        let value = |t: usize| f64::from(row(t)[self.key_width() + i]);
                        let mixed: f64 = weights.iter().enumerate().map(|(t, w)| w * value(t)).sum();
                        out[at + i] = (mixed / total) as f32;
                    }
                }
            }
            out
        }

        fn check(&self, isa: Isa, format: Format, bound: f32) {
            let spans = self.spans();
            let (query_width, key_width) = (self.heads * self.head_dim, self.key_width());
            let queries: usize = self.lengths.iter().map(|l| l.0).sum();
            let keys: usize = self.lengths.iter().map(|l| l.1).sum();
            let (q, past) = (noise(queries * query_width, 1), noise(self.past * 2 * key_width, 2));
            let own = noise(keys * 2 * key_width, 3);
            let expected = self.naive(&q, &past, &own);
            let rows = View { values: &past, stride: 2 * key_width };
            let past = PastRows { tokens: self.past, rows, key_column: 0, value_column: key_width };
            let attention = |key_column| Attention {
                isa,
                format,
                heads: self.heads,
                kv_heads: self.kv_heads,
                head_dim: self.head_dim,
                sight: self.sight,
                spans: &spans,
                past: if self.past > 0 { Past::Shared(past) } else { Past::Nothing },
                key_column,
                value_column: key_column + key_width,
            };
            let compare = |out: &[f32], way: &str| {
                let worst = out.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                let Self { heads, kv_heads, head_dim, sight, .. } = self;
                assert!(
                    worst < bound,
                    "{isa} {format:?} {sight:?} {way} {heads}/{kv_heads}/{head_dim} {:?}: off by {worst}",
                    self.lengths
                );
                assert!(out.iter().all(|x| x.is_finite()));
            };
            let mut apart = q.clone();
            attention(0).run_apart(&mut apart, query_width, View { values: &own, stride: 2 * key_width });
            compare(&apart, "apart");
            if queries == keys {
                let stride = query_width + 2 * key_width;
                let rows = q.chunks(query_width).zip(own.chunks(2 * key_width));
                let mut together: Vec<f32> = rows.flat_map(|(q, kv)| [q, kv].concat()).collect();
                attention(query_width).run_together(&mut together, stride);
                let out: Vec<f32> = together.chunks(stride).flat_map(|row| row[..query_width].to_vec()).collect();
                compare(&out, "together");
                let kept = together.chunks(stride).flat_map(|row| row[query_width..].to_vec());
                assert!(kept.eq(own.iter().copied()), "keys and values are only read");
            }
        }
    }

    fn cases() -> Vec<Case> {
        let mut cases = Vec::new();
        for (sight, pasts) in [(Sight::Causal, [0, 1, 70, 300].as_slice()), (Sight::Whole, &[0, 70])] {
            for (heads, kv_heads, head_dim) in [(4, 2, 32), (6, 1, 16), (8, 4, 64), (3, 3, 18), (5, 1, 2)] {
                let case = |past, lengths| Case { heads, kv_heads, head_dim, past, sight, lengths };
                for past in pasts.iter().copied() {
                    cases.push(case(past, vec![(1, 1), (7, 7), (2, 9), (1, 33), (130, 130), (300, 301), (64, 64)]));
                    cases.push(case(past, vec![(16, 16), (1, 1), (33, 33)]));
                }
                cases.push(case(0, vec![(1, 5), (1, 1), (1, 200)]));
            }
            // Several tasks for one sequence.
            cases.push(Case { heads: 2, kv_heads: 1, head_dim: 8, past: 0, sight, lengths: vec![(1100, 1100)] });
        }
        cases
    }

    #[test]
    fn equals_the_definition_on_every_instruction_set() {
        for isa in Isa::available() {
            cases().iter().for_each(|case| case.check(isa, Format::F32, 2e-5));
        }
    }

    /// Sequences that go on from what each consists of so far: as one by one with the same before it.
    #[test]
    fn each_sequence_goes_on_from_its_own() {
        let (heads, kv_heads, head_dim) = (4, 2, 32);
        let (query_width, key_width) = (heads * head_dim, kv_heads * head_dim);
        let stride = query_width + 2 * key_width;
        let lengths = [(0, 5), (300, 1), (0, 1), (7, 40), (1, 1)];
        let pasts: Vec<Vec<f32>> =
            (0u32..).zip(lengths).map(|(i, (past, _))| noise(past * 2 * key_width, 9 + i)).collect();
        let pasts: Vec<Option<PastRows>> = pasts
            .iter()
            .zip(lengths)
            .map(|(rows, (tokens, _))| {
                let rows = View { values: rows, stride: 2 * key_width };
                (tokens > 0).then_some(PastRows { tokens, rows, key_column: 0, value_column: key_width })
            })
            .collect();
        let mut start = 0;
        let spans = lengths.map(|(_, count)| {
            let span = Span { query_start: start, queries: count, key_start: start, keys: count };
            start += count;
            span
        });
        for isa in Isa::available() {
            let attend = |spans: &[Span], past: Past, rows: &mut [f32]| {
                let attention = Attention {
                    isa,
                    format: Format::F32,
                    heads,
                    kv_heads,
                    head_dim,
                    sight: Sight::Causal,
                    spans,
                    past,
                    key_column: query_width,
                    value_column: query_width + key_width,
                };
                attention.run_together(rows, stride);
            };
            let rows = noise(start * stride, 4);
            let mut together = rows.clone();
            attend(&spans, Past::Each(&pasts), &mut together);
            for (span, past) in spans.iter().zip(&pasts) {
                let range = span.query_start * stride..(span.query_start + span.queries) * stride;
                let mut alone = rows[range.clone()].to_vec();
                let own = Span { query_start: 0, key_start: 0, ..*span };
                attend(&[own], past.map_or(Past::Nothing, Past::Shared), &mut alone);
                let off = alone.iter().zip(&together[range]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off < 2e-5, "{isa} {span:?}: off by {off}");
            }
        }
    }

    #[test]
    fn stays_close_in_bf16() {
        cases().iter().for_each(|case| case.check(Isa::detect(), Format::Bf16, 4e-2));
    }
}
