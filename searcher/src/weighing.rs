//! Weighing: how much the documents of a view count for one query, beside how well they fit it.
//!
//! What is no prose (see [`PageType`]) counts less, unless it is asked for by its name, by what it is, or in quotes; what an
//! administrator's [`Rules`] say counts more or less, or comes first; who asks for the newest finds it before what is old; of
//! what is as good, the reader's language comes first.
//! Each document's fused or blended score is multiplied by the product of all that holds for it.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use storage::{AnalysedQuery, DocumentSet, Filter, PageType, View};

use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::query::ParsedQuery;
use crate::request::{SearchRequest, Sort};
use crate::rules::{Age, Pin, Rules, is_within, key};

/// What a document in the reader's language counts, where others count 1: enough to part what is as good.
const READER: f64 = 1.02;
/// Pages of a type that counts less whose names are compared with the query.
const MAX_NAMED: usize = 24;

/// How much pages count that are no prose, which counts 1: the table `[search.page_types]` of the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageTypeWeights {
    /// Little more than a title.
    pub stub: f64,
    /// Lists of what else there is.
    pub navigation: f64,
    /// Texts of licences.
    pub licence: f64,
    /// What has changed from version to version.
    pub changelog: f64,
    /// What programs wrote.
    pub generated: f64,
}

impl Default for PageTypeWeights {
    fn default() -> Self {
        Self { stub: 0.7, navigation: 0.7, licence: 0.6, changelog: 0.7, generated: 0.6 }
    }
}

impl PageTypeWeights {
    pub(crate) fn of(&self, page: PageType) -> f64 {
        match page {
            PageType::Stub => self.stub,
            PageType::Navigation => self.navigation,
            PageType::Licence => self.licence,
            PageType::Changelog => self.changelog,
            PageType::Generated => self.generated,
        }
    }
}

/// Words by which somebody asks for something, as [`key`] writes them.
struct Words(Vec<String>);

impl Words {
    fn of(words: &[&str]) -> Self {
        Self(words.iter().map(|words| key(words)).collect())
    }

    fn is_in(&self, query: &str) -> bool {
        self.0.iter().any(|words| is_within(words, query))
    }
}

/// What can be asked for by words.
struct Asked {
    newest: Words,
    pages: Vec<(PageType, Words)>,
}

static ASKED: LazyLock<Asked> = LazyLock::new(|| Asked {
    newest: Words::of(NEWEST),
    pages: PageType::ALL.iter().map(|page| (*page, Words::of(asks_for(*page)))).collect(),
});

/// Words by which somebody asks for what is new.
const NEWEST: &[&str] = &["newest", "latest", "most recent", "neueste", "neuesten", "最新", "最近的"];
/// How age counts where that is asked for.
const AGE_OF_NEWEST: Age = Age { half_life_days: 180.0, weight: 0.3 };

/// Words by which somebody asks for pages of a type.
fn asks_for(page: PageType) -> &'static [&'static str] {
    match page {
        PageType::Stub => &[],
        PageType::Navigation => &["index", "sitemap", "table of contents", "目录", "inhaltsverzeichnis"],
        PageType::Licence => {
            &["license", "licence", "licenses", "licences", "copyright", "许可", "许可证", "lizenz", "lizenzen"]
        }
        PageType::Changelog => &[
            "changelog",
            "changes",
            "changed",
            "release notes",
            "what s new",
            "version history",
            "更新日志",
            "änderungen",
        ],
        PageType::Generated => &["generated", "lock file", "lockfile"],
    }
}

