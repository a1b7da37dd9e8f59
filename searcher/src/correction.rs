//! Corrections of slips: words of a query that the index does not hold, or hardly, and the words of the index that were
//! meant instead.
//!
//! The dictionary is the index itself. What was meant is chosen as by a noisy channel (Kernighan, Church and Gale 1990): a
//! word's frequency, times how likely the slip is, times how well it goes with the other words of the query. Two words
//! may have been one, and one word two.
//!
//! Promises: a word that the index holds keeps being searched for, and one that it holds well is never looked at; codes,
//! numbers, names in capitals, quoted and excluded words are what they are; the cost for a query without slips is a
//! look into the dictionary for each word and each pair of neighbours.
//!
//! Chinese is typed by its sound, so that its slips are of another kind: see `sounded`.

mod sounded;

use std::cmp::Ordering;
use std::ops::Range;

use serde::Serialize;
use storage::{Alternative, Analyzer, KnownWord, LexicalQuery, LexicalWeights, Script, View, is_stopword, runs};

use crate::error::SearchError;
use crate::slips;

/// Letters of a word that is worth a look; shorter ones have too many neighbours.
const LETTERS: std::ops::RangeInclusive<usize> = 4..=40;
/// From so many letters on, a word may have two slips.
const LONG: usize = 8;
/// Words of a query whose neighbours are looked for.
const MAX_LOOKED_FOR: usize = 6;
/// Candidates for a word that are tried with the other words of the query.
const MAX_TRIED: usize = 5;
/// Other words that they are tried with.
const MAX_COMPANIONS: usize = 3;
/// How much a correction counts in the lexical retriever, where a word as typed counts 1: in the place of a word that the
/// index does not hold, and beside one that it holds.
const REPLACING: f32 = 1.0;
const JOINING: f32 = 0.8;
/// How much rarer (in the natural logarithm) a slip is that costs one more.
const RARITY: f64 = 4.0;
/// What a blank too many, or one too few, costs.
const BLANK: f32 = 0.8;
/// What a correction may cost that is searched for unasked, for words of few letters and of many.
const AFFORDABLE: [f32; 2] = [1.5, 2.2];
/// What a slip costs from which on it is one though the stem stays the same; below, letters are only doubled or not, as in
/// `travelling`, and what differs by less is another word of the index.
const RESPELLED: f32 = 0.6;
/// How much more frequent a neighbour is than a word that the index hardly holds, to be searched for unasked, and to be
/// suggested.
const OVERWHELMING: u64 = 50;
const SUGGESTIVE: u64 = 20;
/// How much more frequent one word is than two of which it is made, to be searched for beside them.
const JOINED: u64 = 5;
/// Beginnings that make a word its opposite.
const NEGATIONS: [&str; 6] = ["anti", "dis", "in", "non", "un", "im"];

/// What of a query was taken for a slip, and what was made of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Spelling {
    /// The query that the results are for, where words of it were corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected: Option<String>,
    /// The query that may have been meant; it was not searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
    /// The words.
    pub words: Vec<Correction>,
}

/// One word, or two that are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Correction {
    /// As it was typed.
    pub typed: String,
    /// What was meant.
    pub meant: String,
    /// Whether that was searched for too.
    pub searched: bool,
}

/// The corrections of a query.
#[derive(Debug, Default)]
pub(crate) struct Corrections(Vec<Found>);

/// A correction at its place.
#[derive(Debug)]
struct Found {
    /// Bytes of the query.
    range: Range<usize>,
    typed: String,
    meant: String,
    role: Role,
}

impl Found {
    fn replacement(&self) -> (Range<usize>, String) {
        (self.range.clone(), self.meant.clone())
    }
}

/// What is done with a correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It takes the place of what was typed, which the index does not hold.
    Replaces,
    /// The index has them for the same word, so that only the models read it in the place of what was typed.
    Respells,
    /// It is what sounds like that: the letters or the characters as typed are no words of the index, and are let go.
    Sounds,
    /// It is searched for beside what was typed.
    Joins,
    /// It is only suggested.
    Suggested,
}

