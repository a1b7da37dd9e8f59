//! The steps of the forward pass, each in two ways: by the kernels of this crate, in place where that saves memory
//! (CPU), or composed of candle's operations (any device). Both check layout and types, where candle's CPU would accept
//! what CUDA refuses later.

use std::{ops::Range, sync::Arc};

use candle_core::{CpuStorage, DType, Device, InplaceOp1, InplaceOp2, Layout, Storage, Tensor};

use crate::{
    error::Result,
    kernels::{Arrangement, Finish, Format, HeadGroup, Isa, Loops, Norm, Panels, Product, Turn, View},
    rope::Angles,
    weights::{StoredMatrix, Weights},
};

/// Rows that a thread takes at once through a block, where they can be chosen: what lies between its products, some 12 to 24 KB
/// a row, stays in the caches.
const ROWS_OF_A_THREAD: usize = 288;

/// Rows that go through a block together, where they can be chosen.
pub(crate) fn rows_at_once() -> usize {
    ROWS_OF_A_THREAD * rayon::current_num_threads()
}

/// What computes a model on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernels {
    /// This crate's own, those that are the fastest on this machine.
    Fastest,
    /// This crate's own, with an instruction set (or less, where the machine lacks it).
    Own(Isa),
    /// candle's operations, as on other devices. Slow on a CPU; weights stay f32 or bf16.
    Candle,
}

impl Kernels {
    /// This crate's, if it is they that compute.
    pub(crate) fn loops(self) -> Option<Loops> {
        match self {
            Self::Fastest => Some(Loops::Fastest),
            Self::Own(isa) => Some(Loops::Of(isa)),
            Self::Candle => None,
        }
    }
}

/// Where and how weights are laid out for computing.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) device: Device,
    /// Of activations.
    pub(crate) dtype: DType,
    pub(crate) format: Format,
    pub(crate) kernels: Kernels,
}

/// One or more projections of the same input, without bias: `y = x W^T`, `W` being `[outputs, inputs]`.
pub(crate) enum Linear {
    Packed(Packed),
    Plain(Plain),
}

/// For the kernels of this crate.
pub(crate) struct Packed {
    panels: Arc<Panels>,
    range: Range<usize>,
    outputs: usize,
    shape: Shape,
}

/// For candle.
pub(crate) struct Plain {
    weight: Tensor,
    shape: Shape,
}

/// What the outputs of a [`Linear`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All of them, side by side.
    Stacked,
    /// Of two matrices of one size the product `silu(first) * second`.
    Gated,
}

/// Root mean square normalisation over the last dimension.
pub(crate) struct RmsNorm {
    weight: Tensor,
    values: Vec<f32>,
    epsilon: f32,
}

/// A buffer that one layer after another writes to.
#[derive(Default)]
pub(crate) struct Slot(Option<Tensor>);

impl Linear {
    /// Reads matrices of `inputs` columns, by name and rows.
    pub(crate) fn open(
        weights: &Weights,
        names: &[(String, usize)],
        inputs: usize,
        shape: Shape,
        place: &Place,
    ) -> Result<Self> {
        let matrices = names.iter().map(|(name, rows)| weights.stored_matrix(name, (*rows, inputs)));
        let matrices = matrices.collect::<Result<Vec<StoredMatrix>>>()?;
        let rows: Vec<usize> = names.iter().map(|(_, rows)| *rows).collect();
        let starts: Vec<usize> = rows.iter().scan(0, |sum, rows| Some(std::mem::replace(sum, *sum + rows))).collect();
        let read = |row: usize, out: &mut [f32]| {
            let part = starts.partition_point(|start| *start <= row) - 1;
            matrices[part].read_row(row - starts[part], out);
        };
        let outputs: usize = rows.iter().sum();
        let Some(loops) = place.kernels.loops() else {
            let mut values = vec![0.0; outputs * inputs];
            values.chunks_mut(inputs).enumerate().for_each(|(row, out)| read(row, out));
            let dtype = if place.format == Format::F32 { DType::F32 } else { DType::BF16 };
            let weight = Tensor::from_vec(values, (outputs, inputs), &Device::Cpu)?.to_dtype(dtype)?;
            return Ok(Self::Plain(Plain { weight: weight.to_device(&place.device)?, shape }));
        };
        let (arrangement, outputs) = match shape {
            Shape::Stacked => (Arrangement::parts(&rows), outputs),
            Shape::Gated => (Arrangement::gated(rows[0]), rows[0]),
        };
        let panels = Panels::pack(loops, place.format, inputs, arrangement, read);
        matrices.iter().for_each(StoredMatrix::forget);
        let range = 0..panels.count();
        Ok(Self::Packed(Packed { panels: Arc::new(panels), range, outputs, shape }))
    }

