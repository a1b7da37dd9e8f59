//! The address of a search: what stands behind `/search?`, read and written. Unknown parameters are ignored, as links to
//! pages gather them on their way through mail programs; the API is strict instead.

use searcher::{FacetScope, Filters, Marking, RerankBudget, SearchRequest, Sort};
use serde::Deserialize;

/// Results on one page.
pub(super) const PAGE: usize = 10;

/// A field whose values can be chosen on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Source,
    Kind,
    Language,
}

impl Field {
    pub(super) const ALL: [Self; 3] = [Self::Source, Self::Kind, Self::Language];

    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Kind => "type",
            Self::Language => "lang",
        }
    }
}

/// The parameters of a search page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct SearchAddress {
    pub(super) q: String,
    pub(super) source: Vec<String>,
    #[serde(rename = "type")]
    pub(super) kind: Vec<String>,
    pub(super) lang: Vec<String>,
    pub(super) path: Vec<String>,
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
    /// As in a request; what is not known there is the order by relevance.
    pub(super) sort: Option<String>,
    pub(super) offset: usize,
    /// Present where the visitor waits for the reranker: without scripts.
    pub(super) close: Option<String>,
    /// The question before this one, where somebody asks further.
    pub(super) follows: Option<String>,
    /// `false` where what was typed is to be searched for as it stands.
    pub(super) correct: Option<String>,
}

impl SearchAddress {
    pub(super) fn of_query(query: &str) -> Self {
        Self { q: query.to_string(), ..Self::default() }
    }

    pub(super) fn values(&self, field: Field) -> &Vec<String> {
        match field {
            Field::Source => &self.source,
            Field::Kind => &self.kind,
            Field::Language => &self.lang,
        }
    }

    fn values_mut(&mut self, field: Field) -> &mut Vec<String> {
        match field {
            Field::Source => &mut self.source,
            Field::Kind => &mut self.kind,
            Field::Language => &mut self.lang,
        }
    }

    /// The same search with a value added, or taken away where it is chosen already; from the first page.
    pub(super) fn toggled(&self, field: Field, value: &str) -> Self {
        let mut other = self.first_page();
        let values = other.values_mut(field);
        match values.iter().position(|known| known == value) {
            Some(at) => drop(values.remove(at)),
            None => values.push(value.to_string()),
        }
        other
    }

    /// The same search with any value of a field.
    pub(super) fn without(&self, field: Field) -> Self {
        let mut other = self.first_page();
        other.values_mut(field).clear();
        other
    }

    /// The order of the results.
    pub(super) fn order(&self) -> Sort {
        match self.sort.as_deref() {
            Some("date") => Sort::Date,
            Some("oldest") => Sort::Oldest,
            _ => Sort::Relevance,
        }
    }

    /// The same search in another order.
    pub(super) fn sorted(&self, order: Sort) -> Self {
        let sort = match order {
            Sort::Relevance => None,
            Sort::Date => Some("date"),
            Sort::Oldest => Some("oldest"),
        };
        Self { sort: sort.map(str::to_string), ..self.first_page() }
    }

    pub(super) fn dated(&self, after: Option<String>, before: Option<String>) -> Self {
        Self { after, before, ..self.first_page() }
    }

    pub(super) fn is_dated(&self) -> bool {
        self.after.is_some() || self.before.is_some()
    }

    /// Whether anything is filtered.
    pub(super) fn is_filtered(&self) -> bool {
        self.is_dated() || !self.path.is_empty() || Field::ALL.iter().any(|field| !self.values(*field).is_empty())
    }

    /// What is asked for, in words: the query, or the filters where there is none.
    pub(super) fn asked(&self) -> String {
        if !self.q.trim().is_empty() {
            return self.q.trim().to_string();
        }
        self.filter_pairs().iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join(" ")
    }

    /// Another query with the same filters.
    pub(super) fn asking(&self, query: &str) -> Self {
        Self { q: query.to_string(), correct: None, ..self.first_page() }
    }

