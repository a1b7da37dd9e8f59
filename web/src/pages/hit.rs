//! One document in a list of results: where it stands, what of it answers, and what can be done with it.

use std::ops::Range;

use maud::{Markup, html};
use searcher::{DocumentHit, Expansion, Marked, PassageHit};
use storage::Place;

use super::address::{SearchAddress, encoded, query_string};
use super::blocks::Shape;
use super::icons::{icon, of_kind};
use super::language::Noun;
use super::text::clean;
use super::visit::Visit;
use super::why::{self, Judges, Scale};

/// Characters of a snippet that is folded.
const FURTHER_CHARS: usize = 100;
/// Lines of source code that are shown of a passage.
const CODE_LINES: usize = 4;

/// Headings of a passage that is folded, the innermost ones.
const FURTHER_HEADINGS: usize = 2;

/// A list of documents. Buttons that need scripts are put there by them.
pub(super) fn hits(
    visit: &Visit,
    address: &SearchAddress,
    hits: &[DocumentHit],
    judges: Judges,
    expanded: &[Expansion],
) -> Markup {
    let words = visit.words();
    let scale = Scale::of(hits, judges, expanded);
    html! {
        ol.hits #hits start=(address.offset + 1) data-preview=(words.preview) data-copy=(words.copy_link) {
            @for hit in hits { (row(visit, address, hit, scale)) }
        }
    }
}

fn row(visit: &Visit, address: &SearchAddress, hit: &DocumentHit, scale: Scale<'_>) -> Markup {
    let words = visit.words();
    let Some((first, further)) = hit.passages.split_first() else { return html! {} };
    html! {
        li.hit data-id=(hit.id) {
            (crumbs(address, &hit.source, &hit.path, &headings(hit, first)))
            h2 { a.open href=(document_link(&hit.id, first.number, &address.q)) { (of_kind(&hit.kind)) bdi { (clean(&hit.title)) } } }
            (passage(visit, hit, first))
            p.meta {
                bdi { (clean(file_name(&hit.path))) }
                span { (visit.language.kind(&hit.kind)) }
                span { (location(visit, first)) }
                time datetime=(iso_day(hit.modified)) title=[words.date_from(hit.date_from.as_deref())] { (super::strings::fill(words.changed, &[&visit.language.day(hit.modified)])) }
                @if let Some(language) = &hit.language { span { (visit.language.name_of(language)) } }
            }
            div.actions {
                @if !further.is_empty() {
                    details.more {
                        summary { (icon("down")) (super::strings::fill(words.more_passages, &[&further.len().to_string()])) }
                        ol { @for other in further { li {
                            a href=(document_link(&hit.id, other.number, &address.q)) { (place_in(visit, hit, other)) }
                            (further_snippet(visit, hit, other))
                        } } }
                    }
                }
                @if !hit.copies.is_empty() {
                    details.more {
                        summary { (icon("down")) (super::strings::fill(words.also_in, &[&visit.language.count(hit.copies.len() as u64, Noun::Place)])) }
                        ol { @for copy in &hit.copies { li {
                            a href=(document_link(&copy.id, 0, &address.q)) { bdi { (clean(&copy.source)) "/" (clean(&copy.path)) } }
                            " " time datetime=(iso_day(copy.modified)) { (visit.language.day(copy.modified)) }
                        } } }
                    }
                }
                @if let Some(url) = &hit.url { (origin(visit, url)) }
                a.like href=(similar_link(&hit.id, first.number)) { (icon("similar")) (words.similar) }
                details.why { summary { (icon("why")) (words.why) } (why::explained(visit, hit, first, scale)) }
            }
        }
    }
}

/// The snippet of a passage, marked.
fn passage(visit: &Visit, hit: &DocumentHit, passage: &PassageHit) -> Markup {
    // The language of the page needs not be said again.
    let language = hit.language.as_deref().filter(|language| *language != visit.language.short());
    let (part, marks) = in_passage(passage);
    let shape = Shape { text: &passage.text, blocks: &passage.blocks, marks: &marks };
    if shape.is_code(&part) {
        let lines = some_lines(&passage.text, part, &marks);
        return html! { pre.snippet lang=[language] dir="auto" { code { (shape.marked(lines)) } } };
    }
    let (lead, trail) = left_out(&passage.text, &part);
    html! {
        @if let Some(section) = &passage.section { p.section { bdi { (clean(section)) } } }
        p.snippet.sense[passage.marked == Marked::Sentence] lang=[language] dir="auto" {
            @if lead { "… " }
            (shape.snippet(&part))
            @if trail { " …" }
        }
    }
}