impl Corrections {
    /// Looks for slips in the plain words of a query, which stand at these places; words at the places that are `understood`
    /// are known.
    pub(crate) fn of(
        view: &View,
        query: &str,
        places: &[Range<usize>],
        understood: &[Range<usize>],
    ) -> Result<Self, SearchError> {
        let speller = Speller::new(view, query, places, understood)?;
        let mut found = speller.joined()?;
        found.extend(speller.sounded(&found)?);
        let is_free =
            |word: &&Word, found: &[Found]| !found.iter().any(|other| other.range.contains(&word.range.start));
        let doubtful = speller.words.iter().filter(|word| speller.is_doubtful(word) && is_free(word, &found));
        let doubtful: Vec<&Word> = doubtful.take(MAX_LOOKED_FOR).collect();
        for word in doubtful {
            found.extend(if word.is_spelled { speller.correct(word)? } else { speller.respell(word)? });
        }
        found.sort_by_key(|correction| correction.range.start);
        Ok(Self(found))
    }

    /// What the lexical retriever looks for beside the words as typed.
    pub(crate) fn alternatives(&self) -> Vec<Alternative> {
        let searched = self.0.iter().filter(|found| matches!(found.role, Role::Replaces | Role::Joins));
        let alternative = |found: &Found, text: &str| Alternative {
            typed: found.typed.clone(),
            text: text.to_owned(),
            weight: if found.role == Role::Replaces { REPLACING } else { JOINING },
            language: None,
        };
        // Two words in the place of one are found wherever two words are.
        let texts = |found: &Found| match found.role {
            Role::Replaces => found.meant.split(' ').map(str::to_owned).collect(),
            _ => vec![found.meant.clone()],
        };
        searched
            .flat_map(|found| texts(found).into_iter().map(|text| alternative(found, &text)).collect::<Vec<_>>())
            .collect()
    }

    /// What the models read in the place of words that the index does not hold.
    pub(crate) fn replacements(&self) -> impl Iterator<Item = (Range<usize>, String)> + '_ {
        let replaces = |role| matches!(role, Role::Replaces | Role::Respells | Role::Sounds);
        self.0.iter().filter(move |found| replaces(found.role)).map(Found::replacement)
    }

    /// The query as the lexical retriever reads it: with what it sounds like; `None` if that is what was typed.
    pub(crate) fn heard(&self, query: &str) -> Option<String> {
        self.applied(query, |role| role == Role::Sounds)
    }

    /// What the user is told; `None` if there is nothing to tell.
    pub(crate) fn spelling(&self, query: &str) -> Option<Spelling> {
        let word = |found: &Found| Correction {
            typed: found.typed.clone(),
            meant: found.meant.clone(),
            searched: found.role != Role::Suggested,
        };
        let corrected = self.applied(query, |role| role != Role::Suggested);
        let is_suggested = self.0.iter().any(|found| found.role == Role::Suggested);
        let did_you_mean = if is_suggested { self.applied(query, |_| true) } else { None };
        (!self.0.is_empty()).then(|| Spelling { corrected, did_you_mean, words: self.0.iter().map(word).collect() })
    }

    /// The query with some of the corrections in it; `None` if there are none such.
    fn applied(&self, query: &str, wanted: impl Fn(Role) -> bool) -> Option<String> {
        let wanted = self.0.iter().filter(|found| wanted(found.role));
        replaced(query, wanted.map(Found::replacement).collect())
    }
}

/// A query with other words at some places; `None` if there are none. Of places that overlap, the first counts.
pub(crate) fn replaced(query: &str, mut replacements: Vec<(Range<usize>, String)>) -> Option<String> {
    replacements.sort_by_key(|(range, _)| range.start);
    let mut text = String::with_capacity(query.len());
    let mut at = 0;
    for (range, word) in replacements.iter().filter(|(range, _)| !range.is_empty()) {
        if let Some(before) = query.get(at..range.start) {
            text += before;
            text += word;
            at = range.end;
        }
    }
    (at > 0).then(|| text + &query[at..])
}

/// A word of a query.
#[derive(Debug, Clone)]
struct Word {
    /// Bytes of the query.
    range: Range<usize>,
    /// As it was typed.
    text: String,
    /// As the index folds it.
    normal: String,
    /// Passages that hold it in any form.
    holders: u64,
    /// Whether the index holds it as it is spelled.
    is_spelled: bool,
    /// Whether nothing else stands between the blanks around it.
    is_alone: bool,
    /// Whether it may be a slip by its looks.
    is_plain: bool,
    /// Whether it is written in characters that were typed by their sound, perhaps.
    is_characters: bool,
}

