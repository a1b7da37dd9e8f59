//! The quality of pairs, for those that teach something: not too short or long, in words, no licence, and no query that
//! its passage begins with (a model would learn to copy).

use indexer::ReadDocument;
use serde::Serialize;

use super::{Draft, Rule, words};

/// How long the parts of a pair may be, in words; scripts without spaces count two characters as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairLimits {
    /// Fewest and most words of a query.
    pub query: (usize, usize),
    /// Fewest and most words of a response.
    pub response: (usize, usize),
}

impl Default for PairLimits {
    fn default() -> Self {
        Self { query: (2, 40), response: (8, 400) }
    }
}

/// Why a pair was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The query is too short.
    ShortQuery,
    /// The query is too long.
    LongQuery,
    /// The response is too short.
    ShortResponse,
    /// The response is too long.
    LongResponse,
    /// The query, or most of the response, is no text in words.
    NoWords,
    /// The response begins with the query, and not much follows.
    Copy,
    /// A licence, a list of changes, a notice of rights.
    Legal,
    /// The same pair was there before.
    Repeated,
    /// The query fits too many passages to mean one of them.
    Ambiguous,
    /// The response stands in too many places to be an answer.
    Everywhere,
    /// Left out to keep to the number wanted.
    Surplus,
    /// The document is in another language than the one wanted.
    Language,
    /// Query and response are too far apart for the model.
    Distant,
    /// A search for the query does not find the response.
    Lost,
}

impl Fault {
    /// The reason in words, for a table.
    pub fn describe(self) -> &'static str {
        match self {
            Self::ShortQuery => "query too short",
            Self::LongQuery => "query too long",
            Self::ShortResponse => "passage too short",
            Self::LongResponse => "passage too long",
            Self::NoWords => "not in words",
            Self::Copy => "passage begins with the query",
            Self::Legal => "licence or list of changes",
            Self::Repeated => "came before",
            Self::Ambiguous => "query fits many passages",
            Self::Everywhere => "passage is in many places",
            Self::Surplus => "above the limit",
            Self::Language => "another language",
            Self::Distant => "cosine too low",
            Self::Lost => "not found by a search",
        }
    }
}

/// Phrases of licences. One is enough.
const LEGAL: &[&str] = &[
    "permission is hereby granted",
    "gnu general public license",
    "gnu lesser general public",
    "redistribution and use in source and binary",
    "licensed under the",
    "without warranty of any kind",
    "warranties of merchantability",
    "all rights reserved",
    "terms of the gnu",
    "under the terms of",
    "free documentation license",
    "creative commons",
    "spdx-license-identifier",
    "apache license",
    "版权所有",
    "保留所有权利",
    "许可协议",
];

/// Names of files that hold licences and lists of changes.
const LEGAL_FILES: &[&str] = &[
    "license",
    "licence",
    "copying",
    "copyright",
    "changelog",
    "changes",
    "news",
    "authors",
    "thanks",
    "contributors",
    "history",
    "relnotes",
    "release-notes",
    "notice",
    "patents",
    "todo",
    "maintainers",
    "credits",
];

/// Whether a document is a licence or a list of changes as a whole, by its name.
pub(super) fn is_legal_or_log(document: &ReadDocument) -> bool {
    // The last two names: a compressed file is read as a file inside of one.
    document.path.split('/').rev().take(2).any(is_legal_name)
}

fn is_legal_name(name: &str) -> bool {
    let low = name.to_lowercase();
    let stem = low.split('.').next().unwrap_or_default();
    LEGAL_FILES
        .iter()
        .any(|legal| stem == *legal || stem.starts_with(&format!("{legal}-")) || stem.starts_with(&format!("{legal}_")))
}

/// The pair if it is worth keeping; its response without the line that repeats the query.
pub(super) fn judge(mut draft: Draft, limits: &PairLimits) -> Result<Draft, Fault> {
    draft.query = words::one_line(&draft.query);
    draft.response = without_query(&draft.query, draft.response.trim());
    let (query, response) = (words::count(&draft.query), words::count(&draft.response));
    let least = if draft.rule.is_code() { 5 } else { limits.response.0 };
    match () {
        () if query < limits.query.0 => Err(Fault::ShortQuery),
        () if query > limits.query.1 => Err(Fault::LongQuery),
        () if response < least => Err(Fault::ShortResponse),
        () if response > limits.response.1 => Err(Fault::LongResponse),
        () if !is_wordy(&draft.query, 60) || !(draft.rule.is_code() || is_wordy(&draft.response, 55)) => {
            Err(Fault::NoWords)
        }
        () if !draft.rule.is_code() && is_navigation(&draft.response) => Err(Fault::NoWords),
        () if is_legal(&draft.query) || is_legal(&draft.response) => Err(Fault::Legal),
        () if begins_with(&draft.response, &draft.query) => Err(Fault::Copy),
        () => Ok(draft),
    }
}

/// What is wrong with a query that somebody wrote for a passage; `None` if it may teach something.
pub fn fault_of(query: &str, passage: &str, limits: &PairLimits) -> Option<Fault> {
    let draft = Draft { query: query.to_owned(), response: passage.to_owned(), rule: Rule::Title, context: None };
    // A passage that opens with its heading is not rewritten here: it would no longer be the one that was asked about.
    let is_copy = begins_with(passage, query);
    judge(draft, limits).err().or(is_copy.then_some(Fault::Copy))
}

/// Whether a document's passages are worth asking about: not those of licences and lists of changes.
pub fn is_material(document: &ReadDocument) -> bool {
    !is_legal_or_log(document)
}