/// A shorter snippet, for a passage that is folded.
fn further_snippet(visit: &Visit, hit: &DocumentHit, other: &PassageHit) -> Markup {
    let (part, marks) = in_passage(other);
    let text = &other.text;
    let first = marks.first().map_or(part.start, |mark| mark.start);
    // From the sentence or line of the first mark on, as far as two lines reach.
    let before = text.get(part.start..first).unwrap_or_default();
    let start = before
        .rfind(['\n', '.', '。'])
        .map_or(0, |at| before[at..].char_indices().nth(1).map_or(before.len(), |(n, _)| at + n));
    let start = part.start + start;
    let rest = text.get(start..part.end).unwrap_or_default();
    let end = rest.char_indices().nth(FURTHER_CHARS).map_or(part.end, |(at, _)| start + at);
    let (_, trail) = left_out(text, &(start..end));
    // The language of the page needs not be said again.
    let language = hit.language.as_deref().filter(|language| *language != visit.language.short());
    let shape = Shape { text, blocks: &other.blocks, marks: &marks };
    html! { p lang=[language] dir="auto" { (shape.snippet(&(start..end))) @if trail { " …" } } }
}

/// The snippet and its marks as bytes of the passage.
fn in_passage(passage: &PassageHit) -> (Range<usize>, Vec<Range<usize>>) {
    let start = passage.snippet_start;
    let marks = passage.highlights.iter().map(|mark| start + mark.start..start + mark.end).collect();
    (start..start + passage.snippet.len(), marks)
}

/// Whether there is text before a part, and behind it.
fn left_out(text: &str, part: &Range<usize>) -> (bool, bool) {
    let says = |text: Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
    (says(text.get(..part.start)), says(text.get(part.end..)))
}

/// A few lines of code around the first mark in a part.
fn some_lines(text: &str, part: Range<usize>, marks: &[Range<usize>]) -> Range<usize> {
    let first = marks.first().map_or(part.start, |mark| mark.start);
    let before = text.get(part.start..first).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |newline| before[..newline].rfind('\n').map_or(0, |newline| newline + 1));
    let start = part.start + start;
    let rest = text.get(start..part.end).unwrap_or_default();
    let end = rest.match_indices('\n').nth(CODE_LINES - 1).map_or(part.end, |(at, _)| start + at);
    start..end
}

/// The link to a document in the system that it comes from.
pub(super) fn origin(visit: &Visit, url: &str) -> Markup {
    html! { a.origin href=(url) rel="noreferrer" { (icon("link")) (visit.words().open_origin) } }
}

/// Source, folders and headings above a passage. Folders lead to the same search within them.
pub(super) fn crumbs(address: &SearchAddress, source: &str, path: &str, headings: &[&str]) -> Markup {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let folders = folders.match_indices('/').map(|(slash, _)| slash).chain([folders.len()]).map(|end| &folders[..end]);
    html! {
        p.crumbs {
            bdi { (clean(source)) }
            @for folder in folders.filter(|folder| !folder.is_empty()) { " " bdi { (within(address, folder)) } }
            @for part in headings { " " bdi { (clean(part)) } }
        }
    }
}

/// A folder as the link to the search within it; its name alone where nothing is searched for.
fn within(address: &SearchAddress, folder: &str) -> Markup {
    let name = clean(file_name(folder));
    if address.q.is_empty() {
        return html! { (name) };
    }
    let inside = SearchAddress { path: vec![format!("{folder}/")], ..address.at(0) };
    html! { a href=(inside.link()) { (name) } }
}

/// The headings of a passage below the title.
fn headings<'a>(hit: &DocumentHit, passage: &'a PassageHit) -> Vec<&'a str> {
    let headings = passage.headings.iter().map(String::as_str);
    headings.filter(|heading| *heading != hit.title && *heading != file_name(&hit.path)).collect()
}

