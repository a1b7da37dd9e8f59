//! Who may see the documents of a source: rules by path, as an administrator writes them.

use std::borrow::Cow;

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::list::{Access, AccessError, AccessList};

/// Rules of one source.
const MAX_RULES: usize = 1_000;

/// Who may see the documents of a source. Of several rules that match a document's path the last one counts, so that
/// exceptions stand behind what they except. A document that no rule matches is open to whoever may search; what a document
/// says of itself comes on top, and both must let through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceAccess(Vec<AccessRule>);

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRule {
    /// A glob over the path below the source's root, such as `payroll/**`; `None` for the whole source.
    pub paths: Option<String>,
    /// Who may see what it matches.
    pub access: Access,
}

/// Why something is no rule of access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessRuleError {
    /// A pattern of paths cannot be read.
    #[error(
        "{pattern:?} is no pattern of paths ({problem}): expected a glob over paths below the source's folder, such as \
         payroll/** or **/*.eml"
    )]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There are too many.
    #[error("{count} rules of access for one source: at most {MAX_RULES} are kept")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// What a rule says is no access.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl SourceAccess {
    /// Open to whoever may search, but for what documents say of themselves.
    pub fn open() -> Self {
        Self::default()
    }

    /// One list for the whole source, as it is written.
    ///
    /// # Errors
    /// It is no access.
    pub fn whole<T: AsRef<str>>(entries: &[T]) -> Result<Self, AccessRuleError> {
        Self::of([AccessRule { paths: None, access: Access::parse(entries)? }])
    }

    /// Open to administrators only.
    pub fn closed() -> Self {
        Self(vec![AccessRule { paths: None, access: Access::nobody() }])
    }

    /// These rules, of which the last one that matches counts.
    ///
    /// # Errors
    /// A pattern cannot be read, or there are more than 1,000 rules.
    pub fn of(rules: impl IntoIterator<Item = AccessRule>) -> Result<Self, AccessRuleError> {
        let rules: Vec<AccessRule> = rules.into_iter().collect();
        if rules.len() > MAX_RULES {
            return Err(AccessRuleError::TooMany { count: rules.len() });
        }
        for pattern in rules.iter().filter_map(|rule| rule.paths.as_deref()) {
            matcher(pattern)?;
        }
        Ok(Self(rules))
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[AccessRule] {
        &self.0
    }

    /// Whether paths make a difference.
    pub(crate) fn has_patterns(&self) -> bool {
        self.0.iter().any(|rule| rule.paths.is_some())
    }

    pub(crate) fn compiled(&self) -> CompiledAccess {
        // A pattern was read before it was kept; one that cannot be read any more matches everything, and lets nobody through.
        let compiled = self.0.iter().map(|rule| match rule.paths.as_deref().map(matcher) {
            None => (None, rule.access.clone()),
            Some(Ok(matcher)) => (Some(matcher), rule.access.clone()),
            Some(Err(_)) => (None, Access::nobody()),
        });
        CompiledAccess(compiled.collect())
    }

    /// The rule that counts for a path, by its place; `None` where no rule matches.
    pub fn rule_for(&self, path: &str) -> Option<usize> {
        self.compiled().rule_for(path)
    }

    /// Who may see a document at a path, as far as the source says.
    pub fn access_of(&self, path: &str) -> Access {
        let compiled = self.compiled();
        compiled.rule_for(path).map_or_else(Access::everyone, |rule| compiled.0[rule].1.clone())
    }
}

impl AccessRule {
    /// Its lists as they are written.
    pub fn entries(&self) -> Vec<Vec<String>> {
        self.access.lists().map(AccessList::entries).collect()
    }
}

/// The rules of a source, ready to be asked for many paths.
pub(crate) struct CompiledAccess(Vec<(Option<GlobMatcher>, Access)>);

impl CompiledAccess {
    pub(crate) fn rule_for(&self, path: &str) -> Option<usize> {
        // As people compare them: what a Mac wrote in parts must not slip past a rule that was typed.
        let path: Cow<'_, str> = if path.is_ascii() { path.into() } else { path.nfc().collect::<String>().into() };
        self.0.iter().rposition(|(matcher, _)| matcher.as_ref().is_none_or(|matcher| matcher.is_match(path.as_ref())))
    }

    pub(crate) fn access(&self, rule: Option<usize>) -> Access {
        rule.map_or_else(Access::everyone, |rule| self.0[rule].1.clone())
    }
}

fn matcher(pattern: &str) -> Result<GlobMatcher, AccessRuleError> {
    let unreadable = |problem: String| AccessRuleError::Pattern { pattern: pattern.to_owned(), problem };
    if pattern.is_empty() || pattern.starts_with('/') {
        return Err(unreadable("it is empty or begins with a slash".to_owned()));
    }
    let composed: String = pattern.nfc().collect();
    let glob = GlobBuilder::new(&composed).literal_separator(true).backslash_escape(true).build();
    Ok(glob.map_err(|error| unreadable(error.kind().to_string()))?.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(paths: Option<&str>, entry: &str) -> AccessRule {
        AccessRule { paths: paths.map(str::to_owned), access: Access::parse(&[entry]).unwrap() }
    }

    #[test]
    fn the_last_rule_that_matches_counts() {
        let rules = SourceAccess::of([
            rule(None, "group:staff"),
            rule(Some("payroll/**"), "group:hr"),
            rule(Some("payroll/public/*.md"), "everyone"),
        ])
        .unwrap();
        for (path, expected) in [
            ("a.md", "group:staff"),
            ("payroll/2024/may.xlsx", "group:hr"),
            ("payroll/public/sub/a.md", "group:hr"),
            ("payroll/public/a.md", "everyone"),
        ] {
            assert_eq!(rules.access_of(path), Access::parse(&[expected]).unwrap(), "{path}");
        }
        let parts = SourceAccess::of([rule(Some("Geh\u{e4}lter/**"), "group:hr")]).unwrap();
        assert_eq!(parts.access_of("Geha\u{308}lter/mai.md"), Access::parse(&["group:hr"]).unwrap());
        assert_eq!(SourceAccess::open().access_of("a"), Access::everyone());
        assert!(SourceAccess::closed().access_of("a").is_closed());
        assert_eq!((rules.rule_for("payroll/x"), SourceAccess::open().rule_for("a")), (Some(1), None));
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_refused() {
        for bad in ["[", "", "/payroll/**", "a{b"] {
            let told = SourceAccess::of([rule(Some(bad), "everyone")]).unwrap_err().to_string();
            assert!(told.contains("no pattern of paths"), "{told}");
        }
        assert!(SourceAccess::whole(&["staff"]).is_err());
    }
}