    /// The parts that compute the first matrix and the others of [`Linear::open`]; they share the weights.
    pub(crate) fn split(&self, first: usize) -> Result<(Self, Self)> {
        Ok(match self {
            Self::Packed(packed) => {
                let at = packed.range.start + Arrangement::panels_of(first);
                let part = |range: Range<usize>, outputs| {
                    Self::Packed(Packed { panels: Arc::clone(&packed.panels), range, outputs, shape: packed.shape })
                };
                (part(packed.range.start..at, first), part(at..packed.range.end, packed.outputs - first))
            }
            Self::Plain(Plain { weight, shape }) => {
                let part = |start, count| -> Result<Self> {
                    Ok(Self::Plain(Plain { weight: weight.narrow(0, start, count)?, shape: *shape }))
                };
                (part(0, first)?, part(first, weight.dim(0)? - first)?)
            }
        })
    }

    /// `[tokens, inputs]`, normalised first where a norm is given, to `[tokens, outputs]`. The result may lie in
    /// `slot`'s buffer and is good until that is used again.
    pub(crate) fn forward(&self, x: &Tensor, norm: Option<&RmsNorm>, slot: &mut Slot) -> Result<Tensor> {
        match self {
            Self::Packed(packed) => {
                let out = slot.tensor(x.dim(0)?, packed.outputs)?;
                let finish = if packed.shape == Shape::Gated { Finish::Gate } else { Finish::Store };
                out.inplace_op2(x, &Multiply { packed, norm, finish })?;
                Ok(out)
            }
            Self::Plain(plain) => match norm {
                Some(norm) => plain.forward(&norm.forward(x)?),
                None => plain.forward(x),
            },
        }
    }

    /// `sum + x W^T`; `sum` may be overwritten.
    pub(crate) fn add(&self, sum: &Tensor, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Packed(packed) => {
                sum.inplace_op2(x, &Multiply { packed, norm: None, finish: Finish::Add })?;
                Ok(sum.clone())
            }
            Self::Plain(plain) => Ok((sum + plain.forward(&x.contiguous()?)?)?),
        }
    }
}

/// `x + down(gate_up(norm(x)))`; `x` may be overwritten.
pub(crate) fn feed_forward(
    x: &Tensor,
    norm: &RmsNorm,
    gate_up: &Linear,
    down: &Linear,
    slot: &mut Slot,
) -> Result<Tensor> {
    if let Linear::Plain(_) = gate_up {
        return down.add(x, &gate_up.forward(x, Some(norm), slot)?);
    }
    let (rows, most) = (x.dim(0)?, rows_at_once());
    for start in (0..rows).step_by(most) {
        let part = x.narrow(0, start, most.min(rows - start))?;
        down.add(&part, &gate_up.forward(&part, Some(norm), slot)?)?;
    }
    Ok(x.clone())
}

/// Heads that lie side by side in rows, from a column on, and their norm.
pub(crate) struct Heads<'h> {
    pub(crate) column: usize,
    pub(crate) count: usize,
    pub(crate) norm: &'h RmsNorm,
}