    /// The same query, searched for as it was typed.
    pub(super) fn as_typed(&self) -> Self {
        Self { correct: Some("false".to_string()), ..self.first_page() }
    }

    pub(super) fn at(&self, offset: usize) -> Self {
        Self { offset, ..self.clone() }
    }

    fn first_page(&self) -> Self {
        Self { offset: 0, close: None, ..self.clone() }
    }

    pub(super) fn filters(&self) -> Filters {
        // An empty value is what a form sends for nothing.
        let some = |values: &[String]| values.iter().filter(|value| !value.is_empty()).cloned().collect();
        Filters {
            source: some(&self.source),
            path: some(&self.path),
            kind: some(&self.kind),
            lang: some(&self.lang),
            after: self.after.clone().filter(|date| !date.is_empty()),
            before: self.before.clone().filter(|date| !date.is_empty()),
        }
    }

    /// The search that this page shows to who reads this language. The order of recall is there at once; who has scripts sees the reranker at work, who
    /// has none may ask for it.
    pub(super) fn request(&self, reader: &str) -> SearchRequest {
        SearchRequest {
            prefer_lang: vec![reader.to_owned()],
            query: self.q.clone(),
            filters: self.filters(),
            facets: true,
            facet_scope: FacetScope::Open,
            top: PAGE,
            offset: self.offset,
            sort: self.order(),
            rerank: if self.close.is_some() { RerankBudget::default() } else { RerankBudget::OFF },
            mark: Marking::Sentences,
            correct: self.correct.as_deref() != Some("false"),
            ..SearchRequest::default()
        }
    }

    /// Names and values of everything but the query and the page.
    pub(super) fn filter_pairs(&self) -> Vec<(&'static str, &str)> {
        let mut pairs = Vec::new();
        for field in Field::ALL {
            pairs.extend(self.values(field).iter().map(|value| (field.parameter(), value.as_str())));
        }
        pairs.extend(self.path.iter().map(|value| ("path", value.as_str())));
        pairs.extend(self.after.iter().map(|value| ("after", value.as_str())));
        pairs.extend(self.before.iter().map(|value| ("before", value.as_str())));
        pairs
    }

    /// Path and query of this search on the page.
    pub(super) fn link(&self) -> String {
        format!("/search?{}", self.query_string())
    }

    /// What stands behind the question mark.
    pub(super) fn query_string(&self) -> String {
        let offset = self.offset.to_string();
        let mut pairs = vec![("q", self.q.as_str())];
        pairs.extend(self.filter_pairs());
        pairs.extend(self.sort.iter().map(|sort| ("sort", sort.as_str())));
        if self.offset > 0 {
            pairs.push(("offset", &offset));
        }
        if let Some(close) = &self.close {
            pairs.push(("close", close));
        }
        if let Some(correct) = &self.correct {
            pairs.push(("correct", correct));
        }
        query_string(&pairs)
    }
}

/// Parameters as they stand in an address.
pub(super) fn query_string(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Percent-encoded, but what RFC 3986 calls unreserved; a blank as `+`.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_being_written_and_read() {
        let address = SearchAddress {
            q: "a b&c=d #1 \"年假\"".to_string(),
            source: vec!["hand book".to_string(), "x".to_string()],
            kind: vec!["markdown".to_string()],
            after: Some("2026-01".to_string()),
            sort: Some("date".to_string()),
            offset: 20,
            correct: Some("false".to_string()),
            ..SearchAddress::default()
        };
        let read: SearchAddress = serde_html_form::from_str(&address.query_string()).unwrap();
        assert_eq!(read, address);
        let more: SearchAddress = serde_html_form::from_str("q=a&utm_source=mail").unwrap();
        assert_eq!(more.q, "a");
    }

    #[test]
    fn choosing_twice_is_choosing_not() {
        let address = SearchAddress { offset: 30, ..SearchAddress::of_query("a") };
        let chosen = address.toggled(Field::Kind, "html");
        assert_eq!((chosen.kind.len(), chosen.offset), (1, 0));
        assert!(chosen.is_filtered() && !chosen.toggled(Field::Kind, "html").is_filtered());
    }
}
