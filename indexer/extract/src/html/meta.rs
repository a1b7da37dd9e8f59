//! Metadata of an HTML page, as it says of itself: its encoding (before it is decoded), and title, author, dates,
//! description and language (from its head).

use std::collections::BTreeMap;

use ego_tree::iter::Edge;
use encoding_rs::Encoding;
use scraper::{Html, Node};

/// Bytes in which the encoding is looked for: the standard says 1024, pages are late at times.
const PRESCAN: usize = 4096;

/// Meta tags that are kept, by name or property, and the field each becomes. Earlier lines win.
const FIELDS: &[(&str, &str)] = &[
    ("author", "author"),
    ("article:author", "author"),
    ("dc.creator", "author"),
    ("article:modified_time", "date"),
    ("og:updated_time", "date"),
    ("datemodified", "date"),
    ("dcterms.modified", "date"),
    ("dc.date.modified", "date"),
    ("last-modified", "date"),
    ("article:published_time", "date"),
    ("datepublished", "date"),
    ("dcterms.date", "date"),
    ("dcterms.issued", "date"),
    ("dcterms.created", "date"),
    ("dc.date", "date"),
    ("dc.date.issued", "date"),
    ("pubdate", "date"),
    ("date", "date"),
    ("description", "description"),
    ("og:description", "description"),
    ("keywords", "keywords"),
];

/// Title and metadata of a page.
#[derive(Debug, Default)]
pub(crate) struct Meta {
    pub(crate) title: Option<String>,
    pub(crate) fields: BTreeMap<String, String>,
}

/// The encoding that `<meta charset>` or its older form declares.
pub(crate) fn declared_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes[..bytes.len().min(PRESCAN)].to_ascii_lowercase();
    let at = head.windows(8).position(|window| window == b"charset=")? + 8;
    let label = head[at..].trim_ascii_start();
    let label = label.strip_prefix(b"\"").or_else(|| label.strip_prefix(b"'")).unwrap_or(label);
    let end = label.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"-_:.".contains(byte)))?;
    // A page that can be read as bytes is not UTF-16, whatever it says.
    Encoding::for_label(&label[..end]).filter(|encoding| encoding.is_ascii_compatible())
}

/// Reads the head.
pub(crate) fn meta(page: &Html) -> Meta {
    let mut found: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    let mut meta = Meta::default();
    let mut in_title = false;
    for edge in page.tree.root().traverse() {
        match edge {
            Edge::Open(node) => match node.value() {
                Node::Element(element) => match element.name() {
                    "title" => in_title = meta.title.is_none(),
                    "html" => {
                        let language = element.attr("lang").map(str::trim).filter(|language| !language.is_empty());
                        meta.fields.extend(language.map(|language| ("lang".to_owned(), language.to_owned())));
                    }
                    "link" if !meta.fields.contains_key("url") => {
                        let is_own = element.attr("rel").is_some_and(|rel| rel.eq_ignore_ascii_case("canonical"));
                        let url = element.attr("href").map(str::trim).filter(|url| is_own && is_of_web(url));
                        meta.fields.extend(url.map(|url| ("url".to_owned(), url.to_owned())));
                    }
                    "meta" => {
                        let names = ["name", "property", "itemprop", "http-equiv"];
                        let name = names.iter().find_map(|name| element.attr(name)).unwrap_or_default();
                        let content = element.attr("content").map(str::trim).unwrap_or_default();
                        let rank = FIELDS.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
                        if let Some(rank) = rank.filter(|_| !content.is_empty()) {
                            let best = found.entry(FIELDS[rank].1).or_insert((usize::MAX, String::new()));
                            if rank < best.0 {
                                *best = (rank, content.to_owned());
                            }
                        }
                    }
                    _ => {}
                },
                Node::Text(text) if in_title => meta.title.get_or_insert_default().push_str(text),
                _ => {}
            },
            // Titles behind the head are those of drawings.
            Edge::Close(node) => match node.value().as_element().map(|element| element.name()) {
                Some("title") => in_title = false,
                Some("head") => break,
                _ => {}
            },
        }
    }
    meta.title = meta.title.map(|title| title.split_whitespace().collect::<Vec<_>>().join(" "));
    meta.fields.extend(found.into_iter().map(|(field, (_, content))| (field.to_owned(), content)));
    if !meta.fields.contains_key("date") {
        meta.fields.extend(time_of(page).map(|date| ("date".to_owned(), date)));
    }
    meta
}

