//! The scope of a website: one scheme, host and port, and the paths below the address that was given.

use url::{Origin, Url};

/// What belongs to a site.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    origin: Origin,
    /// The folder, with a slash at its end.
    folder: String,
    /// The address that was given, where it may be that of the folder without its slash.
    itself: String,
}

impl Scope {
    /// What lies below an address: beside a file, which is known by the dot in its name, and below anything else.
    pub(super) fn of(start: &Url) -> Self {
        let path = start.path();
        let (above, last) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = if last.is_empty() || last.contains('.') { format!("{above}/") } else { format!("{path}/") };
        Self { origin: start.origin(), folder, itself: path.to_owned() }
    }

    pub(super) fn holds(&self, url: &Url) -> bool {
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_below = url.path().starts_with(&self.folder) || url.path() == self.itself;
        is_plain && url.origin() == self.origin && is_below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_lies_below_and_nothing_else() {
        let holds = |start: &str, url: &str| Scope::of(&Url::parse(start).unwrap()).holds(&Url::parse(url).unwrap());
        for (start, within) in [
            ("https://a.example", "https://a.example/b/c"),
            ("https://a.example/docs", "https://a.example/docs"),
            ("https://a.example/docs", "https://a.example/docs/b?c=d"),
            ("https://a.example/docs/", "https://a.example/docs/b"),
            ("https://a.example/docs/index.html", "https://a.example/docs/b"),
            ("https://a.example:443/", "https://a.example/b"),
        ] {
            assert!(holds(start, within), "{start} {within}");
        }
        for (start, outside) in [
            ("https://a.example/docs", "https://a.example/docs2"),
            ("https://a.example/docs/", "https://a.example/"),
            ("https://a.example/docs/", "https://a.example/docs/../secret"),
            ("https://a.example/", "http://a.example/"),
            ("https://a.example/", "https://b.example/"),
            ("https://a.example/", "https://a.example:8443/"),
            ("https://a.example/", "https://a.example.evil.example/"),
            ("https://a.example/", "https://a.example@evil.example/"),
            ("https://a.example/", "https://me:x@a.example/"),
        ] {
            assert!(!holds(start, outside), "{start} {outside}");
        }
    }
}