/// Whether so many of a hundred characters that are not blank are letters.
fn is_wordy(text: &str, percent: usize) -> bool {
    let all = text.chars().filter(|c| !c.is_whitespace()).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    letters * 100 >= all * percent
}

fn is_legal(text: &str) -> bool {
    let low = text.to_lowercase();
    LEGAL.iter().any(|phrase| low.contains(phrase))
        || (low.contains("copyright") && (low.contains("(c)") || low.contains('©')))
}

/// Whether a pair's sides are written in different scripts, as in pages of which only the headings are translated.
pub(super) fn is_half_translated(query: &str, response: &str) -> bool {
    let share = |text: &str, script: fn(char) -> bool| {
        let letters = text.chars().filter(|c| c.is_alphabetic()).count().max(1);
        text.chars().filter(|c| script(*c)).count() as f64 / letters as f64
    };
    // Latin, where it is more than names among other letters, against everything else.
    let is_latin = |c: char| c.is_alphabetic() && u32::from(c) < 0x250;
    let (query, response) = (share(query, is_latin), share(response, is_latin));
    (query < 0.5 && response > 0.8) || (query > 0.8 && response < 0.3)
}

/// Whether a text is a list of places to go to: numbered titles, arrows to other pages.
fn is_navigation(text: &str) -> bool {
    if text.contains('‹') && text.contains('›') {
        return true;
    }
    let is_title = |line: &str| {
        let line = line.trim_start_matches(['-', '*', '•', '+', ' ', '[']);
        line.split(' ')
            .next()
            .is_some_and(|first| first.contains('.') && words::heading(line).len() + first.len() <= line.len())
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let titles = lines.iter().filter(|line| is_title(line) && !line.ends_with(['.', '。', ':', ';'])).count();
    lines.len() >= 3 && titles * 10 >= lines.len() * 6
}

/// Takes away a first line that says nothing but the query.
fn without_query(query: &str, response: &str) -> String {
    let Some((first, rest)) = response.split_once('\n') else { return response.to_owned() };
    if words::plain(first) == words::plain(query) { rest.trim().to_owned() } else { response.to_owned() }
}

/// Whether a response opens with the words of the query.
fn begins_with(response: &str, query: &str) -> bool {
    let query = words::plain(query);
    // Enough of the response: comparing is linear in it.
    let opening: String = response.chars().take(query.chars().count() * 2 + 40).collect();
    words::plain(&opening).starts_with(&query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(query: &str, response: &str) -> Result<String, Fault> {
        let draft = Draft { query: query.into(), response: response.into(), rule: Rule::Heading, context: None };
        judge(draft, &PairLimits::default()).map(|draft| draft.response)
    }

    #[test]
    fn faults_are_told_apart() {
        let body = "Employees get twenty-five days of paid leave in every calendar year.";
        assert_eq!(judged("Annual leave", body).unwrap(), body);
        assert_eq!(judged("Leave", body), Err(Fault::ShortQuery));
        assert_eq!(judged("Annual leave", "Ask your manager."), Err(Fault::ShortResponse));
        assert_eq!(judged("Annual leave", &"many words ".repeat(300)), Err(Fault::LongResponse));
        assert_eq!(judged("Annual leave", &"0x00ff 12:30 | -- | a1 ".repeat(8)), Err(Fault::NoWords));
        assert_eq!(
            judged("Terms of use", "Redistribution and use in source and binary forms are permitted."),
            Err(Fault::Legal)
        );
        assert_eq!(judged("employees get", body), Err(Fault::Copy));
    }

    #[test]
    fn a_line_that_repeats_the_query_is_taken_away() {
        let body = "Employees get twenty-five days of paid leave in every calendar year.";
        assert_eq!(judged("Annual leave", &format!("ANNUAL LEAVE:\n\n{body}")).unwrap(), body);
    }

    #[test]
    fn lists_of_places_answer_nothing() {
        let list =
            "- C.0 Introduction to it all\n- C.1 What is wrong with wages\n- C.2 Why it is so\n- C.3 What decides";
        assert_eq!(judged("What is wrong", list), Err(Fault::NoWords));
        assert_eq!(
            judged("Where to go", "‹ I.8 Does it work in practice? up J.0 Introduction to it ›"),
            Err(Fault::NoWords)
        );
        assert!(
            judged("What to do", "1. Ring the duty officer at once.\n2. Write down what you saw.\n3. Wait.").is_ok()
        );
    }

    #[test]
    fn half_translated_pages_are_known_by_their_scripts() {
        assert!(is_half_translated(
            "这本书的未来",
            "We would like this book to evolve in the spirit of free software."
        ));
        assert!(!is_half_translated("安装 nginx", "在服务器上安装 nginx，然后启动 systemd 服务。"));
        assert!(!is_half_translated("Größe ändern", "Die Größe lässt sich ändern."));
    }

    #[test]
    fn chinese_counts_by_characters() {
        assert_eq!(judged("年假", "员工每年享有二十五天带薪年假，须提前申请。"), Err(Fault::ShortQuery));
        assert!(judged("年假天数", "员工每年享有二十五天带薪年假，须提前申请。").is_ok());
    }

    #[test]
    fn files_of_licences_are_known_by_name() {
        assert!(is_legal_name("LICENSE") && is_legal_name("changelog.Debian.gz") && is_legal_name("COPYING.LESSER"));
        assert!(
            is_legal_name("license-mit.txt")
                && !is_legal_name("licensing-server.md")
                && !is_legal_name("newsletter.html")
        );
    }
}
