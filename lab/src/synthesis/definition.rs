//! Terms and their definitions: glossaries, definition lists, list items such as "Latency: the time between ..", and
//! paragraphs that begin "X is a ..".

use extract::{Block, BlockKind};

use super::outline::{MAN, Outline, RST, Section, is_sentence};
use super::{Draft, Rule, words};

/// Words of the longest term.
const LONGEST_TERM: usize = 5;

/// Words of the shortest definition.
const SHORTEST: usize = 8;

/// What stands before a colon and is no term.
const LABELS: &[&str] = &[
    "note",
    "notes",
    "warning",
    "caution",
    "important",
    "tip",
    "hint",
    "example",
    "examples",
    "usage",
    "see",
    "see also",
    "default",
    "defaults",
    "returns",
    "return",
    "raises",
    "throws",
    "parameters",
    "arguments",
    "options",
    "input",
    "output",
    "result",
    "results",
    "todo",
    "fixme",
    "bug",
    "fix",
    "fixed",
    "added",
    "changed",
    "removed",
    "deprecated",
    "security",
    "new",
    "feature",
    "features",
    "update",
    "closes",
    "from",
    "to",
    "cc",
    "date",
    "subject",
    "author",
    "authors",
    "version",
    "status",
    "type",
    "name",
    "title",
    "description",
    "summary",
    "license",
    "copyright",
    "source",
    "url",
    "link",
    "email",
    "phone",
    "address",
    "contact",
    "step",
    "question",
    "answer",
    "q",
    "a",
    "yes",
    "no",
    "then",
    "also",
    "and",
    "or",
    "but",
    "e.g",
    "i.e",
    "例如",
    "注意",
    "注",
    "备注",
    "说明",
    "提示",
    "警告",
    "重要",
    "示例",
    "默认",
    "来源",
    "作者",
    "日期",
    "电话",
    "地址",
    "邮箱",
    "联系人",
    "网址",
    "步骤",
    "问",
    "答",
];

/// Words that a sentence begins with and that name nothing.
const PRONOUNS: &[&str] = &[
    "it",
    "this",
    "that",
    "there",
    "these",
    "those",
    "he",
    "she",
    "they",
    "we",
    "you",
    "i",
    "what",
    "which",
    "here",
    "one",
    "if",
    "when",
    "where",
    "as",
    "in",
    "on",
    "at",
    "for",
    "to",
    "by",
    "with",
    "from",
    "since",
    "because",
    "although",
    "while",
    "another",
    "each",
    "every",
    "all",
    "some",
    "any",
    "such",
    "both",
    "most",
    "many",
    "its",
    "his",
    "her",
    "their",
    "our",
    "your",
    "my",
    "so",
    "then",
    "also",
    "however",
    "but",
    "and",
    "or",
    "not",
    "no",
    "only",
    "how",
    "why",
    "who",
    "default",
    "note",
    "example",
    "first",
    "second",
    "other",
    "same",
    "result",
    "following",
    "above",
    "below",
];

pub(super) fn definitions(outline: &Outline<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for section in &outline.sections {
        for (number, block) in section.blocks.iter().enumerate() {
            let text = outline.block(block);
            let found = match block.kind {
                BlockKind::ListItem => option(outline, text).or_else(|| in_item(text)),
                BlockKind::Paragraph | BlockKind::Quote => below(outline, block, text)
                    .or_else(|| section.is_glossary().then(|| in_item(text)).flatten())
                    .or_else(|| beside(outline, section, number))
                    .or_else(|| in_sentence(text)),
                _ => None,
            };
            let Some((term, response)) = found.filter(|(_, response)| words::count(response) >= SHORTEST) else {
                continue;
            };
            let context = outline.title.clone();
            let is_word = term.starts_with(char::is_alphabetic);
            let is_defined =
                is_word && (section.is_glossary() || block.kind != BlockKind::ListItem || defines(&response));
            let (query, context) = match context {
                // An item that does not say what its term is says what holds for it here.
                Some(title) if !is_defined => (format!("{title}: {term}"), None),
                None if !is_defined => continue,
                context => (asked(&term), context),
            };
            drafts.push(Draft { query, response, rule: Rule::Definition, context });
        }
    }
    drafts
}

/// Whether a text begins as definitions do.
fn defines(text: &str) -> bool {
    const OPENINGS: &[&str] = &[
        "a", "an", "the", "any", "one", "whether", "how", "number", "amount", "time", "name", "set", "list", "type",
        "kind", "process", "method", "ability", "part", "person", "group", "system", "program", "tool", "file",
        "software", "act",
    ];
    let first = text.split(' ').next().unwrap_or_default().to_lowercase();
    OPENINGS.contains(&first.as_str())
        || ["一种", "指", "是", "用于", "用来", "由", "一个", "表示"].iter().any(|opening| text.starts_with(opening))
}

/// An option of a manual page: `--long=VALUE: what it does`.
fn option(outline: &Outline<'_>, text: &str) -> Option<(String, String)> {
    let text = text.strip_prefix("- ")?;
    let (flags, about) = text.split_once(": ")?;
    let is_option = outline.is(MAN) && flags.starts_with('-') && flags.len() <= 60;
    (is_option && is_statement(about)).then(|| (words::one_line(flags), about.to_owned()))
}

