//! A small model out of a large one: every token gets a vector, a text's vector is the mean of its tokens', and the
//! vectors are learned so that texts come out as the teacher has them. As fast as a model can be, and blind to the order
//! of words. What was learned is written as a Qwen3 model of one layer, so that everything that runs Qwen3 runs it.

mod bag;
mod compile;
mod extend;
mod known;
mod projection;
mod table;

pub use compile::{TableShape, write_table};
pub use extend::{Bilingual, ExtendTask};
pub use known::TableModel;
pub use projection::Projection;
pub use table::{DistillOptions, DistillTask, Frequencies, TaughtPair, capped, first_table, with_words};
