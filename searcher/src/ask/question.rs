//! Questions: whether a text asks something, and what kind of thing its answer names. English, German and Chinese.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation as _;

/// What an answer has to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A number, an amount, a length of time.
    Number,
    /// A day, a time of day, a year.
    Time,
    /// Somebody or something with a name, a place.
    Name,
    /// Anything else: how, why, whether.
    Anything,
}

/// Words that a question begins with, or that ask for a number or a time.
const OPENERS: &[&str] = &[
    "who", "whom", "whose", "what", "which", "when", "where", "why", "how", "is", "are", "was", "were", "do", "does",
    "did", "can", "could", "may", "must", "should", "shall", "will", "would", "has", "have", "am", "wer", "wen", "wem",
    "wessen", "was", "welche", "welcher", "welches", "welchen", "wann", "wo", "wohin", "woher", "warum", "wieso",
    "weshalb", "wie", "wieviel", "wieviele", "ist", "sind", "kann", "darf", "muss", "soll", "gibt", "habe", "hat",
];
const NUMBER: &[&str] = &[
    "how many",
    "how much",
    "how long",
    "how often",
    "how old",
    "how far",
    "how big",
    "how large",
    "how high",
    "how tall",
    "how deep",
    "how fast",
    "how heavy",
    "what percentage",
    "what number",
    "what share",
    "what amount",
    "wie viel",
    "wie viele",
    "wieviel",
    "wieviele",
    "wie lange",
    "wie oft",
    "wie hoch",
    "wie alt",
    "wie weit",
    "wie gross",
    "wie groß",
    "多少",
    "几",
    "多久",
    "多长",
    "多大",
    "多高",
    "多远",
    "多重",
    "百分之几",
];
const TIME: &[&str] = &[
    "when",
    "what year",
    "which year",
    "what day",
    "which day",
    "what time",
    "what date",
    "which month",
    "until when",
    "since when",
    "wann",
    "bis wann",
    "seit wann",
    "um wie viel uhr",
    "什么时候",
    "何时",
    "哪年",
    "哪一年",
    "几月",
    "几点",
    "哪天",
    "哪一天",
];
const NAME: &[&str] = &["who", "whom", "whose", "where", "wer", "wen", "wem", "wo", "wohin"];
/// What makes a Chinese text a question.
const CHINESE: &[&str] = &[
    "吗",
    "什么",
    "怎么",
    "怎样",
    "如何",
    "为何",
    "为什么",
    "多少",
    "多久",
    "多长",
    "谁",
    "哪",
    "几",
    "是否",
    "能否",
    "可否",
    "呢",
    "有没有",
    "能不能",
    "可不可以",
    "是不是",
    "何时",
    "何处",
];
/// Numbers in words.
const COUNTS: &[&str] = &[
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "fifteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "ninety",
    "hundred",
    "thousand",
    "million",
    "billion",
    "half",
    "quarter",
    "dozen",
    "once",
    "twice",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "annually",
    "ein",
    "eine",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "zwanzig",
    "hundert",
    "tausend",
    "million",
    "millionen",
    "einmal",
    "zweimal",
];
const MONTHS_AND_DAYS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "today",
    "tomorrow",
    "yesterday",
    "noon",
    "midnight",
    "morning",
    "evening",
    "night",
    "week",
    "weeks",
    "day",
    "days",
    "month",
    "months",
    "year",
    "years",
    "century",
    "januar",
    "februar",
    "märz",
    "mai",
    "juni",
    "juli",
    "oktober",
    "dezember",
    "montag",
    "dienstag",
    "mittwoch",
    "donnerstag",
    "freitag",
    "samstag",
    "sonntag",
    "tag",
    "tage",
    "woche",
    "wochen",
    "monat",
    "monate",
    "jahr",
    "jahre",
];
const CHINESE_COUNTS: &str = "零一二三四五六七八九十百千万亿两半";
const CHINESE_TIMES: &str = "年月日号时点周天";

/// Whether a word only makes a text a question.
pub(super) fn is_opener(word: &str) -> bool {
    OPENERS.contains(&word) || CHINESE.contains(&word)
}

