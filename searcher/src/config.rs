//! Settings of the search: the numbers of recall, fusion, reranking and presentation, with defaults that were measured on
//! the evaluation sets named in `docs/BENCHMARKS.md`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::{LexicalWeights, PageType, VectorScan};

use crate::fuse::Fusion;
use crate::weighing::PageTypeWeights;

/// Settings of a searcher: the table `[search]` of the configuration file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchConfig {
    /// Passages each retriever recalls.
    pub depth: usize,
    /// How the retrievers' rankings become one.
    pub fusion: FusionMethod,
    /// The constant of reciprocal rank fusion.
    pub rrf_constant: f64,
    /// Weight of the vector retriever, where the lexical one has 1.
    pub vector_weight: f64,
    /// Tokens per character up to which the model is taken to know a query's script, and from which it is not.
    pub fertility: (f64, f64),
    /// The cosine that counts as nothing, for fusion by scores.
    pub cosine_floor: f32,
    /// The share of what a passage scores that holds every word of the query once, from which BM25's best counts in full,
    /// for fusion by scores; 0: always. Below it the words of the query are hardly there: it asks in another language, or
    /// in other words.
    pub coverage: f32,
    /// Share of the reranker in the blended score; the rest is the reciprocal of the fused rank.
    pub rerank_weight: f64,
    /// Candidates the reranker scores at the most.
    pub rerank_depth: usize,
    /// Reranking ends when fewer unread candidates than this are expected to reach the first page; 0 reads them all.
    pub settle: f64,
    /// How much less each further passage of a document counts than the one before; 0 takes the best one alone.
    pub passage_decay: f64,
    /// Passages shown of one document, and counted for it.
    pub passages_per_document: usize,
    /// Bits of 128 in which the fingerprints of near-duplicates differ at the most.
    pub copy_bits: u32,
    /// Characters of a snippet.
    pub snippet_chars: usize,
    /// Milliseconds that the model may spend on finding the sentence that answers, where that is asked for.
    pub sentence_ms: u64,
    /// Milliseconds that the model may spend on comparing sentences with a question that is asked for an answer (`quarry ask`,
    /// the API). On the page it is `sentence_ms`. Where the model would take longer, words alone decide.
    pub answer_ms: u64,
    /// A file of [`Synonyms`](crate::Synonyms).
    pub synonyms: Option<PathBuf>,
    /// The probability that something answers below which a search says that nothing fits; 0: that is not judged.
    pub answerable_floor: f64,
    /// The file of weights for that judgement, as `quarry train calibrate` writes it; without one those of the bundled
    /// model.
    pub calibration: Option<PathBuf>,
    /// A file of [`Rules`](crate::Rules) of the ranking.
    pub rules: Option<PathBuf>,
    /// How much pages count that are no prose.
    pub page_types: PageTypeWeights,
    /// Whether the vectors of those who do not see everything are always gone over one by one, however many there are. Without
    /// it a graph is asked where there are many, and which of the visible ones it misses may depend on hidden ones.
    pub strict: bool,
    /// Weights of the lexical fields.
    pub lexical: LexicalWeights,
}

/// A way to fuse; see [`Fusion`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FusionMethod {
    /// Convex combination of normalised scores.
    #[default]
    Convex,
    /// Reciprocal rank fusion.
    Rrf,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            depth: 100,
            fusion: FusionMethod::Convex,
            rrf_constant: 60.0,
            vector_weight: 0.5,
            fertility: (1.2, 2.0),
            cosine_floor: 0.0,
            coverage: 0.65,
            rerank_weight: 0.7,
            rerank_depth: 100,
            settle: 0.03,
            passage_decay: 0.1,
            passages_per_document: 3,
            copy_bits: 12,
            snippet_chars: 280,
            sentence_ms: 25,
            answer_ms: 2_000,
            synonyms: None,
            answerable_floor: 0.1,
            calibration: None,
            rules: None,
            page_types: PageTypeWeights::default(),
            strict: false,
            lexical: LexicalWeights::default(),
        }
    }
}

impl SearchConfig {
    /// How the retrievers' rankings become one.
    pub fn fusion(&self) -> Fusion {
        match self.fusion {
            FusionMethod::Convex => Fusion::Convex,
            FusionMethod::Rrf => Fusion::ReciprocalRank { constant: self.rrf_constant },
        }
    }

    /// How long the model may look for the sentence that answers a search.
    pub fn sentence_time(&self) -> Duration {
        Duration::from_millis(self.sentence_ms)
    }

    /// How long it may look for sentences where an answer is asked for.
    pub fn answer_time(&self) -> Duration {
        Duration::from_millis(self.answer_ms)
    }

    /// How vectors are searched for those who do not see everything.
    pub(crate) fn vector_scan(&self) -> VectorScan {
        if self.strict { VectorScan::Always } else { VectorScan::WhereFast }
    }

