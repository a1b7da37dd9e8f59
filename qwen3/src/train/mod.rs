//! Training: examples in, an adapted model out.

mod example;

pub use example::Example;
