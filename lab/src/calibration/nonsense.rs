//! Nonsense: texts without meaning, made by rule out of the lengths of real words, the same for the same seed.

use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use storage::{Script, runs};

/// Most words of one text.
const WORDS: usize = 6;
const CONSONANTS: &[u8] = b"bcdfghjklmnpqrstvwxz";
const VOWELS: &[u8] = b"aeiouy";

/// A text with words as long as those of `text`: of every second seed like spoken syllables, of the others like keys hit at random; in
/// scripts without spaces, characters at random.
pub(super) fn like(text: &str, seed: u64) -> String {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
    let is_spoken = seed.is_multiple_of(2);
    let words = runs(text).take(WORDS).map(|(range, script)| {
        let length = text[range].chars().count();
        (0..length).map(|at| letter(&mut chance, script, is_spoken, at)).collect::<String>()
    });
    words.collect::<Vec<_>>().join(" ")
}

fn letter(chance: &mut Xoshiro256PlusPlus, script: Script, is_spoken: bool, at: usize) -> char {
    let of = |letters: &[u8], number: usize| char::from(letters[number % letters.len()]);
    match script {
        Script::Unspaced => char::from_u32(chance.random_range(0x4E00..0x9F00)).unwrap_or('一'),
        Script::Spaced if is_spoken && at % 2 == 1 => of(VOWELS, chance.random_range(0..VOWELS.len())),
        Script::Spaced if is_spoken => of(CONSONANTS, chance.random_range(0..CONSONANTS.len())),
        Script::Spaced => char::from(chance.random_range(b'a'..=b'z')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_as_long_as_sense_and_always_the_same() {
        for seed in 0..4 {
            let made = like("how much leave do I get", seed);
            assert_eq!(made, like("how much leave do I get", seed));
            let lengths: Vec<usize> = made.split(' ').map(str::len).collect();
            assert_eq!(lengths, [3, 4, 5, 2, 1, 3]);
            assert_eq!(like("年假有多少天", seed).chars().count(), 6);
        }
        assert_ne!(like("how much", 1), like("how much", 3));
    }
}
