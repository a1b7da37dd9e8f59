//! The laboratory: what the models and settings of quarry come from, and how they are measured. Nothing that serves
//! depends on it.
//!
//! [`train`] adapts models to examples, [`synthesis`] and [`mining`] make the examples, [`evaluation`] says how good a
//! search is, [`calibration`] fits how sure it may be, [`answers`] what it says to a question, [`bench`] how fast its parts are.

pub mod answers;
pub mod bench;
pub mod calibration;
mod error;
pub mod evaluation;
pub mod mining;
mod questions;
pub mod synthesis;
pub mod train;

pub use error::{Error, Result};
pub use questions::Questions;
