//! The answer above the results, where a question was asked and sentences of the documents answer it: each with the numbers of its
//! sources, which lead to the passage with its words marked.

use maud::{Markup, html};
use searcher::{Citation, CitedSentence, Reply};
use storage::Place;

use super::address::{SearchAddress, encoded, query_string};
use super::assets;
use super::icons::icon;
use super::strings::{Strings, fill};
use super::text::clean;
use super::visit::Visit;

/// The answer, the passages that it quotes, and a field for the next question.
pub(super) fn replied(visit: &Visit, address: &SearchAddress, reply: &Reply) -> Markup {
    let words = visit.words();
    html! {
        link rel="stylesheet" href=(assets::address("reply.css"));
        section.reply aria-labelledby="reply" {
            h2 #reply { (words.reply) }
            @for sentence in &reply.sentences { (said(address, reply, sentence)) }
            ol { @for citation in &reply.citations { li value=(citation.number) { (source(visit, address, citation)) } } }
            div.actions {
                button.js.copy type="button" data-text=(plain(words, reply)) { (icon("doc")) span { (words.reply_copy) } }
                (next_question(visit, address))
            }
        }
    }
}

fn said(address: &SearchAddress, reply: &Reply, sentence: &CitedSentence) -> Markup {
    html! {
        blockquote dir="auto" {
            p {
                @if let Some(header) = &sentence.header { small { (clean(&cells(header))) } br; }
                q { (clean(&cells(&sentence.text))) }
                @for number in &sentence.citations {
                    @if let Some(citation) = reply.citations.get(number.wrapping_sub(1)) {
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