/// Why a result stands where it stands, beside how well it fits.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "rule", rename_all = "lowercase")]
pub enum Effect {
    /// An administrator has put it first for this query.
    Pin {
        /// What the administrator says about that.
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// It counts more or less by a rule.
    Boost {
        /// What its score was multiplied by.
        factor: f64,
        /// What the administrator says about that.
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// It counts less by what it is.
    Page {
        /// What it is.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        page: PageType,
        /// What its score was multiplied by.
        factor: f64,
    },
    /// It counts less by its age.
    Age {
        /// What its score was multiplied by.
        factor: f64,
    },
    /// It is in the reader's language.
    Language {
        /// What its score was multiplied by.
        factor: f64,
    },
}

impl Effect {
    /// What it multiplies scores by.
    fn factor(&self) -> f64 {
        match self {
            Self::Pin { .. } => 1.0,
            Self::Boost { factor, .. }
            | Self::Page { factor, .. }
            | Self::Age { factor }
            | Self::Language { factor } => *factor,
        }
    }
}

/// What holds for which documents in one search.
#[derive(Default)]
pub(crate) struct Weighing {
    rules: Vec<(Effect, Arc<DocumentSet>)>,
    age: Option<Age>,
    now: i64,
    /// What comes first, in this order, whether or not filters let it through.
    pins: Vec<(u32, Option<String>)>,
    /// The words of the query, by which a page may be asked for.
    query: String,
    /// Pages that count in full all the same: the query names them.
    named: HashSet<u32>,
}

impl Weighing {
    /// What holds for a query.
    pub(crate) fn of(
        view: &View,
        pages: &PageTypeWeights,
        rules: &Rules,
        request: &SearchRequest,
        query: &ParsedQuery,
    ) -> Result<Self, SearchError> {
        if request.sort != Sort::Relevance || query.text.trim().is_empty() {
            return Ok(Self::default());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let mut weighing = Self { age: rules.age, now, query: key(&query.text), ..Self::default() };
        if ASKED.newest.is_in(&weighing.query) {
            weighing.age = Some(AGE_OF_NEWEST);
        }
        weighing.push_pages(view, pages, query)?;
        for boost in rules.boosts.iter().filter(|boost| boost.is_for(&weighing.query)) {
            let effect = Effect::Boost { factor: boost.factor, because: boost.because.clone() };
            let class = view.class(&boost.filter(now))?;
            weighing.rules.push((effect, class));
        }
        if !request.prefer_lang.is_empty() && view.languages().len() > 1 {
            let languages = request.prefer_lang.iter().map(|code| code.to_lowercase()).collect();
            let class = view.class(&Filter { languages, ..Filter::default() })?;
            weighing.rules.push((Effect::Language { factor: READER }, class));
        }
        let asked = weighing.query.clone();
        for pin in rules.pins.iter().filter(|pin| pin.is_for(&asked)) {
            weighing.push_pin(view, pin)?;
        }
        Ok(weighing)
    }

    fn push_pages(&mut self, view: &View, weights: &PageTypeWeights, query: &ParsedQuery) -> Result<(), SearchError> {
        // Who quotes knows what stands there.
        if !query.phrases.is_empty() {
            return Ok(());
        }
        for page in PageType::ALL {
            let factor = weights.of(page);
            if factor == 1.0 || ASKED.pages.iter().any(|(asked, words)| *asked == page && words.is_in(&self.query)) {
                continue;
            }
            let class = view.class(&Filter { page_types: vec![page], ..Filter::default() })?;
            self.rules.push((Effect::Page { page, factor }, class));
        }
        Ok(())
    }

    fn push_pin(&mut self, view: &View, pin: &Pin) -> Result<(), SearchError> {
        for id in &pin.documents {
            if let Some(number) = view.number_of(*id)?
                && !self.pins.iter().any(|(pinned, _)| *pinned == number)
            {
                self.pins.push((number, pin.because.clone()));
            }
        }
        Ok(())
    }

    /// Weighs candidates and puts them in order anew. They are in order when they come.
    pub(crate) fn weigh(&mut self, view: &View, candidates: &mut [Candidate]) -> Result<(), SearchError> {
        if self.rules.is_empty() && self.age.is_none() {
            return Ok(());
        }
        self.find_named(view, candidates)?;
        for candidate in candidates.iter_mut() {
            candidate.factor = self.effects(view, candidate.document)?.iter().map(Effect::factor).product();
            candidate.score *= candidate.factor;
        }
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(())
    }

    /// Finds pages that count less and that the query names.
    fn find_named(&mut self, view: &View, candidates: &[Candidate]) -> Result<(), SearchError> {
        let counts_less = |document: u32| {
            let is_page = |(effect, class): &&(Effect, Arc<DocumentSet>)| {
                matches!(effect, Effect::Page { .. }) && class.contains(document)
            };
            self.rules.iter().any(|rule| is_page(&rule))
        };
        let mut named = HashSet::new();
        for candidate in candidates.iter().filter(|candidate| counts_less(candidate.document)).take(MAX_NAMED) {
            let document = view.passage(candidate.passage)?.document;
            let file = document.path.rsplit('/').next().unwrap_or_default();
            let file = file.split('.').next().unwrap_or_default();
            if [document.title.as_str(), file].iter().any(|name| self.asks_by(name)) {
                named.insert(candidate.document);
            }
        }
        self.named = named;
        Ok(())
    }

    /// Whether all words of a name stand in the query, one behind the other.
    fn asks_by(&self, name: &str) -> bool {
        let name = key(name);
        !name.is_empty() && is_within(&name, &self.query)
    }

    /// What holds for a document.
    pub(crate) fn effects(&self, view: &View, document: u32) -> Result<Vec<Effect>, SearchError> {
        let pinned = self.pins.iter().find(|(pinned, _)| *pinned == document);
        let mut effects: Vec<Effect> =
            pinned.map(|(_, because)| Effect::Pin { because: because.clone() }).into_iter().collect();
        let holds = |(effect, class): &&(Effect, Arc<DocumentSet>)| {
            let is_named = matches!(effect, Effect::Page { .. }) && self.named.contains(&document);
            class.contains(document) && !is_named
        };
        effects.extend(self.rules.iter().filter(holds).map(|(effect, _)| effect.clone()));
        if let Some(age) = self.age
            && let Some(passage) = view.passage_of(document)?
            && let Some(filed) = view.facets()?.of(passage)
        {
            effects.push(Effect::Age { factor: age.factor(self.now.saturating_sub(filed.modified)) });
        }
        Ok(effects)
    }

    /// What comes first of what these filters and the query's requirements let through.
    pub(crate) fn pinned(
        &self,
        view: &View,
        filters: &[Filter],
        terms: &AnalysedQuery,
    ) -> Result<Vec<u32>, SearchError> {
        if self.pins.is_empty() {
            return Ok(Vec::new());
        }
        let passing = view.passing(filters, terms)?;
        Ok(self.pins.iter().map(|(number, _)| *number).filter(|number| passing.contains(*number)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_ask_are_found_in_queries() {
        for page in PageType::ALL {
            let asked = Words::of(asks_for(page));
            for words in asks_for(page) {
                assert!(asked.is_in(&key(&format!("Where is {words}?"))), "{words}");
            }
        }
        let asks = |query: &str| ASKED.newest.is_in(&key(query));
        for query in ["the latest minutes", "Neueste Fassung", "最新价格表", "most recent audit"] {
            assert!(asks(query), "{query}");
        }
        for query in ["renewal", "late minutes", "recent audits", ""] {
            assert!(!asks(query), "{query}");
        }
    }
}