/// Normalises each head of `[tokens, width]` and turns it by its token's angles; what no group of heads covers stays
/// as it is. Groups lie in order of their columns. `x` may be overwritten.
pub(crate) fn turn_heads(
    x: &Tensor,
    groups: &[Heads],
    head_dim: usize,
    angles: &Angles,
    kernels: Kernels,
) -> Result<Tensor> {
    check(x);
    if let Some(loops) = kernels.loops() {
        x.inplace_op1(&TurnHeads { groups, head_dim, angles, isa: loops.isa() })?;
        return Ok(x.clone());
    }
    let width = x.dim(1)?;
    let mut parts = Vec::with_capacity(groups.len() + 1);
    let mut end = 0;
    for Heads { column, count, norm } in groups {
        debug_assert_eq!(*column, end, "a gap between heads");
        let heads = x.narrow(1, *column, count * head_dim)?.contiguous()?.reshape(((), *count, head_dim))?;
        parts.push(rotate(&norm.forward(&heads)?, angles)?.reshape(((), count * head_dim))?);
        end = column + count * head_dim;
    }
    if end < width {
        parts.push(x.narrow(1, end, width - end)?);
    }
    Ok(Tensor::cat(&parts, 1)?)
}

/// Turns `[tokens, heads, head_dim]` by the angles of each token's position.
fn rotate(x: &Tensor, angles: &Angles) -> Result<Tensor> {
    check(x);
    // One batch entry per token, each with its own angles.
    let angle = |table: &Tensor| table.unsqueeze(1)?.to_dtype(x.dtype());
    let (cos, sin) = (angle(&angles.cos)?, angle(&angles.sin)?);
    Ok(candle_nn::rotary_emb::rope_thd(&x.unsqueeze(1)?, &cos, &sin)?.squeeze(1)?)
}

impl Plain {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check(x);
        // candle's CPU matmul would narrow activations to bf16 or refuse: the weights are widened instead.
        let weight =
            if self.weight.dtype() == x.dtype() { self.weight.clone() } else { self.weight.to_dtype(x.dtype())? };
        let y = x.matmul(&weight.t()?)?;
        match self.shape {
            Shape::Stacked => Ok(y),
            Shape::Gated => Ok(candle_nn::ops::swiglu(&y)?),
        }
    }
}

impl RmsNorm {
    pub(crate) fn open(weights: &Weights, name: &str, width: usize, epsilon: f64, place: &Place) -> Result<Self> {
        let weight = weights.vector(name, width, &Device::Cpu)?;
        let values = weight.to_vec1()?;
        let weight = weight.to_dtype(place.dtype)?.to_device(&place.device)?;
        Ok(Self { weight, values, epsilon: epsilon as f32 })
    }

    /// Any `[.., width]`, same shape out.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check(x);
        Ok(candle_nn::ops::rms_norm(x, &self.weight, self.epsilon)?)
    }

    fn norm(&self) -> Norm<'_> {
        Norm { weight: &self.values, epsilon: self.epsilon }
    }
}

impl Slot {
    /// Values that the buffer holds.
    pub(crate) fn values(&self) -> usize {
        self.0.as_ref().map_or(0, Tensor::elem_count)
    }

    /// `[rows, width]` f32 on the CPU, of unspecified content.
    fn tensor(&mut self, rows: usize, width: usize) -> Result<Tensor> {
        let fits = |buffer: &&Tensor| matches!(buffer.dims(), [most, same] if rows <= *most && width == *same);
        if let Some(buffer) = self.0.as_ref().filter(fits) {
            return Ok(buffer.narrow(0, 0, rows)?);
        }
        let buffer = aligned(rows, width)?;
        self.0 = Some(buffer.clone());
        Ok(buffer)
    }
}

/// `[rows, width]` f32 on the CPU, zero, beginning at a cache line, so that a row's lines are its own.
fn aligned(rows: usize, width: usize) -> Result<Tensor> {
    const LINE: usize = 64;
    let count = rows * width;
    let values = Tensor::zeros(count + LINE / size_of::<f32>(), DType::F32, &Device::Cpu)?;
    let before = cpu(&values.storage_and_layout().0)?.as_slice::<f32>()?.as_ptr().align_offset(LINE);
    Ok(values.narrow(0, before, count)?.reshape((rows, width))?)
}

