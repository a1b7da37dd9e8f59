//! Shingles, runs of consecutive words, by which a document's likeness to others is measured.

use std::collections::VecDeque;

use storage::{SimHash, plain_words};

/// Words of a shingle. Three tell the order of words apart and survive small edits.
const WORDS: usize = 3;

/// The fingerprint of a text by its shingles. Case, punctuation and white space do not count; scripts without spaces
/// count by characters.
pub(crate) fn fingerprint(text: &str) -> SimHash {
    // Only the words of one shingle are held: a text of megabytes has millions.
    let mut run: VecDeque<String> = VecDeque::with_capacity(WORDS);
    let mut full = false;
    let shingles = plain_words(text).filter_map(|word| {
        if run.len() == WORDS {
            run.pop_front();
        }
        run.push_back(word);
        full |= run.len() == WORDS;
        (run.len() == WORDS).then(|| hash(&run))
    });
    let whole = SimHash::of(shingles);
    if full || run.is_empty() { whole } else { SimHash::of(std::iter::once(hash(&run))) }
}

fn hash(shingle: &VecDeque<String>) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for word in shingle {
        hasher.update(word.as_bytes()).update(&[0]);
    }
    let mut head = [0; 16];
    head.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_keep_the_fingerprint_near_and_other_texts_are_far() {
        let line =
            |number: usize| format!("Rule {number}: the {number}th claim needs form F-{number} and a signature. ");
        let policy: String = (0..40).map(line).collect();
        let edited = policy.replace("Rule 7:", "Rule seven (new):").to_uppercase();
        let other: String =
            (0..40).map(|n| format!("Sensor {n} sends {n} readings to the gateway every hour. ")).collect();
        let near = fingerprint(&policy).distance(fingerprint(&edited));
        let far = fingerprint(&policy).distance(fingerprint(&other));
        assert!(near <= 16, "{near}");
        assert!(far > 40, "{far}");
        assert_eq!(fingerprint("One, two;\nthree four").distance(fingerprint("one two three FOUR")), 0);
    }

    #[test]
    fn scripts_without_spaces_count_by_characters() {
        let text = "出差费用报销办法。罚款、选座费、酒水和同行家属的费用不予报销。请在四十五天之内提交申请并附上收据。";
        assert!(fingerprint(text).distance(fingerprint(&text.replace("四十五", "六十"))) < 40);
        assert_eq!(plain_words("a中文b").collect::<Vec<_>>(), ["a", "中", "文", "b"]);
        assert_eq!(fingerprint(""), fingerprint("..."));
    }
}
