//! One block: attention of every token to every token of its sequence, then the feed-forward; each is added to what
//! came in and the sum normalised (Vaswani et al. 2017, "post-norm").

use candle_core::Device;

use super::config::BertConfig;
use crate::{
    error::Result,
    kernels::{
        Arrangement, Attention, Finish, Format, Isa, LayerNorm, Loops, Panels, Past, Product, RowStep, Sight, Span,
        View,
    },
    weights::Weights,
};

/// Rows that go through the feed-forward together: bounds its wide intermediate values.
const FEED_FORWARD_ROWS: usize = 1024;

/// How weights are laid out for computing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) isa: Isa,
    pub(super) format: Format,
}

/// `y = x W^T + b`, the bias to be added by what follows.
struct Dense {
    panels: Panels,
    bias: Vec<f32>,
}

/// Learned scale and shift after normalising to mean 0 and variance 1.
pub(super) struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

/// Weights of one block.
pub(super) struct Layer {
    /// Queries, keys and values side by side.
    projection: Dense,
    attended: Dense,
    attended_norm: Norm,
    wide: Dense,
    narrow: Dense,
    narrow_norm: Norm,
    heads: usize,
    layout: Layout,
}

/// Buffers that all blocks write to in turn.
#[derive(Default)]
pub(super) struct Workspace {
    projected: Vec<f32>,
    wide: Vec<f32>,
}

impl Layer {
    pub(super) fn open(weights: &Weights, index: usize, config: &BertConfig, layout: Layout) -> Result<Self> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        let norm = |part: &str| Norm::open(weights, &name(part), config);
        let dense = |parts: &[&str], outputs, inputs| {
            let names: Vec<String> = parts.iter().map(|part| name(part)).collect();
            Dense::open(weights, &names, (outputs, inputs), layout)
        };
        Ok(Self {
            projection: dense(&["attention.self.query", "attention.self.key", "attention.self.value"], hidden, hidden)?,
            attended: dense(&["attention.output.dense"], hidden, hidden)?,
            attended_norm: norm("attention.output.LayerNorm")?,
            wide: dense(&["intermediate.dense"], wide, hidden)?,
            narrow: dense(&["output.dense"], hidden, wide)?,
            narrow_norm: norm("output.LayerNorm")?,
            heads: config.heads,
            layout,
        })
    }

    /// Hidden states `[tokens, hidden]` through the block, in place.
    pub(super) fn forward(&self, x: &mut [f32], spans: &[Span], workspace: &mut Workspace) {
        let width = self.attended_norm.weight.len();
        let tokens = x.len() / width;
        let isa = self.layout.isa;
        let projected = sized(&mut workspace.projected, 3 * x.len());
        self.projection.multiply(View { values: x, stride: width }, tokens, Finish::Store, projected);
        RowStep::AddBias(&self.projection.bias).run(isa, projected);
        self.attend(projected, spans, width);
        self.attended.multiply(View { values: projected, stride: 3 * width }, tokens, Finish::Add, x);
        self.attended_norm.after(&self.attended, isa, x);
        for part in x.chunks_mut(FEED_FORWARD_ROWS * width) {
            let rows = part.len() / width;
            let outputs = self.wide.bias.len();
            let wide = sized(&mut workspace.wide, rows * outputs);
            self.wide.multiply(View { values: part, stride: width }, rows, Finish::Store, wide);
            RowStep::Gelu(&self.wide.bias).run(isa, wide);
            self.narrow.multiply(View { values: wide, stride: outputs }, rows, Finish::Add, part);
            self.narrow_norm.after(&self.narrow, isa, part);
        }
    }

    /// Replaces the queries by what each token takes from all tokens of its sequence.
    fn attend(&self, projected: &mut [f32], spans: &[Span], width: usize) {
        let Layout { isa, format } = self.layout;
        let attention = Attention {
            isa,
            format: if format == Format::F32 { Format::F32 } else { Format::Bf16 },
            heads: self.heads,
            kv_heads: self.heads,
            head_dim: width / self.heads,
            sight: Sight::Whole,
            spans,
            past: Past::Nothing,
            key_column: width,
            value_column: 2 * width,
        };
        attention.run_together(projected, 3 * width);
    }
}

impl Dense {
    /// Reads `NAME.weight` (`[outputs, inputs]`) and `NAME.bias` of each name, stacked.
    fn open(weights: &Weights, names: &[String], (outputs, inputs): (usize, usize), layout: Layout) -> Result<Self> {
        let mut matrices = Vec::with_capacity(names.len());
        let mut bias = Vec::with_capacity(names.len() * outputs);
        for name in names {
            matrices.push(weights.stored_matrix(&format!("{name}.weight"), (outputs, inputs))?);
            bias.extend(vector(weights, &format!("{name}.bias"), outputs)?);
        }
        let arrangement = Arrangement::parts(&vec![outputs; names.len()]);
        let read = |row: usize, out: &mut [f32]| matrices[row / outputs].read_row(row % outputs, out);
        let panels = Panels::pack(Loops::Fastest, layout.format, inputs, arrangement, read);
        matrices.iter().for_each(|matrix| matrix.forget());
        Ok(Self { panels, bias })
    }

    fn multiply(&self, input: View, rows: usize, finish: Finish, out: &mut [f32]) {
        let range = 0..self.panels.count();
        let product = Product { input, rows, norm: None, panels: &self.panels, range, finish };
        product.run(out, self.bias.len());
    }
}

impl Norm {
    pub(super) fn open(weights: &Weights, name: &str, config: &BertConfig) -> Result<Self> {
        let width = config.hidden_size;
        Ok(Self {
            weight: vector(weights, &format!("{name}.weight"), width)?,
            bias: vector(weights, &format!("{name}.bias"), width)?,
            epsilon: config.epsilon,
        })
    }

    /// Normalises rows, in place.
    pub(super) fn apply(&self, isa: Isa, x: &mut [f32]) {
        RowStep::Normalise { before: None, norm: self.kernel() }.run(isa, x);
    }

    /// Adds what `dense` left out, then normalises.
    fn after(&self, dense: &Dense, isa: Isa, x: &mut [f32]) {
        RowStep::Normalise { before: Some(&dense.bias), norm: self.kernel() }.run(isa, x);
    }

    fn kernel(&self) -> LayerNorm<'_> {
        LayerNorm { weight: &self.weight, bias: &self.bias, epsilon: self.epsilon }
    }
}

/// A vector of the checkpoint, in f32.
fn vector(weights: &Weights, name: &str, length: usize) -> Result<Vec<f32>> {
    Ok(weights.vector(name, length, &Device::Cpu)?.to_vec1()?)
}

/// The first `length` values of a buffer, which grows as needed.
fn sized(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}
