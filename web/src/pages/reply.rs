//! The answer above the results, where a question was asked and sentences of the documents, or of a writer, answer it: each with
//! the numbers of its sources, which lead to the passage with its words marked.

use maud::{Markup, html};
use searcher::{Citation, CitedSentence, EXTRACTIVE, Reply, ReplyNote};
use storage::Place;

use super::address::{SearchAddress, encoded, query_string};
use super::assets;
use super::icons::icon;
use super::strings::{Strings, fill};
use super::text::clean;
use super::visit::Visit;

/// The place of an answer: what the documents say, if they do, and where a writer writes, the address of what it says.
pub(super) fn shown(visit: &Visit, address: &SearchAddress, reply: Option<&Reply>, writes: Option<&str>) -> Markup {
    let words = visit.words();
    html! {
        link rel="stylesheet" href=(assets::address("reply.css"));
        @match writes {
            Some(query) => div data-write=(query) {
                p.meta.js role="status" { (words.writing) }
                div.reply.js {}
                @if let Some(reply) = reply { (replied(visit, address, reply)) }
            },
            None => @if let Some(reply) = reply { (replied(visit, address, reply)) },
        }
    }
}

/// The answer, the passages that it quotes, and a field for the next question.
pub(super) fn replied(visit: &Visit, address: &SearchAddress, reply: &Reply) -> Markup {
    let words = visit.words();
    html! {
        section.reply aria-labelledby="reply" {
            h2 #reply { @if is_written(reply) { (fill(words.written, &[&clean(&reply.writer)])) } @else { (words.reply) } }
            @for note in &reply.notes { (noted(words, *note)) }
            @for sentence in &reply.sentences { (said(address, reply, sentence)) }
            @if !reply.struck.is_empty() {
                details { summary.meta { (fill(words.struck, &[&reply.struck.len().to_string()])) }
                    @for struck in &reply.struck { p { s { (clean(&struck.text)) } } }
                }
            }
            ol { @for citation in &reply.citations { li value=(citation.number) { (source(visit, address, citation)) } } }
            div.actions {
                button.js.copy type="button" data-text=(plain(words, reply)) { (icon("doc")) span { (words.reply_copy) } }
                (next_question(visit, address))
            }
        }
    }
}

/// Whether a model wrote it.
fn is_written(reply: &Reply) -> bool {
    reply.writer != EXTRACTIVE
}

fn noted(words: &Strings, note: ReplyNote) -> Markup {
    let text = match note {
        ReplyNote::WriterFailed => words.writer_failed,
        ReplyNote::Unproved => words.unproved,
        // Said of the results below.
        ReplyNote::MeaningLacks => return html! {},
        // Of what there is, nothing is wrong.
        ReplyNote::Cut | ReplyNote::Repeated | ReplyNote::PassagesLeftOut { .. } => return html! {},
    };
    html! { p.meta { (text) } }
}

fn said(address: &SearchAddress, reply: &Reply, sentence: &CitedSentence) -> Markup {
    sentence_of(address, sentence, &reply.citations, !is_written(reply))
}

/// A sentence with links to what it cites, of these; as a quotation, where it stands so in a document.
pub(super) fn sentence_of(
    address: &SearchAddress,
    sentence: &CitedSentence,
    known: &[Citation],
    is_quoted: bool,
) -> Markup {
    let text = clean(&cells(&sentence.text)).into_owned();
    html! {
        blockquote dir="auto" {
            p {
                @if let Some(header) = &sentence.header { small { (clean(&cells(header))) } br; }
                @if is_quoted { q { (text) } } @else { (text) }
                @for number in &sentence.citations {
                    @if let Some(citation) = known.iter().find(|citation| citation.number == *number) {
                        " " a.cite href=(link(address, citation)) title=(clean(&citation.title)) { "[" (number) "]" }
                    }
                }
            }
        }
    }
}

fn source(visit: &Visit, address: &SearchAddress, citation: &Citation) -> Markup {
    html! {
        a href=(link(address, citation)) { bdi { (clean(&citation.title)) } }
        " " span.meta { bdi { (clean(&citation.source)) "/" (clean(&citation.path)) } " " (place(visit.words(), citation)) }
    }
}

/// The follow-up: what leans on the question before it is completed by it, and stands in the field where it can be changed.
fn next_question(visit: &Visit, address: &SearchAddress) -> Markup {
    let words = visit.words();
    html! {
        form.next action="/search" role="search" {
            input type="hidden" name="follows" value=(address.q.trim());
            input type="text" name="q" required aria-label=(words.follow_up) placeholder=(words.follow_up);
            button type="submit" { (words.search) }
        }
    }
}

/// The address of a cited passage, with the quoted words marked there.
fn link(address: &SearchAddress, citation: &Citation) -> String {
    let passage = citation.passage.to_string();
    let quotes: Vec<String> = citation.quotes.iter().map(|quote| format!("{}-{}", quote.start, quote.end)).collect();
    let mut pairs = vec![("passage", passage.as_str()), ("q", address.q.as_str())];
    pairs.extend(quotes.iter().map(|quote| ("quote", quote.as_str())));
    format!("/document/{}?{}#passage-{passage}", encoded(&citation.id), query_string(&pairs))
}

/// Page, slide, cells, mail or lines.
fn place(words: &Strings, citation: &Citation) -> String {
    match &citation.place {
        Some(Place::Page(page)) => fill(words.page, &[&page.to_string()]),
        Some(Place::Slide(slide)) => fill(words.slide, &[&slide.to_string()]),
        Some(Place::Mail) => words.mail.to_string(),
        Some(sheet @ Place::Sheet { .. }) => clean(&sheet.to_string()).into_owned(),
        None => fill(words.lines, &[&super::hit::lines(&citation.lines)]),
    }
}

/// The row of a table without the bars at its ends.
fn cells(text: &str) -> String {
    text.trim_matches(|c: char| c == '|' || c.is_whitespace()).to_owned()
}

/// The answer with its sources as plain text, to be copied.
fn plain(words: &Strings, reply: &Reply) -> String {
    let mut text = String::new();
    for sentence in &reply.sentences {
        let numbers: String = sentence.citations.iter().map(|number| format!(" [{number}]")).collect();
        let header = sentence.header.as_ref().map(|header| cells(header) + "\n").unwrap_or_default();
        text += &format!("{header}{}{numbers}\n", cells(&sentence.text));
    }
    for citation in &reply.citations {
        let Citation { number, title, source, path, url, .. } = citation;
        let origin = url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        text += &format!("\n[{number}] {title}, {source}/{path}, {}{origin}", place(words, citation));
    }
    text
}