impl Word {
    fn letters(&self) -> usize {
        self.normal.chars().count()
    }

    fn is_name(&self) -> bool {
        self.text.starts_with(char::is_uppercase)
    }
}

/// What may have been meant.
#[derive(Debug)]
struct Candidate {
    text: String,
    cost: f32,
    holders: u64,
    score: f64,
}

impl Candidate {
    fn new(text: String, cost: f32, holders: u64) -> Self {
        let score = (holders.max(1) as f64).ln() - RARITY * f64::from(cost);
        Self { text, cost, holders, score }
    }
}

struct Speller<'s> {
    view: &'s View,
    query: &'s str,
    words: Vec<Word>,
    /// Passages that hold a word which the index hardly holds, at the most.
    hardly: u64,
    /// The languages that the index stems in.
    stemming: Vec<Analyzer>,
    /// Whether so few words are known that the query is in another language than the documents.
    is_foreign: bool,
}

impl<'s> Speller<'s> {
    fn new(
        view: &'s View,
        query: &'s str,
        places: &[Range<usize>],
        understood: &[Range<usize>],
    ) -> Result<Self, SearchError> {
        let folding = Analyzer::for_language(None);
        let shouts = !places.iter().any(|place| query[place.clone()].contains(char::is_lowercase));
        let mut words = Vec::new();
        for place in places {
            let token = query[place.clone()].trim_matches(|c: char| !c.is_alphanumeric());
            // What Chinese puts between its clauses has no blank beside it.
            let is_mark =
                |c: char| matches!(c, '-' | '\'' | '’' | ',' | '\u{3000}'..='\u{303F}' | '\u{FF01}'..='\u{FF20}');
            let is_code = token.chars().any(|c| !(c.is_alphabetic() || is_mark(c) && !c.is_numeric()));
            let runs: Vec<_> = runs(&query[place.clone()]).collect();
            let joined: String =
                runs.iter().map(|(run, _)| &query[place.start + run.start..place.start + run.end]).collect();
            let is_one = runs.len() > 1 && view.holders(&joined)? > 0;
            for (run, script) in &runs {
                let range = place.start + run.start..place.start + run.end;
                let text = query[range.clone()].to_owned();
                let is_understood = understood.iter().any(|known| known.contains(&range.start));
                let is_plain =
                    !is_code && !is_one && !is_understood && *script == Script::Spaced && !is_given_name(&text, shouts);
                let normal = folding.normalize(&text);
                let holders = if is_plain { view.holders(&text)? } else { 0 };
                let is_spelled = holders == 0 || !view.words_near(&normal, 0)?.is_empty();
                let is_alone = runs.len() == 1;
                let is_characters = *script == Script::Unspaced && !is_understood;
                words.push(Word { range, text, normal, holders, is_spelled, is_alone, is_plain, is_characters });
            }
        }
        let topics = words
            .iter()
            .filter(|word| word.is_plain && LETTERS.contains(&word.letters()) && !is_stopword(&word.normal));
        let (known, unknown): (Vec<_>, Vec<_>) = topics.partition(|word| word.holders > 0);
        let stemming = view.languages().iter().map(|language| Analyzer::for_documents(Some(language))).collect();
        let is_foreign = unknown.len() > known.len() && unknown.len() + known.len() > 2;
        Ok(Self { view, query, words, hardly: 2 + view.passages() / 20_000, stemming, is_foreign })
    }

    fn is_doubtful(&self, word: &Word) -> bool {
        let is_rare = word.holders <= self.hardly || !word.is_spelled;
        word.is_plain && LETTERS.contains(&word.letters()) && is_rare && !is_stopword(&word.normal)
    }

