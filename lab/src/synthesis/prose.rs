//! Rules for prose: title, description, headings, letters, captions.

use extract::{Block, BlockKind, Format};

use super::outline::{MAN, Outline, is_sentence};
use super::{Draft, Rule, words};

/// Words from which a heading says by itself what it is about.
const TELLING: usize = 3;

/// Characters of a script without spaces that do.
const TELLING_CHARACTERS: usize = 6;

/// Headings so long are sentences of the text.
const LONGEST_HEADING: usize = 16;

/// Formats of letters.
const LETTERS: &[&Format] = &[Format::of("eml"), Format::of("mbox"), Format::of("msg"), Format::of("tnef")];

/// Keys under which documents say what they are about.
const ABOUT: &[&str] = &["description", "abstract", "summary", "subject", "og:description"];

fn is_letter(outline: &Outline<'_>) -> bool {
    LETTERS.iter().any(|format| outline.is(format))
}

pub(super) fn title(outline: &Outline<'_>) -> Option<Draft> {
    if is_letter(outline) || outline.is(MAN) {
        return None;
    }
    let query = outline.title.clone()?;
    Some(Draft { query, response: outline.opening()?, rule: Rule::Title, context: None })
}

pub(super) fn description(outline: &Outline<'_>) -> Option<Draft> {
    if is_letter(outline) {
        return None;
    }
    if let Some((name, about)) = outline.manual().filter(|_| outline.is(MAN)) {
        return Some(Draft {
            query: about,
            response: manual_body(outline)?,
            rule: Rule::Description,
            context: Some(name),
        });
    }
    let about = ABOUT.iter().find_map(|key| outline.text().metadata.get(*key))?;
    let response = outline.opening()?;
    let query = words::first_sentence(about);
    Some(Draft { query, response, rule: Rule::Description, context: outline.title.clone() })
}

/// What a manual page says under its description.
fn manual_body(outline: &Outline<'_>) -> Option<String> {
    let own = |heading: &str| matches!(heading, "description" | "overview" | "介绍" | "描述" | "说明");
    let section = outline.sections.iter().find(|section| section.heading().is_some_and(own))?;
    let response = outline.passage(section.blocks);
    is_sentence(&response).then_some(response)
}

pub(super) fn headings(outline: &Outline<'_>) -> Vec<Draft> {
    if is_letter(outline) {
        return Vec::new();
    }
    let mut drafts = Vec::new();
    for section in &outline.sections {
        let Some(heading) = section.heading().filter(|heading| !words::is_question(heading)) else { continue };
        if words::is_empty_heading(heading) || words::count(heading) > LONGEST_HEADING {
            continue;
        }
        let Some(from) = section.blocks.iter().position(|block| !is_mark(outline.block(block))) else { continue };
        let response = outline.passage(&section.blocks[from..]);
        let above = context(outline, &section.headings);
        let mut push = |query: String, context: Option<String>| {
            drafts.push(Draft { query, response: response.clone(), rule: Rule::Heading, context });
        };
        match above {
            Some(above) if is_telling(heading) => {
                push(format!("{above}: {heading}"), None);
                push(heading.to_owned(), Some(above));
            }
            Some(above) => push(format!("{above}: {heading}"), None),
            None if is_telling(heading) => push(heading.to_owned(), None),
            None => {}
        }
    }
    drafts
}

