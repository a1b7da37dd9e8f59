//! Chinese that was typed by its sound: letters (pinyin) in the place of characters, and characters in the place of others
//! that sound alike, which is what is chosen wrongly when one types.
//!
//! What was meant is looked for among the pairs of characters of the index, and only such pairs count as words whose
//! characters stand beside each other more often than by chance (pointwise mutual information, Church and Hanks 1990): two
//! characters that only meet at the border of two words are none.

use std::collections::HashMap;
use std::ops::Range;

use storage::{AnalysedTerm, Analyzer, LexicalQuery, View, homophones, in_syllables, sounding};

use super::{Candidate, Found, Role, Speller, Word};
use crate::error::SearchError;

/// Letters that are read as syllables at once.
const LETTERS: usize = 40;

/// Syllables that are read as characters at once.
const SYLLABLES: std::ops::RangeInclusive<usize> = 2..=6;
/// Characters of a word.
const WORD: std::ops::RangeInclusive<usize> = 2..=4;
/// Ways to cut letters into syllables that are tried.
const MAX_WAYS: usize = 3;
/// Words of a query that are read as characters: each may be a look at all pairs of some hundred characters.
const MAX_SPELLED: usize = 4;
/// Pairs that are looked at for two sounds, the most frequent ones.
const MAX_PAIRS: usize = 48;
/// Beginnings of longer words that are gone on with, and words that are told.
const MAX_KEPT: usize = 5;
/// What makes a word of two characters: the least pointwise mutual information of their standing beside each other.
enum Bond {
    /// Of all places where two characters can: nearly all words pass, and what meets by chance does not.
    Places(f64),
    /// Of all passages, which asks for much more: of a long passage nobody can tell why it holds both.
    Passages(f64),
}

/// Of a word that was spelled out.
const SPELLED: Bond = Bond::Places(2.0);
/// Of one that was meant by another character, which may be a word that the index does not hold.
const MISHEARD: Bond = Bond::Passages(1.0);
/// Passages that hold such a word, at least.
const HELD: u64 = 2;
/// What each further word costs, in the logarithm of its frequency.
const FURTHER_WORD: f64 = 1.0;
/// Characters that stand beside any word: that one is at the border of two words says nothing.
const PARTICLES: &str = "的了吗呢吧啊么我你您他她它是在有和与或及被把对为从到这那哪谁几多少不没也都就还要想会能可请怎什何如给让得地着过个们";

impl Speller<'_> {
    /// What of the query sounds like words of the index and is none, where nothing else was found.
    pub(super) fn sounded(&self, found: &[Found]) -> Result<Vec<Found>, SearchError> {
        let Some(mut ear) = Ear::of(self.view)? else { return Ok(Vec::new()) };
        let mut sounded = Vec::new();
        let is_free = |word: &&Word| !found.iter().any(|other| other.range.contains(&word.range.start));
        let words: Vec<&Word> = self.words.iter().filter(is_free).collect();
        let goes_on = |one: &&Word, next: &&Word| {
            let between = self.query.get(one.range.end..next.range.start).unwrap_or_default();
            one.is_letters() && next.is_letters() && between.chars().all(char::is_whitespace)
        };
        // Beside other words that are written in letters, these may be a word of theirs: "dating".
        let has_other_words = |range: &Range<usize>| {
            let others = self.words.iter().filter(|word| !range.contains(&word.range.start) && word.is_plain);
            others.into_iter().any(|word| !word.is_letters())
        };
        let mut spelled_out = 0;
        for words in words.chunk_by(goes_on) {
            let (Some(first), Some(last)) = (words.first(), words.last()) else { continue };
            if first.is_characters {
                let misheard = ear.misheard(&first.text)?.into_iter();
                let within = |range: Range<usize>| first.range.start + range.start..first.range.start + range.end;
                // The index may lack a word that is right.
                sounded.extend(misheard.map(|(range, meant)| self.sounds(within(range), meant, Role::Suggested)));
            } else if first.is_letters() && spelled_out < MAX_SPELLED {
                spelled_out += 1;
                let range = first.range.start..last.range.end;
                let spelled = self.spelled(&mut ear, words)?;
                let role = if has_other_words(&range) { Role::Suggested } else { Role::Sounds };
                sounded.extend(spelled.map(|meant| self.sounds(range, meant, role)));
            }
        }
        Ok(sounded)
    }

    /// The characters that the letters of neighbouring words stand for.
    fn spelled(&self, ear: &mut Ear<'_>, words: &[&Word]) -> Result<Option<String>, SearchError> {
        let mut letters = String::new();
        let mut borders = Vec::with_capacity(words.len());
        for word in words {
            letters += &word.text;
            borders.push(letters.len());
        }
        if letters.len() > LETTERS {
            return Ok(None);
        }
        let heard = ear.spelled(&letters, &borders)?.into_iter();
        let candidates = heard.map(|heard| Candidate::new(heard.text, 0.0, heard.holders)).collect();
        Ok(self.best(words[0], candidates)?.map(|best| best.text))
    }

    fn sounds(&self, range: Range<usize>, meant: String, role: Role) -> Found {
        Found { typed: self.query[range.clone()].to_owned(), range, meant, role }
    }
}