/// Whether an address leads to the Web by itself: what is relative leads nowhere from an index.
fn is_of_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// The first `<time>` that dates the page itself: marked as such, or at the head of it or of its article.
fn time_of(page: &Html) -> Option<String> {
    let dates = |node: ego_tree::NodeRef<'_, Node>| {
        let element = node.value().as_element().filter(|element| element.name() == "time")?;
        let date = element.attr("datetime").map(str::trim).filter(|date| !date.is_empty())?;
        let says = |attribute: &str, names: &[&str]| {
            let value = element.attr(attribute).unwrap_or_default().to_ascii_lowercase();
            names.iter().any(|name| value.contains(name))
        };
        let is_marked = element.attr("pubdate").is_some()
            || says("itemprop", &["datepublished", "datemodified"])
            || says("class", &["publish", "updated", "modified", "entry-date"]);
        let mut above = node.ancestors().filter_map(|node| Some(node.value().as_element()?.name()));
        (is_marked || above.any(|name| name == "header")).then(|| date.to_owned())
    };
    page.tree.root().descendants().find_map(dates)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{GBK, UTF_8};

    use super::*;

    #[test]
    fn encodings_are_declared_in_two_ways() {
        assert_eq!(declared_encoding(b"<html><meta charset=\"gb2312\">"), Some(GBK));
        let old = b"<META HTTP-EQUIV='Content-Type' CONTENT='text/html; charset=UTF-8'>";
        assert_eq!(declared_encoding(old), Some(UTF_8));
        assert_eq!(declared_encoding(b"<meta charset=utf-16>"), None);
        assert_eq!(declared_encoding(b"<p>none"), None);
    }

    #[test]
    fn the_head_is_read() {
        let page = "<html lang=de><head><title> A \n title</title><meta name=Author content=Ana>\
                    <meta name=date content=2020><meta property='article:modified_time' content=2024></head>\
                    <body><svg><title>icon</title></svg>";
        let meta = meta(&Html::parse_document(page));
        assert_eq!(meta.title.as_deref(), Some("A title"));
        let fields: Vec<_> = meta.fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("author", "Ana"), ("date", "2024"), ("lang", "de")]);
    }

    #[test]
    fn a_page_says_where_it_is() {
        let url = |head: &str| meta(&Html::parse_document(head)).fields.get("url").cloned();
        let page = "https://x.example/a";
        assert_eq!(url("<link rel=canonical href='https://x.example/a'>").as_deref(), Some(page));
        assert_eq!(
            url("<link rel=stylesheet href='https://x.example/s'><link rel=Canonical href=' https://x.example/a '>")
                .as_deref(),
            Some(page)
        );
        assert_eq!(url("<link rel=canonical href='/a'><link rel=alternate href='https://x.example/b'>"), None);
        assert_eq!(url("<link rel=canonical href='javascript:x'>"), None);
    }

    #[test]
    fn dates_are_found_in_every_way_that_pages_state_them() {
        for (page, date) in [
            ("<meta name='dcterms.date' content='2024-05-03'>", Some("2024-05-03")),
            (
                "<meta http-equiv='Last-Modified' content='Fri, 3 May 2024 10:20:30 GMT'>",
                Some("Fri, 3 May 2024 10:20:30 GMT"),
            ),
            ("<meta itemprop=datePublished content=2024-05-03>", Some("2024-05-03")),
            ("<body><article><header><time datetime=2024-05-03>3 May</time></header></article>", Some("2024-05-03")),
            ("<body><p><time class='post-updated' datetime=2024-05-03>3 May</time>", Some("2024-05-03")),
            ("<body><p>The meeting is on <time datetime=2024-05-03>3 May</time>", None),
        ] {
            let meta = meta(&Html::parse_document(page));
            assert_eq!(meta.fields.get("date").map(String::as_str), date, "{page}");
        }
    }
}