    /// Neighbours that are one word: "data base".
    fn joined(&self) -> Result<Vec<Found>, SearchError> {
        let mut found: Vec<Found> = Vec::new();
        for pair in self.words.windows(2) {
            let [first, second] = pair else { continue };
            let between = &self.query[first.range.end..second.range.start];
            let are_beside = [first, second].iter().all(|word| word.is_plain && word.is_alone)
                && between.chars().all(char::is_whitespace);
            let normal = format!("{}{}", first.normal, second.normal);
            if !are_beside || !LETTERS.contains(&normal.chars().count()) {
                continue;
            }
            let holders = self.view.holders(&normal)?;
            let is_unknown = first.holders == 0 || second.holders == 0;
            if holders == 0 || !(is_unknown || self.is_rather_one(first, second, holders)?) {
                continue;
            }
            if found.last().is_some_and(|last| last.range.end > first.range.start) {
                continue;
            }
            let range = first.range.start..second.range.end;
            let role = if is_unknown { Role::Replaces } else { Role::Joins };
            found.push(self.found(range, &normal, role)?);
        }
        Ok(found)
    }

    /// Whether two words that the index holds stand in it as one by far more often than beside each other.
    fn is_rather_one(&self, first: &Word, second: &Word, holders: u64) -> Result<bool, SearchError> {
        if is_stopword(&first.normal) || is_stopword(&second.normal) {
            return Ok(false);
        }
        let apart = self.count(&[&format!("{} {}", first.text, second.text)])?;
        Ok(holders >= JOINED * (apart + 1))
    }

    /// The correction of a word that the index does not hold, or hardly.
    fn correct(&self, word: &Word) -> Result<Option<Found>, SearchError> {
        let is_long = word.letters() >= LONG;
        let slips = if is_long && word.holders == 0 { 2 } else { 1 };
        let near = self.view.words_near(&word.normal, slips)?;
        let mut candidates: Vec<Candidate> = near.into_iter().filter_map(|near| candidate(word, near)).collect();
        if word.holders == 0 {
            candidates.extend(self.split(word)?);
        }
        let Some(best) = self.best(word, candidates)? else { return Ok(None) };
        let is_likely = best.cost <= AFFORDABLE[usize::from(is_long)];
        let role = match word.holders {
            0 if is_likely && !self.is_foreign => Role::Replaces,
            0 => Role::Suggested,
            held if best.holders >= OVERWHELMING * held && best.cost <= 1.0 && !word.is_name() => Role::Joins,
            held if best.holders >= SUGGESTIVE * held && is_likely => Role::Suggested,
            _ => return Ok(None),
        };
        self.found(word.range.clone(), &best.text, role).map(Some)
    }

    /// The correction of a word that the index holds by its stem alone, so that a slip may hide behind it: "managment".
    fn respell(&self, word: &Word) -> Result<Option<Found>, SearchError> {
        let candidates = self.view.words_near(&word.normal, 1)?.into_iter().filter_map(|near| {
            let is_same = self.stemming.iter().any(|one| one.normalize(&word.normal) == one.normalize(&near.text));
            let is_likelier = near.holders >= word.holders;
            let candidate = candidate(&Word { holders: 0, ..word.clone() }, near)?;
            let fits = match is_same {
                true => !is_inflected(&word.normal, &candidate.text) && (RESPELLED..=1.0).contains(&candidate.cost),
                false => is_likelier && candidate.cost < RESPELLED,
            };
            fits.then_some((candidate, is_same))
        });
        let best = candidates.max_by(|a, b| (a.1, a.0.score).partial_cmp(&(b.1, b.0.score)).unwrap_or(Ordering::Equal));
        let Some((best, is_same)) = best else { return Ok(None) };
        let role = if is_same { Role::Respells } else { Role::Joins };
        self.found(word.range.clone(), &best.text, role).map(Some)
    }

    /// Two words of the index that stand beside each other somewhere and make up one: "oncall".
    fn split(&self, word: &Word) -> Result<Vec<Candidate>, SearchError> {
        let mut candidates = Vec::new();
        for (at, _) in word.normal.char_indices() {
            let (first, second) = word.normal.split_at(at);
            if [first, second].iter().any(|part| part.chars().nth(1).is_none()) {
                continue;
            }
            // "anyone" is not "any one"; of function words, only short ones lose their blank unseen.
            if is_stopword(first) && first.len() > 2 {
                continue;
            }
            if self.view.holders(first)? == 0 || self.view.holders(second)? == 0 {
                continue;
            }
            let text = format!("{first} {second}");
            let holders = self.count(&[&text])?;
            if holders > 0 {
                candidates.push(Candidate::new(text, BLANK, holders));
            }
        }
        Ok(candidates)
    }