/// Whether somebody asks something, rather than naming what to look for.
pub fn is_question(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    if text.ends_with(['?', '？']) {
        return true;
    }
    let words: Vec<&str> = text.unicode_words().collect();
    let is_opened = words.first().is_some_and(|first| OPENERS.contains(first)) && words.len() >= 3;
    is_opened || (is_chinese(&text) && CHINESE.iter().any(|word| text.contains(word)))
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(storage::is_unspaced)
}

impl Wanted {
    /// What the answer to a question has to name.
    pub fn of(question: &str) -> Self {
        let question = question.to_lowercase();
        let asks = |phrases: &[&str]| phrases.iter().any(|phrase| contains(&question, phrase));
        // "When" before "how many": 几点 asks for a time and holds what asks for a number.
        if asks(TIME) {
            Self::Time
        } else if asks(NUMBER) {
            Self::Number
        } else if asks(NAME) {
            Self::Name
        } else {
            Self::Anything
        }
    }

    /// Whether a text names such a thing beyond what the question names itself; `None` where anything may be an answer, or it cannot
    /// be told in its script.
    pub fn is_named(self, text: &str, question: &str) -> Option<bool> {
        let asked: HashSet<String> = question.unicode_words().map(str::to_lowercase).collect();
        let fresh = |word: &&str| !asked.contains(&word.to_lowercase());
        let words: Vec<&str> = text.unicode_words().filter(fresh).collect();
        let has_digits = words.iter().any(|word| word.contains(|c: char| c.is_ascii_digit()));
        let has_any = |list: &[&str]| words.iter().any(|word| list.contains(&word.to_lowercase().as_str()));
        match self {
            Self::Number => Some(
                has_digits
                    || has_any(COUNTS)
                    || text.chars().any(|c| CHINESE_COUNTS.contains(c) && !question.contains(c)),
            ),
            Self::Time => {
                let is_chinese_time = text.contains(|c: char| CHINESE_TIMES.contains(c)) && is_chinese(text);
                Some(has_digits || has_any(MONTHS_AND_DAYS) || is_chinese_time)
            }
            Self::Name if is_chinese(text) => None,
            // Of the first word, a capital says nothing.
            Self::Name => {
                Some(text.unicode_words().skip(1).filter(fresh).any(|word| word.starts_with(char::is_uppercase)))
            }
            Self::Anything => None,
        }
    }
}

/// Whether a text holds a phrase: as words in scripts with spaces, anywhere in others.
fn contains(text: &str, phrase: &str) -> bool {
    if is_chinese(phrase) {
        return text.contains(phrase);
    }
    text.match_indices(phrase).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + phrase.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_told_from_what_is_looked_for() {
        for question in [
            "how many days of leave do I get",
            "who signs travel claims?",
            "travel claims?",
            "Wie viele Urlaubstage habe ich",
            "年假有几天",
            "怎么报销差旅费",
            "can I carry over holidays",
        ] {
            assert!(is_question(question), "{question}");
        }
        for name in ["travel claims", "ERR_4711", "how to", "年假", "annual leave 2025", "may 2024", "", "什"] {
            assert!(!is_question(name), "{name}");
        }
    }

    #[test]
    fn an_answer_names_what_was_asked_for() {
        for (question, wanted, names, not) in [
            ("How many days of leave do I get?", Wanted::Number, "Staff have 27 days.", "Staff have days."),
            ("how long is the notice", Wanted::Number, "It is three months.", "It is long."),
            ("when is the office closed", Wanted::Time, "On Friday it closes.", "It closes."),
            ("Who signs claims", Wanted::Name, "The claim is signed by Anna.", "The claim is signed."),
            ("Wie viele Tage", Wanted::Number, "Es sind zwei.", "Es sind viele."),
            ("年假有多少天", Wanted::Number, "员工有十五天年假。", "员工有年假。"),
            ("什么时候放假", Wanted::Time, "一月三日放假。", "放假了。"),
        ] {
            assert_eq!(Wanted::of(question), wanted, "{question}");
            assert_eq!(wanted.is_named(names, question), Some(true), "{names}");
            assert_eq!(wanted.is_named(not, question), Some(false), "{not}");
        }
        assert_eq!(Wanted::of("how do I apply"), Wanted::Anything);
        assert_eq!(Wanted::of("whole grain"), Wanted::Anything, "who is no part of a word");
        // What stands in the question is no news.
        let question = "how many of the 50 seats are free";
        assert_eq!(Wanted::of(question).is_named("All 50 seats are taken.", question), Some(false));
    }
}