/// A [`Product`] as candle's operation: writes to `[tokens, outputs]` from `[tokens, inputs]`.
struct Multiply<'m> {
    packed: &'m Packed,
    norm: Option<&'m RmsNorm>,
    finish: Finish,
}

impl InplaceOp2 for Multiply<'_> {
    fn name(&self) -> &'static str {
        "multiply"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> candle_core::Result<()> {
        let (rows, inputs, _) = rows_of(x_layout)?;
        let (out_rows, outputs, stride) = rows_of(out_layout)?;
        if (out_rows, outputs, inputs) != (rows, self.packed.outputs, self.packed.panels.inputs()) {
            candle_core::bail!("multiply: {:?} does not go into {:?}", x_layout.shape(), out_layout.shape());
        }
        let product = Product {
            input: view(x, x_layout)?,
            rows,
            norm: self.norm.map(RmsNorm::norm),
            panels: &self.packed.panels,
            range: self.packed.range.clone(),
            finish: self.finish,
        };
        product.run(view_mut(out, out_layout)?, stride);
        Ok(())
    }
}

/// [`Turn`] as candle's operation.
struct TurnHeads<'t> {
    groups: &'t [Heads<'t>],
    head_dim: usize,
    angles: &'t Angles,
    isa: Isa,
}

impl InplaceOp1 for TurnHeads<'_> {
    fn name(&self) -> &'static str {
        "turn-heads"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let (rows, width, stride) = rows_of(layout)?;
        let (cos, cos_layout) = self.angles.cos.storage_and_layout();
        let (sin, sin_layout) = self.angles.sin.storage_and_layout();
        let groups: Vec<HeadGroup> = self
            .groups
            .iter()
            .map(|heads| HeadGroup { column: heads.column, heads: heads.count, norm: heads.norm.norm() })
            .collect();
        let turn = Turn {
            isa: self.isa,
            groups: &groups,
            head_dim: self.head_dim,
            cos: view(cpu(&cos)?, cos_layout)?.values,
            sin: view(cpu(&sin)?, sin_layout)?.values,
        };
        turn.run(&mut view_mut(x, layout)?[..(rows - 1) * stride + width], stride);
        Ok(())
    }
}

/// The CPU's side of a storage.
pub(crate) fn cpu(storage: &Storage) -> candle_core::Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => candle_core::bail!("the kernels of this crate were handed a tensor of another device"),
    }
}

/// Rows, width and stride between rows.
pub(crate) fn rows_of(layout: &Layout) -> candle_core::Result<(usize, usize, usize)> {
    match (layout.dims(), layout.stride()) {
        ([rows, width], [stride, 1]) if stride >= width => Ok((*rows, *width, *stride)),
        _ => candle_core::bail!("expected rows of values side by side, got {layout:?}"),
    }
}

pub(crate) fn view<'s>(storage: &'s CpuStorage, layout: &Layout) -> candle_core::Result<View<'s>> {
    let (_, _, stride) = rows_of(layout)?;
    Ok(View { values: &storage.as_slice::<f32>()?[layout.start_offset()..], stride })
}

pub(crate) fn view_mut<'s>(storage: &'s mut CpuStorage, layout: &Layout) -> candle_core::Result<&'s mut [f32]> {
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[layout.start_offset()..]),
        other => candle_core::bail!("expected f32, got {:?}", candle_core::backend::BackendStorage::dtype(other)),
    }
}

pub(crate) fn check(x: &Tensor) {
    debug_assert!(x.is_contiguous(), "operand {:?} is not contiguous", x.layout());
    debug_assert!(matches!(x.dtype(), DType::F32 | DType::BF16), "activations are f32 or bf16");
}