    /// The best candidate, by itself and with the other words of the query.
    fn best(&self, word: &Word, mut candidates: Vec<Candidate>) -> Result<Option<Candidate>, SearchError> {
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
        candidates.truncate(MAX_TRIED);
        let mut companions: Vec<&Word> = self
            .words
            .iter()
            .filter(|other| other.range != word.range && other.holders > 0 && !is_stopword(&other.normal))
            .collect();
        companions.sort_by_key(|other| other.holders);
        if candidates.len() > 1 {
            for candidate in &mut candidates {
                for other in companions.iter().take(MAX_COMPANIONS) {
                    candidate.score += (self.count(&[&candidate.text, &other.text])? as f64).ln_1p();
                }
            }
        }
        Ok(candidates.into_iter().reduce(|best, next| if next.score > best.score { next } else { best }))
    }

    /// Passages that hold all of these words or phrases.
    fn count(&self, phrases: &[&str]) -> Result<u64, SearchError> {
        let phrases = phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
        Ok(self.view.count(&self.view.analyse(&LexicalQuery { phrases, ..LexicalQuery::default() }))?)
    }

    fn found(&self, range: Range<usize>, meant: &str, role: Role) -> Result<Found, SearchError> {
        let typed = self.query[range.clone()].to_owned();
        let parts = meant.split(' ').map(|word| self.as_written(word)).collect::<Result<Vec<_>, _>>()?;
        let mut meant = parts.join(" ");
        if typed.starts_with(char::is_uppercase) {
            let mut letters = meant.chars();
            meant = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        }
        Ok(Found { range, typed, meant, role })
    }

    /// A word of the index as a passage writes it, with its diacritics.
    fn as_written(&self, word: &str) -> Result<String, SearchError> {
        let folding = Analyzer::for_language(None);
        let query = LexicalQuery { text: word.to_owned(), ..LexicalQuery::default() };
        for (passage, _) in self.view.lexical(&self.view.analyse(&query), &[], LexicalWeights::default(), 1)? {
            let passage = self.view.passage(passage)?;
            let texts = [&passage.chunk.text, &passage.document.title].into_iter().chain(&passage.chunk.headings);
            for text in texts {
                let written = runs(text).map(|(run, _)| &text[run]).find(|run| folding.normalize(run) == word);
                if let Some(written) = written {
                    return Ok(written.to_lowercase());
                }
            }
        }
        Ok(word.to_owned())
    }
}

/// Whether capitals make a word a name that is spelled as it is: an acronym, or `camelCase`.
fn is_given_name(text: &str, shouts: bool) -> bool {
    let letters = text.chars().count();
    let has_inner_capital = text.chars().skip(1).any(char::is_uppercase);
    let is_shouted = shouts && letters > 5 && !text.contains(char::is_lowercase);
    has_inner_capital && !is_shouted
}

/// Whether two words differ in their ends alone.
fn is_inflected(one: &str, other: &str) -> bool {
    let common = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    common + 2 > one.chars().count().min(other.chars().count())
}