/// What a heading stands under: the title, and the heading above where the title is not enough.
fn context(outline: &Outline<'_>, headings: &[String]) -> Option<String> {
    let own = headings.last()?;
    let above = headings.iter().rev().nth(1).filter(|above| !words::is_empty_heading(above));
    let parts: Vec<&str> = match (&outline.title, above) {
        (Some(title), Some(above)) if above.contains(title.as_str()) => vec![above],
        (Some(title), Some(above)) if !is_telling(own) => vec![title, above],
        (Some(title), _) => vec![title],
        (None, Some(above)) => vec![above],
        (None, None) => return None,
    };
    // "Annual leave: annual leave" says it twice.
    let said = words::plain(own);
    let is_new = |part: &&str| {
        let part = words::plain(part);
        !said.contains(&part) && !part.contains(&said)
    };
    let parts: Vec<&str> = parts.into_iter().filter(is_new).collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

fn is_telling(heading: &str) -> bool {
    let unspaced = heading.chars().filter(|c| storage::is_unspaced(*c)).count();
    let topics = words::plain(heading).split(' ').filter(|word| !storage::is_stopword(word)).count();
    unspaced >= TELLING_CHARACTERS || (words::count(heading) >= TELLING && topics >= 2)
}

/// Whether a block is only a link to itself, a badge, a date.
fn is_mark(text: &str) -> bool {
    words::count(text) < 2
}

pub(super) fn subject(outline: &Outline<'_>) -> Option<Draft> {
    if !is_letter(outline) {
        return None;
    }
    let query = bare_subject(outline.text().title.as_deref()?);
    let blocks = &outline.text().blocks;
    let is_said = |block: &&Block| {
        let text = outline.block(block);
        !matches!(block.kind, BlockKind::Heading { .. } | BlockKind::Quote)
            && !is_header(text)
            && !text.starts_with('>')
    };
    let said: Vec<String> = blocks.iter().filter(is_said).map(|block| unquoted(outline.block(block))).collect();
    let greeting =
        said.first().is_some_and(|first| words::count(first) <= 5 && first.ends_with([',', '!', '，', '：', ':']));
    let response = said[usize::from(greeting)..].join("\n\n");
    let response = words::clip(response.trim(), 180).to_owned();
    Some(Draft { query, response, rule: Rule::Subject, context: None })
}

/// The lines that the letter's reader made of who wrote to whom.
fn is_header(text: &str) -> bool {
    ["From: ", "To: ", "Cc: ", "Date: "].iter().any(|label| text.starts_with(label))
}

/// Without the lines that quote the letter that is answered, and what leads them in.
fn unquoted(text: &str) -> String {
    let is_lead = |line: &str| line.starts_with("On ") && line.ends_with("wrote:");
    let lines = text.lines().take_while(|line| *line != "--" && *line != "-- ");
    lines.filter(|line| !line.starts_with('>') && !is_lead(line)).collect::<Vec<_>>().join("\n")
}

/// Without "Re:" and "[list]".
fn bare_subject(subject: &str) -> String {
    const MARKS: &[&str] = &[
        "re:",
        "fwd:",
        "fw:",
        "aw:",
        "wg:",
        "sv:",
        "antw:",
        "re：",
        "回复:",
        "回复：",
        "转发:",
        "转发：",
        "答复:",
        "答复：",
    ];
    let mut rest = subject.trim();
    loop {
        let low = rest.to_lowercase();
        if let Some(mark) =
            MARKS.iter().find(|mark| low.starts_with(*mark)).filter(|mark| rest.is_char_boundary(mark.len()))
        {
            rest = rest[mark.len()..].trim_start();
        } else if let Some((_, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            rest = after.trim_start();
        } else {
            return words::one_line(rest);
        }
    }
}

pub(super) fn captions(outline: &Outline<'_>) -> Vec<Draft> {
    let blocks = &outline.text().blocks;
    let mut drafts = Vec::new();
    for (number, block) in blocks.iter().enumerate().filter(|(_, block)| block.kind == BlockKind::Table) {
        let beside = [number.checked_sub(1), Some(number + 1)];
        let caption = beside.into_iter().enumerate().find_map(|(after, at)| {
            let block = blocks.get(at?).filter(|block| block.kind == BlockKind::Paragraph)?;
            caption(outline.block(block), after == 1)
        });
        let table = outline.block(block);
        // Two lines are a header and its rule.
        let Some(query) = caption.filter(|_| table.lines().count() >= 5) else { continue };
        let response = clip_rows(table);
        drafts.push(Draft { query, response, rule: Rule::Caption, context: outline.title.clone() });
    }
    drafts
}

/// What a paragraph beside a table says about it; below a table only a labelled one is taken for a caption.
fn caption(text: &str, below: bool) -> Option<String> {
    let line = words::one_line(text);
    let labelled = ["Table ", "TABLE ", "Tab. ", "表", "Tabelle "].iter().find_map(|label| line.strip_prefix(label));
    if let Some(rest) = labelled {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || ". :：-–—、".contains(c));
        return (number.len() < rest.len() && !number.is_empty())
            .then(|| number.trim_end_matches(['.', '。']).to_owned());
    }
    let is_short = (3..=10).contains(&words::count(&line));
    let points = ["this ", "these ", "the following", "following", "here "]
        .iter()
        .any(|start| line.to_lowercase().starts_with(start));
    let is_open = points || line.matches(": ").count() > 1 || line.ends_with(['.', '。', '?', '？', '!', ',', ';']);
    (!below && is_short && !is_open).then(|| line.trim_end_matches([':', '：']).to_owned())
}

/// The rows of a table up to the length of a passage.
fn clip_rows(table: &str) -> String {
    let mut kept = String::new();
    for row in table.lines() {
        if words::count(&kept) + words::count(row) > 180 {
            break;
        }
        kept.push_str(row);
        kept.push('\n');
    }
    kept.trim_end().to_owned()
}
