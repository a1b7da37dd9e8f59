//! Negation: whether a text denies or forbids something. English, German and Chinese.

use unicode_segmentation::UnicodeSegmentation as _;

/// Words that deny or forbid.
const WORDS: &[&str] = &[
    "not",
    "no",
    "never",
    "nobody",
    "none",
    "nothing",
    "neither",
    "nor",
    "cannot",
    "without",
    "forbidden",
    "prohibited",
    "banned",
    "disallowed",
    "refused",
    "except",
    "unless",
    "nicht",
    "kein",
    "keine",
    "keinen",
    "keinem",
    "keiner",
    "keines",
    "nie",
    "niemals",
    "niemand",
    "nichts",
    "ohne",
    "weder",
    "verboten",
    "untersagt",
    "unzulässig",
    "außer",
];
/// Those that only bound a number, or go on.
const BOUNDS: &[&str] = &[
    "no later than",
    "no more than",
    "no less than",
    "no fewer than",
    "not more than",
    "not less than",
    "not later than",
    "not only",
    "nicht mehr als",
    "nicht nur",
    "nicht später als",
];
const CHINESE: &[&str] = &["不", "没", "无", "未", "勿", "禁止", "别", "非"];
/// What only looks like one of them.
const CHINESE_OTHERS: &[&str] = &[
    "不超过",
    "不少于",
    "不低于",
    "不晚于",
    "不仅",
    "不同",
    "不断",
    "不久",
    "无论",
    "未来",
    "非常",
    "别人",
    "分别",
    "特别",
    "类别",
    "级别",
    "不但",
];

/// Whether a text denies or forbids something.
pub(super) fn is_negated(text: &str) -> bool {
    let mut text = text.to_lowercase().replace('’', "'");
    for bound in BOUNDS.iter().chain(CHINESE_OTHERS) {
        text = text.replace(bound, " ");
    }
    let is_word = text.unicode_words().any(|word| WORDS.contains(&word) || word.ends_with("n't"));
    is_word || CHINESE.iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_is_told_from_what_is_not() {
        for denied in [
            "Contractors may not use the card.",
            "It isn’t paid out.",
            "Cards are forbidden.",
            "Das ist nicht erlaubt.",
            "Es gibt keine Karten.",
            "不得使用公司卡。",
            "禁止吸烟",
        ] {
            assert!(is_negated(denied), "{denied}");
        }
        for said in [
            "Contractors may use the card.",
            "No later than Friday.",
            "no more than 5 days",
            "Notice is given.",
            "nicht mehr als fünf Tage",
            "不超过五天",
            "非常重要",
        ] {
            assert!(!is_negated(said), "{said}");
        }
    }
}
