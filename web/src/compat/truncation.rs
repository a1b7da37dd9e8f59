//! The truncation of texts that are longer than a model reads: whether, and at which end, in the words of all APIs.

use qwen3::Overlong;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::Error;

/// Whether a text that is too long is cut: `true` or `false`, or in Cohere's words `END`, `START` or `NONE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(untagged, expecting = "truncate: expected true, false, \"END\", \"START\" or \"NONE\"")]
pub(crate) enum Truncate {
    /// Whether it is cut.
    Flag(bool),
    /// What is cut of it.
    Word(Cut),
}

/// What is cut of a text that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Cut {
    /// Its end.
    End,
    /// Its beginning.
    Start,
    /// Nothing: it is refused.
    None,
}

/// The end at which a text that is too long is cut, as text-embeddings-inference calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub(crate) enum Direction {
    /// Its beginning is cut off.
    #[serde(alias = "left")]
    Left,
    /// Its end is cut off.
    #[serde(alias = "right")]
    Right,
}

/// What becomes of a text that is too long. Where nothing is said, its end is cut off.
///
/// # Errors
/// Both parameters contradict each other.
pub(super) fn overlong(truncate: Option<Truncate>, direction: Option<Direction>) -> Result<Overlong, Error> {
    let contradiction =
        |word: &str| Err(Error::bad(format!("truncation_direction: expected what truncate says, which is {word:?}")));
    match (truncate, direction) {
        (Some(Truncate::Flag(false) | Truncate::Word(Cut::None)), _) => Ok(Overlong::Refuse),
        (Some(Truncate::Word(Cut::Start)), Some(Direction::Right)) => contradiction("START"),
        (Some(Truncate::Word(Cut::End)), Some(Direction::Left)) => contradiction("END"),
        (Some(Truncate::Word(Cut::Start)), _) | (_, Some(Direction::Left)) => Ok(Overlong::CutStart),
        _ => Ok(Overlong::CutEnd),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn read(truncate: Value, direction: Value) -> Result<Overlong, String> {
        let truncate = from_value(truncate).map_err(|error| error.to_string())?;
        let direction = from_value(direction).map_err(|error| error.to_string())?;
        overlong(truncate, direction).map_err(|error| error.to_string())
    }

    #[test]
    fn all_words_for_it_are_understood() {
        for (truncate, direction, expected) in [
            (json!(null), json!(null), Overlong::CutEnd),
            (json!(true), json!("Right"), Overlong::CutEnd),
            (json!("END"), json!(null), Overlong::CutEnd),
            (json!(null), json!("Left"), Overlong::CutStart),
            (json!(true), json!("left"), Overlong::CutStart),
            (json!("START"), json!("Left"), Overlong::CutStart),
            (json!(false), json!("Left"), Overlong::Refuse),
            (json!("NONE"), json!(null), Overlong::Refuse),
        ] {
            assert_eq!(read(truncate.clone(), direction.clone()), Ok(expected), "{truncate} {direction}");
        }
        for (truncate, direction) in [("START", "Right"), ("END", "Left"), ("MIDDLE", "Left"), ("END", "Up")] {
            assert!(read(json!(truncate), json!(direction)).is_err(), "{truncate} {direction}");
        }
    }
}