    /// Changes one setting by its name, with `-` or `_` between words; those of `lexical` and `page_types` stand by themselves. Choosing the
    /// constant of reciprocal rank fusion chooses it. `false` if there is no such setting.
    ///
    /// # Errors
    /// What was expected instead of the value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let key = name.replace('-', "_");
        let mut table = json!(self);
        let is_whole = table.get(&key).is_some_and(|value| !value.is_object());
        let home = ["lexical", "page_types"].into_iter().find(|home| table[*home].get(&key).is_some());
        let place = match home {
            _ if is_whole => table.get_mut(&key),
            Some(home) => table[home].get_mut(&key),
            None => None,
        };
        let Some(place) = place else { return Ok(false) };
        *place = match place {
            Value::String(_) => json!(value),
            Value::Number(number) if number.is_u64() => {
                json!(value.parse::<u64>().map_err(|_| format!("{name}: expected a whole number, got {value:?}"))?)
            }
            Value::Number(_) => {
                json!(value.parse::<f64>().map_err(|_| format!("{name}: expected a number, got {value:?}"))?)
            }
            _ => serde_json::from_str(value).map_err(|_| format!("{name}: expected a JSON value, got {value:?}"))?,
        };
        let mut changed: Self = serde_json::from_value(table).map_err(|error| format!("{name}: {error}"))?;
        if key == "rrf_constant" {
            changed.fusion = FusionMethod::Rrf;
        }
        match changed.problems().into_iter().next() {
            Some(problem) => Err(problem),
            None => {
                *self = changed;
                Ok(true)
            }
        }
    }

    /// What does not make sense, in words for the one who wrote it, each beginning with the key; empty if all is well.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |is_good: bool, key: &str, expected: &str, got: String| {
            if !is_good {
                problems.push(format!("search.{key}: expected {expected}, got {got}"));
            }
        };
        let share = |value: f64| (0.0..=1.0).contains(&value);
        expect((1..=10_000).contains(&self.depth), "depth", "1 to 10000 passages", self.depth.to_string());
        expect(self.rrf_constant > 0.0, "rrf_constant", "a number above 0", self.rrf_constant.to_string());
        let is_weight = |value: f64| value.is_finite() && value >= 0.0;
        expect(is_weight(self.vector_weight), "vector_weight", "a number from 0", self.vector_weight.to_string());
        let (known, unknown) = self.fertility;
        let is_range = known.is_finite() && unknown.is_finite() && known < unknown;
        expect(is_range, "fertility", "two numbers, the first below the second", format!("{:?}", self.fertility));
        let is_cosine = (-1.0..1.0).contains(&self.cosine_floor);
        expect(is_cosine, "cosine_floor", "a cosine from -1 to below 1", self.cosine_floor.to_string());
        expect(share(f64::from(self.coverage)), "coverage", "a share from 0 to 1", self.coverage.to_string());
        let is_blend = self.rerank_weight > 0.0 && self.rerank_weight <= 1.0;
        expect(is_blend, "rerank_weight", "a share above 0, up to 1", self.rerank_weight.to_string());
        expect(is_weight(self.settle), "settle", "a number from 0", self.settle.to_string());
        let decay = self.passage_decay;
        expect(share(decay), "passage_decay", "a share from 0 to 1", decay.to_string());
        let passages = self.passages_per_document;
        expect((1..=100).contains(&passages), "passages_per_document", "1 to 100", passages.to_string());
        expect(self.copy_bits <= 128, "copy_bits", "0 to 128 bits", self.copy_bits.to_string());
        expect(self.snippet_chars >= 20, "snippet_chars", "at least 20 characters", self.snippet_chars.to_string());
        let floor = self.answerable_floor;
        expect((0.0..1.0).contains(&floor), "answerable_floor", "a probability from 0 to below 1", floor.to_string());
        for page in PageType::ALL {
            let weight = self.page_types.of(page);
            let is_factor = weight > 0.0 && weight <= 10.0;
            expect(is_factor, &format!("page_types.{page}"), "a number above 0, up to 10", weight.to_string());
        }
        let LexicalWeights { body, title, headings, neighbours, pairs, characters, codes } = self.lexical;
        let fields = [
            ("body", body),
            ("title", title),
            ("headings", headings),
            ("neighbours", neighbours),
            ("pairs", pairs),
            ("characters", characters),
            ("codes", codes),
        ];
        for (field, weight) in fields {
            expect(is_weight(f64::from(weight)), &format!("lexical.{field}"), "a number from 0", weight.to_string());
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_changed_by_its_name() {
        let mut config = SearchConfig::default();
        for (name, value) in
            [("depth", "7"), ("vector-weight", "0.25"), ("passage_decay", "0"), ("title", "3"), ("fertility", "[1,3]")]
        {
            assert_eq!(config.set(name, value), Ok(true), "{name}");
        }
        assert_eq!((config.depth, config.vector_weight, config.lexical.title), (7, 0.25, 3.0));
        assert_eq!((config.passage_decay, config.fertility), (0.0, (1.0, 3.0)));
        assert_eq!(config.set("rrf-constant", "30"), Ok(true));
        assert_eq!(config.fusion(), Fusion::ReciprocalRank { constant: 30.0 });
        assert_eq!(config.set("model", "x"), Ok(false));
        assert_eq!(config.set("lexical", "{}"), Ok(false));
        let before = config.clone();
        for (name, value) in [("depth", "-1"), ("depth", "x"), ("fusion", "best"), ("settle", "-1"), ("body", "NaN")] {
            assert!(config.set(name, value).is_err(), "{name}={value}");
        }
        assert_eq!(config, before);
    }

    #[test]
    fn what_makes_no_sense_is_named_by_its_key() {
        assert!(SearchConfig::default().problems().is_empty());
        let lexical = LexicalWeights { title: f32::NAN, ..LexicalWeights::default() };
        let config = SearchConfig { depth: 0, rerank_weight: 0.0, lexical, ..SearchConfig::default() };
        let problems = config.problems().join("\n");
        for key in ["search.depth: ", "search.rerank_weight: ", "search.lexical.title: "] {
            assert!(problems.contains(key), "{key}: {problems}");
        }
    }
}
