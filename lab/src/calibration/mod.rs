//! Calibration: fits and measures the probability that something in an index answers a query
//! ([`searcher::Calibration`]), on judged questions and on questions that nothing answers.

mod cases;
mod fit;
pub(crate) mod logistic;
mod nonsense;
mod reliability;

pub use cases::{Case, Kind};
pub use fit::{Calibrated, Fold, calibrate, folds};
pub use reliability::{Bin, auc, bins, share_below};