/// The term in one of the forms in which people ask for it; the same term always in the same.
fn asked(term: &str) -> String {
    let sum = term.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    if term.chars().any(storage::is_unspaced) {
        let forms = ["什么是{}", "{}是什么意思", "{}的定义", "{}是什么"];
        return forms[sum % forms.len()].replace("{}", term);
    }
    let forms = ["what is {}", "{} meaning", "definition of {}", "what does {} mean", "{} definition", "{}"];
    let form = forms[sum % forms.len()];
    // A word alone is no query.
    let form = if form == "{}" && words::count(term) < 2 { "what is {}" } else { form };
    form.replace("{}", term)
}

fn is_term(term: &str) -> bool {
    let count = words::count(term);
    let low = term.to_lowercase();
    (1..=LONGEST_TERM).contains(&count)
        && term.chars().count() >= 2
        && term.chars().next().is_some_and(char::is_alphabetic)
        && !term.contains("'s ")
        && !term.contains("’s ")
        && !term.contains([
            '.', '?', '!', '。', '，', ',', ';', '；', '=', '/', '\\', '<', '>', '{', '$', '`', '"', ':', '：', '[',
            '_',
        ])
        && term.chars().filter(|c| c.is_alphabetic() || c.is_whitespace()).count() * 10 >= term.chars().count() * 8
        && !LABELS.contains(&low.as_str())
        && !PRONOUNS.contains(&low.split(' ').next().unwrap_or_default())
}

/// "- Latency: the time between two things", also with dashes.
fn in_item(text: &str) -> Option<(String, String)> {
    let text =
        ["- ", "* ", "• ", "+ "].iter().find_map(|marker| text.strip_prefix(marker)).unwrap_or(text).trim_start();
    let marks = [": ", "：", " - ", " – ", " — ", "——"];
    let (at, mark) = marks.iter().filter_map(|mark| Some((text.find(mark)?, mark))).min()?;
    let (term, definition) = (text[..at].trim_matches(['*', '_', ' ']), text[at + mark.len()..].trim());
    // What a person defines begins as a sentence does; "Foo: bar, baz" is a list, "10:30 - lunch" a plan.
    (is_term(term) && is_statement(definition)).then(|| (term.to_owned(), definition.to_owned()))
}

fn is_statement(text: &str) -> bool {
    let opens = text.chars().next().is_some_and(char::is_alphabetic);
    let commas = text.matches([',', '、']).count();
    let is_label = text.split_whitespace().next().is_some_and(|first| first.ends_with(':'));
    opens && !is_label && commas * 4 <= words::count(text)
}

/// A term on a line of its own with its definition indented below it, as reStructuredText has it.
fn below(outline: &Outline<'_>, block: &Block, text: &str) -> Option<(String, String)> {
    let (term, definition) = text.split_once('\n')?;
    let raw = &outline.text().text[block.span.clone()];
    let is_set_off = outline.is(RST) || raw.lines().nth(1).is_some_and(|line| line.starts_with([' ', '\t', ':']));
    let definition = definition.trim_start_matches([':', ' ', '\t']);
    let is_own = is_set_off && is_term(term.trim()) && words::count(term) <= LONGEST_TERM;
    (is_own && is_statement(definition) && is_sentence(definition))
        .then(|| (term.trim().to_owned(), words::one_line(definition)))
}

/// In a glossary: a short paragraph, and a longer one after it.
fn beside(outline: &Outline<'_>, section: &Section<'_>, number: usize) -> Option<(String, String)> {
    let is_glossary = section.is_glossary()
        || outline.title.as_deref().is_some_and(|title| title.to_lowercase().contains("glossary"));
    let next = section.blocks.get(number + 1).filter(|_| is_glossary)?;
    let (term, definition) = (outline.block(&section.blocks[number]), outline.block(next));
    (is_term(term) && is_statement(definition)).then(|| (term.to_owned(), definition.to_owned()))
}

/// "A socket is an endpoint ..", "X是一种 ..".
fn in_sentence(text: &str) -> Option<(String, String)> {
    let line = words::one_line(text);
    let sentence = words::first_sentence(&line);
    if let Some((term, rest)) = ["是指", "是一种", "是一个", "指的是"].iter().find_map(|verb| sentence.split_once(verb))
    {
        let length = term.chars().count();
        let names = (2..=10).contains(&length) && !term.contains(['，', '、', '的', '这', '它', '该', ' ', '“', '（']);
        return (names && rest.chars().count() >= 8).then(|| (term.to_owned(), text.to_owned()));
    }
    let verbs = [" is a ", " is an ", " is the ", " are a ", " refers to ", " means ", " stands for ", " describes "];
    let (at, _) = verbs.iter().filter_map(|verb| Some((sentence.find(verb)?, verb))).min()?;
    let subject = &sentence[..at];
    let bare = ["A ", "An ", "The "].iter().find_map(|article| subject.strip_prefix(article)).unwrap_or(subject);
    let opens = subject.chars().next().is_some_and(char::is_uppercase);
    let short = words::count(bare) <= 4 && !bare.contains([',', '(']);
    let names = opens
        && short
        && is_term(bare)
        && !bare.split(' ').any(|word| PRONOUNS.contains(&word.to_lowercase().as_str()));
    (names && words::count(&sentence) >= 10).then(|| (bare.to_owned(), words::clip(text, 180).to_owned()))
}
