//! Follow-up questions: a question that leans on the one before it is completed by it, so that it can be searched for by itself.

use unicode_segmentation::UnicodeSegmentation as _;

/// How a question begins that goes on with the one before.
const CONNECTORS: &[&str] =
    &["and", "or", "but", "what about", "how about", "also", "und", "oder", "aber", "was ist mit", "auch"];
const CHINESE_CONNECTORS: &[&str] = &["那", "那么", "还有", "如果", "以及", "另外"];
/// Words that stand for something that was named before.
const PRONOUNS: &[&str] = &[
    "it", "its", "they", "them", "their", "that", "those", "this", "these", "there", "he", "she", "him", "her", "one",
    "ones", "es", "sie", "ihn", "ihm", "ihr", "das", "dies", "diese", "dieser", "dort", "dafür", "davon",
];
const CHINESE_PRONOUNS: &[&str] = &["它", "他", "她", "这个", "那个", "这些", "那些", "这里", "那里"];
/// Questions of more words stand by themselves, whatever they begin with.
const MOST_WORDS: usize = 12;

/// The question by itself: with the one before it where it leans on that, otherwise as it is.
pub fn standalone(question: &str, before: Option<&str>) -> String {
    let question = question.trim();
    match before.map(str::trim).filter(|before| !before.is_empty() && leans(question)) {
        Some(before) => format!("{before} {question}"),
        None => question.to_owned(),
    }
}

fn leans(question: &str) -> bool {
    let lower = question.to_lowercase();
    let words: Vec<&str> = lower.unicode_words().collect();
    if lower.chars().any(storage::is_unspaced) {
        let is_short = lower.chars().count() <= MOST_WORDS * 2;
        return is_short
            && (CHINESE_CONNECTORS.iter().any(|word| lower.starts_with(word))
                || CHINESE_PRONOUNS.iter().any(|word| lower.contains(word)));
    }
    let begins = |connector: &&str| words.join(" ").starts_with(&format!("{connector} "));
    words.len() <= MOST_WORDS && (CONNECTORS.iter().any(begins) || words.iter().any(|word| PRONOUNS.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leans_on_the_question_before_is_completed_by_it() {
        let before = "how many days of leave do I get?";
        for question in ["and in Leeds?", "What about part-time staff", "can I carry them over?", "und in Leeds?"] {
            assert_eq!(standalone(question, Some(before)), format!("{before} {question}"));
        }
        assert_eq!(standalone("那试用期呢？", Some("年假有几天？")), "年假有几天？ 那试用期呢？");
        for question in ["how do I reset my password", "who signs travel claims?", "怎么报销差旅费"] {
            assert_eq!(standalone(question, Some(before)), question);
        }
        assert_eq!(standalone(" and in Leeds? ", None), "and in Leeds?");
        assert_eq!(standalone("and in Leeds?", Some(" ")), "and in Leeds?");
    }
}