impl Word {
    /// Whether it may be pinyin: syllables that are no word of the index.
    fn is_letters(&self) -> bool {
        let is_lower = self.text.bytes().all(|letter| letter.is_ascii_lowercase());
        self.is_plain && self.holders == 0 && is_lower && !in_syllables(&self.text).is_empty()
    }
}

/// Characters and how sure they are.
#[derive(Debug, Clone, PartialEq)]
struct Heard {
    /// The characters, words apart.
    text: String,
    /// Passages that hold them, at the most.
    holders: u64,
}

/// Two characters of the index that are a word or a part of one.
#[derive(Debug, Clone, Copy)]
struct Pair {
    first: char,
    second: char,
    holders: u64,
}

impl Pair {
    fn text(self) -> String {
        String::from_iter([self.first, self.second])
    }

    fn worth(self) -> f64 {
        (self.holders as f64).ln_1p()
    }
}

/// What the index holds, asked for sounds.
struct Ear<'v> {
    view: &'v View,
    /// Characters of the index, about.
    places: f64,
    /// Passages that hold single characters.
    holders: HashMap<char, u64>,
    /// The words of two syllables.
    spelled: HashMap<(String, String), Vec<Pair>>,
}

impl<'v> Ear<'v> {
    /// `None` where nothing of the index is in Chinese.
    fn of(view: &'v View) -> Result<Option<Self>, SearchError> {
        if !view.languages().iter().any(|language| language == "zh") {
            return Ok(None);
        }
        // Each stands by itself, and in a pair.
        let places = view.grams()? as f64 / 2.0;
        Ok(Some(Self { view, places, holders: HashMap::new(), spelled: HashMap::new() }))
    }

    /// The characters that letters stand for, the likeliest first; `borders` are the places between two words that were typed,
    /// where one syllable ends.
    fn spelled(&mut self, letters: &str, borders: &[usize]) -> Result<Vec<Heard>, SearchError> {
        let mut heard: Option<(f64, Vec<Heard>)> = None;
        let ways = in_syllables(letters).into_iter().filter(|way| SYLLABLES.contains(&way.len()));
        let ways = ways.filter(|way| borders.iter().all(|border| ends(way).any(|end| end == *border)));
        for way in ways.take(MAX_WAYS) {
            let Some((worth, words)) = self.read(&way)? else { continue };
            let worth = worth / way.len() as f64;
            if heard.as_ref().is_none_or(|(best, _)| worth > *best) {
                heard = Some((worth, words));
            }
        }
        Ok(heard.map(|(_, words)| words).unwrap_or_default())
    }

