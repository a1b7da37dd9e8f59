//! The example that a model is trained on: a query, a text that answers it, and texts that do not. One JSON object a
//! line, with the keys that common fine-tuning frameworks use.

use std::{io::Write, path::Path};

use serde::{Deserialize, Deserializer, Serialize};

use super::lines::read_lines;
use crate::error::Result;

/// One training example. Keys that are not named here are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The question.
    pub query: String,
    /// A text that answers it.
    pub response: String,
    /// Texts that do not answer it, hardest first: a list, or one text, or null.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub rejected_response: Vec<String>,
    /// What a teacher says of the response and of each rejected one, in that order, for distillation of lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<String>, D::Error> {
    Ok(match Option::<OneOrMany>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(OneOrMany::One(text)) => vec![text],
        Some(OneOrMany::Many(texts)) => texts,
    })
}

impl Example {
    /// Reads a file of JSON lines; blank lines are passed over.
    ///
    /// # Errors
    /// [`crate::Error::Read`], and [`crate::Error::BadFile`] with the number of a line that is no example: broken JSON, an empty query
    /// or response, scores that are not one for each text or not finite.
    pub fn read_all(path: &Path) -> Result<Vec<Self>> {
        read_lines(path, Self::parse)
    }

    /// Writes one line.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }

    fn parse(line: &str) -> std::result::Result<Self, String> {
        let expected = "expected {\"query\": .., \"response\": .., \"rejected_response\": [..]}";
        let example: Self = serde_json::from_str(line).map_err(|error| format!("{error}; {expected}"))?;
        if example.query.trim().is_empty() || example.response.trim().is_empty() {
            return Err("an empty query or response".to_owned());
        }
        let texts = 1 + example.rejected_response.len();
        if !example.scores.is_empty() && example.scores.len() != texts {
            return Err(format!("{} scores; expected {texts}, the response's first", example.scores.len()));
        }
        if example.scores.iter().any(|score| !score.is_finite()) {
            return Err("a score that is not a number".to_owned());
        }
        Ok(example)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_frameworks_write() {
        let parse = |line: &str| Example::parse(line);
        let full = parse(r#"{"query":"q","response":"r","rejected_response":["a","b"],"label":1}"#).unwrap();
        assert_eq!(full.rejected_response, ["a", "b"]);
        assert_eq!(parse(r#"{"query":"q","response":"r","rejected_response":"a"}"#).unwrap().rejected_response, ["a"]);
        assert!(
            parse(r#"{"query":"q","response":"r","rejected_response":null}"#).unwrap().rejected_response.is_empty()
        );
        assert!(parse(r#"{"query":" ","response":"r"}"#).unwrap_err().contains("empty"));
        assert!(parse(r#"{"query":"q"}"#).unwrap_err().contains("expected {\"query\""));
        let scored = parse(r#"{"query":"q","response":"r","rejected_response":["a"],"scores":[1]}"#);
        assert!(scored.unwrap_err().contains("expected 2"));
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, "{\"query\":\"q\",\"response\":\"r\"}\n\n{\n").unwrap();
        assert!(Example::read_all(&path).unwrap_err().to_string().contains("line 3"));
        let example = Example { query: "q".into(), response: "r".into(), rejected_response: vec![], scores: vec![] };
        let mut out = Vec::new();
        example.write(&mut out).unwrap();
        std::fs::write(&path, out).unwrap();
        assert_eq!(Example::read_all(&path).unwrap(), [example]);
    }
}
