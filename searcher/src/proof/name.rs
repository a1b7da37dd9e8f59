//! Names: the words of a sentence that stand for one thing only (names, abbreviations, codes, addresses), and whether its
//! evidence has them.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation as _;

use super::figure;

/// From this share of capitals on (of words that are not the first) a language writes all its nouns so, and capitals say nothing.
const NOUNS: f64 = 0.3;
/// Fewer words than this do not tell.
const FEW: usize = 6;

/// Whether a sentence holds a web address, or what looks like one: a host with a path.
pub(super) fn has_address(sentence: &str) -> bool {
    let sentence = sentence.to_lowercase();
    let is_host_with_path = |token: &str| {
        let host = token.split('/').next().unwrap_or_default();
        token.contains('/') && host.contains('.') && host.split('.').all(|part| part.chars().count() > 1)
    };
    if tokens(&sentence).any(is_host_with_path) {
        return true;
    }
    sentence.contains("://")
        || sentence.contains("www.")
        || sentence.contains("mailto:")
        || sentence.contains("javascript:")
}

/// The first name of a sentence that neither its evidence nor the question has.
pub(super) fn missing(sentence: &str, evidence: &str, question: &str) -> Option<String> {
    let known = format!("{evidence}\n{question}").to_lowercase();
    let words: HashSet<&str> = known.unicode_words().collect();
    let code = tokens(sentence).find(|token| !known.contains(&token.to_lowercase()));
    let is_known = |name: &str| words.contains(name.to_lowercase().as_str()) || known.contains(&name.to_lowercase());
    code.or_else(|| names(sentence).find(|name| !is_known(name))).map(str::to_owned)
}

/// Codes, addresses and file names: letters together with digits or signs.
fn tokens(sentence: &str) -> impl Iterator<Item = &str> {
    let is_end =
        |c: char| c.is_whitespace() || storage::is_unspaced(c) || "(),;\"“”'<>[]{}，。；：、（）「」".contains(c);
    let pieces = sentence.split(is_end).map(|piece| piece.trim_matches(['.', ':', '!', '?', '-']));
    pieces.filter(|piece| is_code(piece))
}

fn is_code(piece: &str) -> bool {
    let has_letters = piece.contains(char::is_alphabetic);
    let has_digits = piece.contains(|c: char| c.is_ascii_digit());
    // `27-day` is a number and a word.
    let is_measure = piece.starts_with(|c: char| c.is_ascii_digit()) && piece.split('-').all(is_number_or_word);
    let is_path = piece.contains("://") || piece.starts_with('/') || piece.contains(['@', '_', '\\', '#']);
    // `quarry.toml`, not `e.g`.
    let is_dotted = piece.contains('.') && piece.split('.').all(|part| part.chars().count() > 1);
    has_letters && (has_digits && !is_measure || is_path || is_dotted)
}

fn is_number_or_word(part: &str) -> bool {
    let digits = part.chars().filter(char::is_ascii_digit).count();
    let (first, rest) =
        part.split_at(part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len());
    digits == 0 || (!first.is_empty() && rest.chars().all(char::is_alphabetic) && rest.chars().count() <= 2)
}

/// Words with a capital that are not the first of a sentence.
fn names(sentence: &str) -> impl Iterator<Item = &str> {
    let words: Vec<(usize, &str)> = sentence.unicode_word_indices().collect();
    let is_first = |at: usize| {
        let before = sentence[..at].trim_end_matches(|c: char| c.is_whitespace() || "\"“'(".contains(c));
        before.is_empty() || before.ends_with(['.', ':', '!', '?', '。'])
    };
    let is_long = |word: &str| word.chars().count() > 1 && !figure::is_unit(&word.to_lowercase());
    let has_capital = |word: &str| word.starts_with(char::is_uppercase) && is_long(word);
    let inner: Vec<&str> = words.iter().filter(|(at, _)| !is_first(*at)).map(|(_, word)| *word).collect();
    let capitals = inner.iter().filter(|word| has_capital(word)).count();
    let are_nouns = inner.len() >= FEW && capitals as f64 >= NOUNS * inner.len() as f64;
    let is_short = |word: &&str| word.chars().all(char::is_uppercase);
    let names: Vec<&str> =
        inner.into_iter().filter(|word| has_capital(word) && (!are_nouns || is_short(word))).collect();
    names.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_files() {
        for address in
            ["https://a.example", "see www.a.example", "evil.example/login", "ask at intranet.corp.example/hr/leave."]
        {
            assert!(has_address(address), "{address}");
        }
        for other in ["/etc/quarry.toml", "src/main.rs and lib.rs", "e.g. and/or", "hr@company.example", "24/7", "Nest"]
        {
            assert!(!has_address(other), "{other}");
        }
    }

    #[test]
    fn names_and_codes_have_to_be_there() {
        for (said, evidence, what) in [
            ("Claims are signed by Maria.", "Claims are signed by Anna.", Some("Maria")),
            ("Claims are signed by Anna.", "claims: anna", None),
            ("Maria signs claims.", "Anna signs", None),
            ("Set it in /etc/quarry/quarry.toml.", "It is set in /etc/quarry.toml.", Some("/etc/quarry/quarry.toml")),
            ("Write to hr@company.example, please", "write to HR@company.example", None),
            ("Use https://evil.example/x now", "use the form", Some("https://evil.example/x")),
            ("The error is ERR_4711.", "the error err_4712", Some("ERR_4711")),
            ("It needs the BX7700 unit", "the BX-7700", Some("BX7700")),
            ("A 27-day leave of 5kg", "nothing", None),
            ("The HR team decides", "the team of personnel decides", Some("HR")),
            ("年假在Nest系统申请", "通过系统Oracle申请", Some("Nest")),
            ("年假在Nest系统申请", "通过NEST系统申请", None),
            ("Der Antrag wird von der Abteilung für Personal über das Portal gestellt", "antrag", None),
        ] {
            assert_eq!(missing(said, evidence, "").as_deref(), what, "{said} / {evidence}");
        }
        assert_eq!(missing("In Leeds it is open.", "It is open.", "is it open in Leeds?"), None);
    }
}