/// A neighbour in the dictionary, as far as it may have been meant.
fn candidate(word: &Word, near: KnownWord) -> Option<Candidate> {
    let is_word = near.text.chars().all(char::is_alphabetic) && near.text.chars().nth(2).is_some();
    let is_opposite = word.normal.strip_suffix(&near.text).is_some_and(|begin| NEGATIONS.contains(&begin));
    if near.text == word.normal || !is_word || is_opposite || near.holders <= word.holders {
        return None;
    }
    let [typed, meant] = [&word.normal, &near.text].map(|text| text.chars().collect::<Vec<char>>());
    let cost = slips::cost(&typed, &meant);
    Some(Candidate::new(near.text, cost, near.holders))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use storage::{Batch, ChunkDraft, ContentKey, Document, IndexModel, Source, Store};

    use super::*;
    use crate::request::Syntax;

    fn with_texts(texts: &[&str], ask: impl FnOnce(&View)) {
        let folder = tempfile::tempdir().unwrap();
        let model = IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 2 };
        let mut store = Store::open(folder.path(), &model).unwrap();
        store.add_source(Source { name: "a".into(), root: folder.path().to_path_buf() }).unwrap();
        let mut batch = Batch::default();
        for (number, text) in texts.iter().enumerate() {
            let document = Document {
                source: "a".into(),
                path: number.to_string(),
                title: "t".into(),
                kind: "text".into(),
                language: Some(if text.chars().any(storage::is_unspaced) { "zh" } else { "en" }.into()),
                modified: 1,
                bytes: 1,
                metadata: BTreeMap::new(),
                fingerprint: None,
            };
            let draft = ChunkDraft {
                headings: Vec::new(),
                text: (*text).into(),
                span: 0..1,
                lines: 1..2,
                place: None,
                blocks: Vec::new(),
                key: ContentKey::of(&[], text),
                vector: Some(vec![1.0, 0.0]),
            };
            batch.put(document, vec![draft]);
        }
        store.commit(batch).unwrap();
        ask(&store.snapshot().whole().unwrap());
    }

    fn corrections(view: &View, query: &str) -> Corrections {
        Corrections::of(view, query, &Syntax::Operators.places_of_words(query), &[]).unwrap()
    }

    fn spelling(view: &View, query: &str) -> Option<Spelling> {
        corrections(view, query).spelling(query)
    }

    fn corrected(view: &View, query: &str) -> Option<String> {
        spelling(view, query).and_then(|spelling| spelling.corrected)
    }

    const TEXTS: &[&str] = &[
        "the travel budget of a worker",
        "the travel budget of a driver",
        "a worker is on call, a driver is at work",
        "the database of the travel budget",
        "database backup, database worker",
        "un résumé of the maternity budget",
        "the database of drivers",
        "a database on a base, with data",
        "the database",
    ];

    #[test]
    fn words_that_the_index_does_not_hold_are_corrected() {
        with_texts(TEXTS, |view| {
            for (typed, meant) in [
                ("travle budget", "travel budget"),
                ("travel bugdet", "travel budget"),
                ("tracel budget", "travel budget"),
                ("ttravel budget", "travel budget"),
                ("ravel budget", "travel budget"),
                ("the Wroker", "the Worker"),
                ("wroker's budget", "worker's budget"),
                ("co-wroker", "co-worker"),
                ("source:a bugdet -worker", "source:a budget -worker"),
                ("TRAVEL DATABSAE", "TRAVEL Database"),
                ("oncall", "on call"),
                ("travel data base", "travel database"),
                ("reusme", "résumé"),
            ] {
                assert_eq!(corrected(view, typed).as_deref(), Some(meant), "{typed}");
            }
        });
    }

    #[test]
    fn what_is_meant_as_it_stands_is_left_alone() {
        with_texts(TEXTS, |view| {
            for query in [
                "travel budget",
                "travels",        // held by its stem
                "\"travle\"",     // quoted
                "budget -travle", // excluded
                "path:travle",    // a filter
                "travle_budget",  // a code
                "travle2",
                "the TRVEL budget", // an acronym
                "getTravle",
                "wrk", // too short
                "zzzzzzzz",
                "unbudget",
                "旅行预算",
                "",
            ] {
                assert_eq!(spelling(view, query), None, "{query}");
            }
        });
    }

    #[test]
    fn a_word_that_may_be_another_is_a_suggestion_only() {
        with_texts(TEXTS, |view| {
            let asked = spelling(view, "paternity budget").unwrap();
            assert_eq!((asked.corrected, asked.did_you_mean.as_deref()), (None, Some("maternity budget")));
            assert!(!asked.words[0].searched);
        });
    }

    #[test]
    fn a_rare_word_of_the_index_is_searched_for_as_it_stands() {
        let mut texts = vec!["the station"; 60];
        texts.push("the stayion of Statoin");
        let numbered: Vec<String> = texts.iter().enumerate().map(|(number, text)| format!("{text} {number}")).collect();
        let texts: Vec<&str> = numbered.iter().map(String::as_str).collect();
        with_texts(&texts, |view| {
            let rare = corrections(view, "stayion");
            assert_eq!(rare.alternatives().len(), 1);
            assert_eq!(rare.replacements().count(), 0, "the model reads what was typed");
            let name = spelling(view, "Statoin").unwrap();
            assert_eq!((name.corrected, name.did_you_mean.as_deref()), (None, Some("Station")));
        });
    }

    #[test]
    fn of_two_words_the_one_that_goes_with_the_others_is_meant() {
        let texts = ["garden lake", "garden lake park", "lame duck", "lame duck again", "lame excuse", "lame horse"];
        with_texts(&texts, |view| {
            assert_eq!(corrected(view, "garden laje").as_deref(), Some("garden lake"));
            assert_eq!(corrected(view, "laje duck").as_deref(), Some("lame duck"));
        });
    }

    #[test]
    fn a_slip_behind_which_the_stem_stays_the_same_is_spelled_for_the_models() {
        let texts = ["management of travel", "the employee and the employee handbook", "traveling", "employees"];
        with_texts(&texts, |view| {
            let respelled = corrections(view, "managment travel");
            assert_eq!(respelled.spelling("managment travel").unwrap().corrected.as_deref(), Some("management travel"));
            assert!(respelled.alternatives().is_empty(), "the index has them for the same word");
            assert_eq!(respelled.replacements().count(), 1);
            assert_eq!(corrected(view, "employe handbook").as_deref(), Some("employee handbook"));
            for inflected in ["managements", "travelling", "travels", "employees"] {
                assert_eq!(spelling(view, inflected), None, "{inflected}");
            }
        });
    }

    #[test]
    fn words_around_a_hyphen_that_are_one_word_are_no_slips() {
        with_texts(&["onboarding of workers", "onboarding again"], |view| {
            assert_eq!(spelling(view, "on-boarding"), None);
        });
    }

    const CHINESE: &[&str] = &[
        "年假制度：员工每年有二十天年假",
        "如何申请年假，以及病假和事假",
        "差旅费用的报销流程，报销须附发票",
        "发票抬头与报销期限",
        "旅行预算由主管批准",
        "公司的班车从东门开出",
    ];

    #[test]
    fn letters_stand_for_the_characters_that_sound_so() {
        with_texts(CHINESE, |view| {
            for (typed, meant) in [
                ("nianjia", "年假"),
                ("nian jia", "年假"),
                ("baoxiao liucheng", "报销 流程"),
                ("baoxiaoliucheng", "报销 流程"),
                ("lvxing yusuan", "旅行 预算"),
                ("怎么shenqing年假", "怎么申请年假"),
                ("VPN baoxiao", "VPN 报销"),
                ("请问，nianjia、bingjia（和事假）怎么申请？", "请问，年假、病假（和事假）怎么申请？"),
            ] {
                let found = corrected(view, typed).map(|text| text.replace(' ', ""));
                assert_eq!(found, Some(meant.replace(' ', "")), "{typed}");
                assert!(corrections(view, typed).heard(typed).is_some());
            }
            let asked = spelling(view, "travel nianjia 报销").unwrap();
            assert_eq!((asked.corrected, asked.did_you_mean.as_deref()), (None, Some("travel 年假 报销")));
            for other in ["travel", "\"nianjia\"", "jia", "tangping", "kafei ji", "path:nianjia", ""] {
                assert_eq!(corrected(view, other), None, "{other}");
            }
        });
        with_texts(TEXTS, |view| assert_eq!(corrected(view, "nianjia"), None, "nothing is in Chinese"));
    }

    #[test]
    fn characters_that_sound_alike_are_mistaken_for_each_other() {
        with_texts(CHINESE, |view| {
            for (typed, meant) in [
                ("年价", "年假"),
                ("年價怎么申请", "年假怎么申请"),
                ("抱销流程", "报销流程"),
                ("差旅费的报消", "差旅费的报销"),
                ("发飘的期限", "发票的期限"),
            ] {
                let asked = spelling(view, typed).unwrap();
                assert_eq!((asked.corrected, asked.did_you_mean.as_deref()), (None, Some(meant)), "{typed}");
            }
            for right in ["年假", "年假怎么申请", "病假", "加班", "公司的食堂", "“年价”", "年", "班车出发的时间"]
            {
                assert_eq!(spelling(view, right), None, "{right}");
            }
        });
    }

    #[test]
    fn a_query_in_another_language_is_not_corrected_into_this_one() {
        with_texts(TEXTS, |view| {
            assert_eq!(corrected(view, "el trabel budgetos workera databasse").as_deref(), None);
        });
    }
}
