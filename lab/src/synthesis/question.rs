//! Questions and their answers: headings that ask, `Q:` and `A:`, lines that ask before a paragraph that answers.

use extract::{Block, BlockKind};

use super::outline::Outline;
use super::{Draft, Rule, words};

/// Words of the longest line that is taken for a question.
const LONGEST: usize = 30;

/// Words of the shortest answer.
const SHORTEST_ANSWER: usize = 6;

pub(super) fn questions(outline: &Outline<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for section in &outline.sections {
        if let Some(heading) = section.heading().filter(|heading| words::is_question(heading)) {
            push(&mut drafts, outline, heading, outline.passage(before_next(outline, section.blocks)));
        }
        for (number, block) in section.blocks.iter().enumerate() {
            if matches!(block.kind, BlockKind::Code { .. } | BlockKind::Table) {
                continue;
            }
            let rest = &section.blocks[number + 1..];
            let text = outline.block(block);
            if let Some((question, answer)) = labelled(text) {
                let answer = if answer.is_empty() { answer_in(outline, rest) } else { answer };
                push(&mut drafts, outline, &question, answer);
            } else if let Some((question, answer)) = in_item(block, text) {
                push(&mut drafts, outline, &question, answer);
            } else if let Some(question) = alone(text) {
                push(&mut drafts, outline, question, outline.passage(before_next(outline, rest)));
            }
        }
    }
    drafts
}

fn push(drafts: &mut Vec<Draft>, outline: &Outline<'_>, question: &str, answer: String) {
    let answer = without_label(&answer, ANSWERS).unwrap_or(answer);
    if words::count(&answer) < SHORTEST_ANSWER || words::is_question(&answer) {
        return;
    }
    let query = words::heading(question.trim_matches(['*', '_', '"', ' ']));
    drafts.push(Draft { query, response: answer, rule: Rule::Question, context: outline.title.clone() });
}

/// The blocks up to the next question.
fn before_next<'a>(outline: &Outline<'_>, blocks: &'a [Block]) -> &'a [Block] {
    let asks = |block: &Block| {
        let text = outline.block(block);
        alone(text).is_some() || labelled(text).is_some()
    };
    &blocks[..blocks.iter().position(asks).unwrap_or(blocks.len())]
}

/// A paragraph that is one question and nothing else.
fn alone(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(['-', '*', '•', ' ']);
    let inner = text.trim_end_matches(['?', '？', '*', '"', ' ']);
    let is_one = words::is_question(text) && !inner.contains(['?', '？', '。']) && !inner.contains(". ");
    let opens = text.chars().next().is_some_and(|c| c.is_uppercase() || storage::is_unspaced(c) || c.is_ascii_digit());
    let count = words::count(text);
    (is_one && opens && (3..=LONGEST).contains(&count)).then_some(text)
}

const QUESTIONS: &[&str] = &["q", "question", "问", "问题", "提问"];
const ANSWERS: &[&str] = &["a", "answer", "答", "回答", "答案"];

/// `Q: ..` with what stands behind `A:` in the same paragraph, empty if that comes later.
fn labelled(text: &str) -> Option<(String, String)> {
    let rest = without_label(text, QUESTIONS)?;
    let answer = rest.match_indices('\n').find_map(|(at, _)| {
        let answer = without_label(&rest[at + 1..], ANSWERS)?;
        Some((rest[..at].to_owned(), answer))
    });
    Some(answer.unwrap_or((rest, String::new())))
}

/// What stands behind one of the labels and its colon or number: `Q1.`, `A:`, `问：`.
fn without_label(text: &str, labels: &[&str]) -> Option<String> {
    let text = text.trim_start_matches(['-', '*', '•', ' ']);
    let end = text.find([':', '：', '.', ')', '、'])?;
    let label = text[..end].trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ').to_lowercase();
    let mark = text[end..].chars().next()?;
    let rest = text[end + mark.len_utf8()..].trim_start_matches(['*', ' ']);
    labels.contains(&label.as_str()).then(|| rest.trim().to_owned()).filter(|rest| !rest.is_empty())
}

/// The answer in the blocks behind a question that has its label; nothing where none is labelled or at hand.
fn answer_in(outline: &Outline<'_>, rest: &[Block]) -> String {
    outline.passage(before_next(outline, rest))
}

/// A list item that asks and answers itself: "What is it? It is a tool."
fn in_item(block: &Block, text: &str) -> Option<(String, String)> {
    if block.kind != BlockKind::ListItem {
        return None;
    }
    let text = text.trim_start_matches(['-', '*', '•', ' ']);
    let at = text.find(['?', '？'])?;
    let mark = text[at..].chars().next()?.len_utf8();
    let (question, answer) = (&text[..at + mark], text[at + mark..].trim());
    let is_one = !question.contains(". ") && !question.contains('。');
    let opens = question.chars().next().is_some_and(|c| c.is_uppercase() || storage::is_unspaced(c));
    let fits = (3..=LONGEST).contains(&words::count(question)) && words::count(answer) >= SHORTEST_ANSWER;
    (is_one && opens && fits).then(|| (question.to_owned(), answer.to_owned()))
}
