//! The cursor: where a walk from page to page stands, so that a commit between two pages does not disturb it.
//!
//! It holds the documents that were shown, five bytes of the id of each, and a hash of the question. The page behind it is the
//! best that was not shown yet, in the order of whatever commit is then searched: no document comes twice, and none that
//! stays in the index is passed over, however the order shifts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::request::{FacetScope, Marking, RequestError, RerankBudget, SearchRequest};

/// The shape of what is encoded.
const VERSION: u8 = 1;
/// Bytes of the hash of the question.
const QUESTION: usize = 8;
/// Bytes of each document that was shown.
const SHOWN: usize = 5;

/// A place in the list of results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    question: [u8; QUESTION],
    /// Keys of the documents that were shown, in their order.
    pub(crate) shown: Vec<u64>,
}

/// The key of a document, given the 64 bits that stand for it.
pub(crate) fn key(group: u64) -> u64 {
    group & ((1 << (8 * SHOWN)) - 1)
}

impl Cursor {
    /// The cursor that a request goes on from, if there is any.
    ///
    /// # Errors
    /// It cannot be read, belongs to another question, or stands beside an offset.
    pub(crate) fn of(request: &SearchRequest) -> Result<Option<Self>, RequestError> {
        let Some(text) = &request.cursor else { return Ok(None) };
        if request.offset > 0 {
            return Err(RequestError::CursorWithOffset);
        }
        let cursor = Self::read(text).ok_or(RequestError::CursorUnreadable)?;
        if cursor.question != question(request) {
            return Err(RequestError::CursorOfAnother);
        }
        Ok(Some(cursor))
    }

    /// The cursor behind these documents.
    pub(crate) fn behind(request: &SearchRequest, shown: Vec<u64>) -> Self {
        Self { question: question(request), shown }
    }

    pub(crate) fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.question);
        for key in &self.shown {
            bytes.extend_from_slice(&key.to_le_bytes()[..SHOWN]);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (question, shown) = rest.split_first_chunk::<QUESTION>()?;
        if *version != VERSION || shown.len() % SHOWN != 0 {
            return None;
        }
        let key = |bytes: &[u8]| bytes.iter().rev().fold(0, |key, byte| key << 8 | u64::from(*byte));
        Some(Self { question: *question, shown: shown.chunks(SHOWN).map(key).collect() })
    }
}

/// A hash of what decides which results there are, and in which order.
fn question(request: &SearchRequest) -> [u8; QUESTION] {
    let asked = SearchRequest {
        facets: false,
        facet_scope: FacetScope::default(),
        top: 1,
        offset: 0,
        cursor: None,
        mark: Marking::default(),
        rerank: RerankBudget::default(),
        explain: false,
        ..request.clone()
    };
    let text = serde_json::to_string(&asked).unwrap_or_default();
    let mut question = [0; QUESTION];
    question.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..QUESTION]);
    question
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_only_for_its_question() {
        let asked = SearchRequest { query: "leave".into(), ..SearchRequest::default() };
        let cursor = Cursor::behind(&asked, vec![key(u64::MAX), 0, key(0x0102_0304_0506_0708)]);
        let next =
            SearchRequest { cursor: Some(cursor.encode()), top: 3, facets: true, explain: true, ..asked.clone() };
        assert_eq!(Cursor::of(&next), Ok(Some(cursor)));
        assert_eq!(Cursor::of(&asked), Ok(None));
        let other = SearchRequest { query: "leaves".into(), ..next.clone() };
        assert_eq!(Cursor::of(&other), Err(RequestError::CursorOfAnother));
        let beside = SearchRequest { offset: 1, ..next.clone() };
        assert_eq!(Cursor::of(&beside), Err(RequestError::CursorWithOffset));
        for text in ["", "x", "AQ", "Ag\u{e9}", &next.cursor.clone().unwrap_or_default()[1..]] {
            let broken = SearchRequest { cursor: Some(text.into()), ..asked.clone() };
            assert_eq!(Cursor::of(&broken), Err(RequestError::CursorUnreadable), "{text:?}");
        }
    }
}
