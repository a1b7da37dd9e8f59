//! Addresses of pages: one form for each, the name of its file, and those that lead nowhere but on.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use url::Url;

/// Bytes of a path and of a query: longer ones are made by links that grow.
const MAX_PATH: usize = 1_000;
const MAX_QUERY: usize = 500;
/// How often one part of a path may come: more often is a link that goes round.
const MAX_ALIKE: usize = 3;

/// The address without what makes no other page of it.
pub(super) fn plain(mut url: Url) -> Url {
    url.set_fragment(None);
    if url.query() == Some("") {
        url.set_query(None);
    }
    url
}

/// Whether it looks like one of endlessly many.
pub(super) fn is_trap(url: &Url) -> bool {
    if url.path().len() > MAX_PATH || url.query().is_some_and(|query| query.len() > MAX_QUERY) {
        return true;
    }
    let mut alike: HashMap<&str, usize> = HashMap::new();
    let parts = url.path().split('/').filter(|part| !part.is_empty());
    parts.into_iter().any(|part| {
        let count = alike.entry(part).or_default();
        *count += 1;
        *count > MAX_ALIKE
    })
}

/// What the last part of its path says of the format.
pub(super) fn file_name(url: &Url) -> String {
    let last = url.path().rsplit('/').next().unwrap_or_default();
    decoded(last)
}

/// The name of its file: the path as people read it, what the query says before the ending, and an ending where one is given.
pub(super) fn name(url: &Url, ending: Option<&str>) -> String {
    let mut parts: Vec<String> = url.path().split('/').skip(1).map(decoded).collect();
    let last = parts.pop().filter(|last| !last.is_empty()).unwrap_or_else(|| "index".to_owned());
    let (stem, own) = match last.rsplit_once('.') {
        // With an ending to come, what looks like one is part of the name.
        Some((stem, own)) if ending.is_none() && !stem.is_empty() => (stem.to_owned(), Some(own.to_owned())),
        _ => (last, None),
    };
    let query = url.query().map(|query| format!("@{}", decoded(query))).unwrap_or_default();
    let ending = own.or_else(|| ending.map(str::to_owned)).map(|ending| format!(".{ending}")).unwrap_or_default();
    parts.push(format!("{stem}{query}{ending}"));
    parts.join("/")
}

/// A part as people read it; a slash in it divides nothing.
fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn files_are_called_like_their_pages() {
        for (address, ending, expected) in [
            ("https://a.example/", Some("html"), "index.html"),
            ("https://a.example/docs/", Some("html"), "docs/index.html"),
            ("https://a.example/docs/leave", Some("html"), "docs/leave.html"),
            ("https://a.example/docs/leave.html", None, "docs/leave.html"),
            ("https://a.example/v1.2", Some("html"), "v1.2.html"),
            ("https://a.example/page.html?id=3", None, "page@id=3.html"),
            ("https://a.example/page?id=3&a=b/c", Some("html"), "page@id=3&a=b_c.html"),
            ("https://a.example/%C3%BCber%20uns", Some("html"), "über uns.html"),
            ("https://a.example/a%2Fb", Some("html"), "a_b.html"),
            ("https://a.example/a/..%2f..%2fetc", None, "a/.._.._etc"),
        ] {
            assert_eq!(name(&url(address), ending), expected, "{address}");
        }
        assert_eq!(plain(url("https://a.example/b?#c")).as_str(), "https://a.example/b");
    }

    #[test]
    fn links_that_go_round_are_told() {
        for trap in [
            "https://a.example/x/y/x/y/x/y/x/y/".to_owned(),
            format!("https://a.example/{}", "a".repeat(2_000)),
            format!("https://a.example/?q={}", "a".repeat(2_000)),
        ] {
            assert!(is_trap(&url(&trap)), "{trap}");
        }
        assert!(!is_trap(&url("https://a.example/2024/05/05/report?page=2")));
    }
}
