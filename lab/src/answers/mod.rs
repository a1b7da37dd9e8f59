//! Answers: fits and measures which sentence answers a question, and whether it can be trusted to ([`searcher::AnswerLines`]), on
//! questions whose answers are known word by word and on the same without their documents.

mod cases;
mod fit;
mod text;

pub use cases::{AnswerCase, CaseKind};
pub use fit::{AnswerFold, AnswerGoal, Judged, answer_folds, fit_answers};
pub use text::{agree, flat};
