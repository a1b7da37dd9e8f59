//! Texts as answers are compared with them.

/// Letters of a text that may stand for a longer one.
const LEAST: usize = 8;

/// A text in one line, without markup that a reader takes away, in lower case.
pub fn flat(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !"*_`|".contains(*c)).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether a flat sentence holds a flat answer, or is most of it.
pub fn agree(sentence: &str, answer: &str) -> bool {
    let is_part =
        || sentence.chars().count() >= LEAST && answer.contains(sentence) && sentence.len() * 2 >= answer.len();
    !answer.is_empty() && (sentence.contains(answer) || is_part())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_whatever_its_markup() {
        let sentence = flat("| The parent who **gives birth** |\n 20 weeks |");
        assert!(
            agree(&sentence, &flat("20 weeks")) && agree(&sentence, &flat("The parent who gives birth | 20 weeks"))
        );
        assert!(!agree(&sentence, &flat("12 weeks")) && !agree(&sentence, ""));
        // A word of the answer is not the answer.
        assert!(!agree("20 weeks", &flat("The parent who gives birth may stay at home for 20 weeks")));
    }
}