fn place_in(visit: &Visit, hit: &DocumentHit, passage: &PassageHit) -> Markup {
    let headings = headings(hit, passage);
    let inner = &headings[headings.len().saturating_sub(FURTHER_HEADINGS)..];
    html! { @if inner.is_empty() { (location(visit, passage)) } @else { bdi { (clean(&inner.join(" › "))) } } }
}

/// Page, slide, cells, mail or lines of a passage.
fn location(visit: &Visit, passage: &PassageHit) -> String {
    let words = visit.words();
    match &passage.place {
        Some(Place::Page(page)) => super::strings::fill(words.page, &[&page.to_string()]),
        Some(Place::Slide(slide)) => super::strings::fill(words.slide, &[&slide.to_string()]),
        Some(Place::Mail) => words.mail.to_string(),
        Some(sheet @ Place::Sheet { .. }) => clean(&sheet.to_string()).into_owned(),
        None => super::strings::fill(words.lines, &[&lines(&passage.lines)]),
    }
}

/// "12–21"; the end of the range is excluded.
pub(super) fn lines(lines: &Range<u32>) -> String {
    let last = lines.end.saturating_sub(1).max(lines.start);
    if last == lines.start { last.to_string() } else { format!("{}–{last}", lines.start) }
}

pub(super) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The address of a passage, with the query whose words are marked there.
pub(super) fn document_link(id: &str, passage: u32, query: &str) -> String {
    let number = passage.to_string();
    let mut pairs = vec![("passage", number.as_str())];
    if !query.is_empty() {
        pairs.push(("q", query));
    }
    format!("/document/{}?{}#passage-{passage}", encoded(id), query_string(&pairs))
}

pub(super) fn similar_link(id: &str, passage: u32) -> String {
    format!("/document/{}/similar?passage={passage}", encoded(id))
}

/// The day of a second of Unix time, for machines.
fn iso_day(second: i64) -> String {
    iso(second).split('T').next().unwrap_or_default().to_string()
}

/// A second of Unix time as a date for machines.
pub(super) fn iso(second: i64) -> String {
    jiff::Timestamp::from_second(second).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_as_people_count() {
        assert_eq!((lines(&(12..22)), lines(&(5..6)), lines(&(5..5))), ("12–21".into(), "5".into(), "5".into()));
        assert_eq!(file_name("a/b/c.md"), "c.md");
        assert_eq!(document_link("0f", 3, "a&b"), "/document/0f?passage=3&q=a%26b#passage-3");
    }

    #[test]
    fn code_is_shown_around_its_first_mark() {
        let text = "one\ntwo\nthree\nfour\nfive\nsix\nseven";
        let start = text.find("four").unwrap();
        let mark = start..start + 4;
        let whole = 0..text.len();
        assert_eq!(&text[some_lines(text, whole.clone(), std::slice::from_ref(&mark))], "three\nfour\nfive\nsix");
        assert_eq!(&text[some_lines(text, whole, &[])], "one\ntwo\nthree\nfour");
        assert_eq!(&text[some_lines(text, 4..13, &[])], "two\nthree");
    }

    #[test]
    fn names_of_files_are_never_markup() {
        for address in [SearchAddress::default(), SearchAddress::of_query("\"><script>")] {
            let shown = crumbs(&address, "<b>", "x\"><img src=x onerror=alert(1)>/a.md", &["</p><script>"]).0;
            assert!(!shown.contains("<img") && !shown.contains("<script") && !shown.contains("<b>"), "{shown}");
        }
    }

    #[test]
    fn crumbs_lead_to_the_search_within() {
        let address = SearchAddress { offset: 20, ..SearchAddress::of_query("leave") };
        let shown = crumbs(&address, "wiki", "hr/time off/a.md", &["Days"]).0;
        for link in [
            "<bdi>wiki</bdi>",
            "href=\"/search?q=leave&amp;path=hr%2F\">hr",
            "href=\"/search?q=leave&amp;path=hr%2Ftime+off%2F\">time off",
        ] {
            assert!(shown.contains(link), "{link}: {shown}");
        }
        assert!(shown.contains("<bdi>Days</bdi>"), "{shown}");
        assert!(!crumbs(&SearchAddress::default(), "wiki", "hr/a.md", &[]).0.contains("href"));
    }
}
