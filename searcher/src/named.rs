//! Objects of a request, which are written by the names of their fields.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

/// What is written by the names of its fields: a list of their values in order would be read as well, and nobody means that.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    struct Named<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields))
        }
    }

    from.deserialize_map(Named(PhantomData))
}

#[cfg(test)]
mod tests {
    use crate::{AskRequest, SearchRequest};

    #[test]
    fn a_list_is_no_object() {
        for (text, is_read) in [
            (r#"{"question": "a", "rerank": {"ms": 1}}"#, true),
            (r#"{"question": "a", "rerank": [null, null]}"#, false),
            (r#"{"question": "a", "filters": [[], [], [], [], null, null]}"#, false),
        ] {
            let read = serde_json::from_str::<AskRequest>(text).map_err(|error| error.to_string());
            assert_eq!(read.is_ok(), is_read, "{text}");
            assert!(read.err().is_none_or(|error| error.contains("expected an object")), "{text}");
            let search = text.replace("question", "query");
            assert_eq!(serde_json::from_str::<SearchRequest>(&search).is_ok(), is_read, "{search}");
        }
    }
}
