//! What is kept of what people ask, and for how long.

use serde::{Deserialize, Serialize};

/// Days that counts are kept at the most.
const MOST_DAYS: u32 = 3_650;
/// People who are told apart at the most.
const MOST_PEOPLE: u32 = 100;

/// What is kept of what people ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InsightsConfig {
    /// Whether anything is.
    pub enabled: bool,
    /// Days that counts are kept, today included.
    pub keep_days: u32,
    /// Different people (keys, users of the proxy) who must have asked a query before it is shown.
    pub people: u32,
    /// Milliseconds from which a search counts as slow.
    pub slow_ms: u64,
}

impl Default for InsightsConfig {
    fn default() -> Self {
        Self { enabled: false, keep_days: 90, people: 3, slow_ms: 1_000 }
    }
}

impl InsightsConfig {
    /// What does not make sense, by key.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> {
        let days = !(1..=MOST_DAYS).contains(&self.keep_days);
        // With 1, what one person asks is shown to another.
        let people = !(2..=MOST_PEOPLE).contains(&self.people);
        [
            days.then(|| format!("insights.keep_days: expected 1 to {MOST_DAYS} days, got {}", self.keep_days)),
            people.then(|| format!("insights.people: expected 2 to {MOST_PEOPLE} people, got {}", self.people)),
            (self.slow_ms == 0).then(|| "insights.slow_ms: expected at least 1 millisecond, got 0".to_string()),
        ]
        .into_iter()
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_person_asks_is_never_shown_and_nothing_is_kept_for_good() {
        let problems = |config: InsightsConfig| config.problems().collect::<Vec<_>>();
        assert!(problems(InsightsConfig::default()).is_empty());
        let bad = problems(InsightsConfig { keep_days: 0, people: 1, slow_ms: 0, ..InsightsConfig::default() });
        assert_eq!(bad.len(), 3, "{bad:?}");
        assert!(problems(InsightsConfig { keep_days: 4_000, people: 101, ..InsightsConfig::default() }).len() == 2);
    }
}