    /// The likeliest words that have these syllables, and what they are worth together; for two syllables, all likely ones.
    fn read(&mut self, way: &[&str]) -> Result<Option<(f64, Vec<Heard>)>, SearchError> {
        let mut pairs: Vec<Vec<Pair>> = Vec::with_capacity(way.len());
        for two in way.windows(2) {
            pairs.push(self.of_syllables(two[0], two[1])?);
        }
        if let [only] = pairs.as_slice() {
            let words = only.iter().take(MAX_KEPT).map(|pair| Heard { text: pair.text(), holders: pair.holders });
            let words: Vec<Heard> = words.collect();
            return Ok(only.first().map(|best| (2.0 * best.worth() - FURTHER_WORD, words)));
        }
        let mut best: Vec<Option<(f64, Heard)>> = vec![None; way.len() + 1];
        best[0] = Some((0.0, Heard { text: String::new(), holders: u64::MAX }));
        for start in 0..way.len() {
            let Some((before, sofar)) = best[start].clone() else { continue };
            for length in WORD {
                let Some(chained) = pairs.get(start..start + length - 1) else { continue };
                let Some((worth, word)) = self.word(chained)? else { continue };
                let worth = before + worth - FURTHER_WORD;
                if best[start + length].as_ref().is_none_or(|(other, _)| worth > *other) {
                    let holders = sofar.holders.min(word.holders);
                    let parts = [sofar.text.as_str(), word.text.as_str()];
                    let text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
                    best[start + length] = Some((worth, Heard { text, holders }));
                }
            }
        }
        Ok(best.pop().flatten().map(|(worth, heard)| (worth, vec![heard])))
    }

    /// The words that have these two syllables. Ways to read the same letters share most of theirs.
    fn of_syllables(&mut self, first: &str, second: &str) -> Result<Vec<Pair>, SearchError> {
        let both = (first.to_owned(), second.to_owned());
        if let Some(known) = self.spelled.get(&both) {
            return Ok(known.clone());
        }
        let pairs = self.pairs(sounding(first), sounding(second), &SPELLED)?;
        self.spelled.insert(both, pairs.clone());
        Ok(pairs)
    }

    /// The likeliest word that these pairs chain up to, each with the one behind it.
    fn word(&self, pairs: &[Vec<Pair>]) -> Result<Option<(f64, Heard)>, SearchError> {
        let Some((first, further)) = pairs.split_first() else { return Ok(None) };
        let begin = |pair: &Pair| (pair.worth(), Heard { text: pair.text(), holders: pair.holders });
        let mut words: Vec<(f64, Heard)> = first.iter().map(begin).collect();
        for next in further {
            words.truncate(MAX_KEPT * MAX_KEPT);
            let longer = words.iter().flat_map(|(worth, word)| {
                let goes_on = next.iter().filter(|pair| word.text.ends_with(pair.first));
                goes_on.map(move |pair| {
                    let text = format!("{}{}", word.text, pair.second);
                    (worth + pair.worth(), Heard { text, holders: word.holders.min(pair.holders) })
                })
            });
            words = longer.collect();
            words.sort_by(|a, b| b.0.total_cmp(&a.0));
        }
        // The mean of its pairs, for each of its characters.
        let factor = (pairs.len() + 1) as f64 / pairs.len() as f64;
        for (worth, word) in words.into_iter().take(MAX_KEPT) {
            if further.is_empty() || self.stands(&word.text)? {
                return Ok(Some((worth * factor, word)));
            }
        }
        Ok(None)
    }

    /// Whether some passage holds these characters in this order.
    fn stands(&self, text: &str) -> Result<bool, SearchError> {
        let query = LexicalQuery { phrases: vec![text.to_owned()], ..LexicalQuery::default() };
        Ok(self.view.count(&self.view.analyse(&query))? > 0)
    }

    /// What of a run of characters sounds like something that the index holds, and is not held itself: bytes of the run, and the
    /// characters that were meant.
    fn misheard(&mut self, run: &str) -> Result<Vec<(Range<usize>, String)>, SearchError> {
        let characters = self.characters(run)?;
        let mut misheard: Vec<(Range<usize>, String)> = Vec::new();
        let mut from = 0;
        for index in 0..characters.list.len() {
            if index < from || !characters.is_apart(index) {
                continue;
            }
            let alike = characters.at(index).map(homophones).unwrap_or_default();
            let mut candidates: Vec<(usize, Pair)> = Vec::new();
            if let Some(before) = index.checked_sub(1).filter(|before| *before >= from).and_then(|at| characters.at(at))
            {
                let pairs = self.pairs(&[before], &alike, &MISHEARD)?;
                candidates.extend(pairs.into_iter().map(|pair| (index - 1, pair)));
            }
            if let Some(behind) = characters.at(index + 1) {
                let pairs = self.pairs(&alike, &[behind], &MISHEARD)?;
                candidates.extend(pairs.into_iter().map(|pair| (index, pair)));
            }
            candidates.retain(|(_, pair)| pair.holders >= HELD);
            let Some((first, pair)) = candidates.into_iter().max_by_key(|(_, pair)| pair.holders) else { continue };
            misheard.push((characters.range(first, first + 1), pair.text()));
            from = first + 2;
        }
        Ok(misheard)
    }

    /// The characters of a run, one by one, as the index folds them.
    fn characters(&self, run: &str) -> Result<Characters, SearchError> {
        let single = |gram: AnalysedTerm| {
            let mut characters = gram.text.chars();
            let (only, None) = (characters.next()?, characters.next()) else { return None };
            Some((only, gram.span))
        };
        let list: Vec<(char, Range<usize>)> = Analyzer::grams(run).into_iter().filter_map(single).collect();
        let is_held = |pair: &[(char, Range<usize>)]| {
            let pair: String = pair.iter().map(|(character, _)| *character).collect();
            Ok(self.view.gram_holders(&pair)? > 0)
        };
        let is_held = list.windows(2).map(is_held).collect::<Result<_, SearchError>>()?;
        Ok(Characters { list, is_held })
    }

    /// The pairs of the index that are words or parts of them, the most frequent first.
    fn pairs(&mut self, firsts: &[char], seconds: &[char], bond: &Bond) -> Result<Vec<Pair>, SearchError> {
        let mut pairs = Vec::new();
        for known in self.view.pairs(firsts, seconds)?.into_iter().take(MAX_PAIRS) {
            let mut characters = known.text.chars();
            let (Some(first), Some(second)) = (characters.next(), characters.next()) else { continue };
            let (of_first, of_second) = (self.holders(first)? as f64, self.holders(second)? as f64);
            let (of_all, least) = match bond {
                Bond::Places(least) => (self.places, *least),
                Bond::Passages(least) => (self.view.passages() as f64, *least),
            };
            let information = (known.holders as f64 * of_all / (of_first * of_second).max(1.0)).ln();
            if information >= least {
                pairs.push(Pair { first, second, holders: known.holders });
            }
        }
        Ok(pairs)
    }

    fn holders(&mut self, character: char) -> Result<u64, SearchError> {
        if let Some(known) = self.holders.get(&character) {
            return Ok(*known);
        }
        let holders = self.view.gram_holders(character.encode_utf8(&mut [0; 4]))?;
        self.holders.insert(character, holders);
        Ok(holders)
    }
}

/// A run of characters.
struct Characters {
    /// Each with its bytes of the run.
    list: Vec<(char, Range<usize>)>,
    /// Whether the index holds each together with the one behind it.
    is_held: Vec<bool>,
}

impl Characters {
    fn at(&self, index: usize) -> Option<char> {
        self.list.get(index).map(|(character, _)| *character)
    }

    fn range(&self, first: usize, last: usize) -> Range<usize> {
        self.list[first].1.start..self.list[last].1.end
    }

    /// Whether the index holds a character with neither of its neighbours, though it may begin or end a word.
    fn is_apart(&self, index: usize) -> bool {
        let is_word = self.at(index).is_some_and(|character| !PARTICLES.contains(character));
        let mut beside = index.saturating_sub(1)..(index + 1).min(self.is_held.len());
        is_word && beside.all(|pair| !self.is_held[pair])
    }
}

/// Where each syllable ends.
fn ends<'w>(way: &'w [&str]) -> impl Iterator<Item = usize> + 'w {
    way.iter().scan(0, |end, syllable| {
        *end += syllable.len();
        Some(*end)
    })
}
