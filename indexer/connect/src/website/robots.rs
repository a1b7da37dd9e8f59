//! What a site says to programs: robots.txt (RFC 9309) with the lines `Sitemap` and `Crawl-delay`, and the header
//! `X-Robots-Tag`. Written here because the crate for it, `texting_robots`, makes regular
//! expressions of what a site sends, and would bring older versions of four crates.

use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use ureq::http::HeaderMap;
use url::Url;

/// Rules that are heeded; a site that has more says the same again and again.
const MAX_RULES: usize = 2_000;
/// Bytes of a pattern.
const MAX_PATTERN: usize = 1_000;
/// Sitemaps that are named at the most.
const MAX_SITEMAPS: usize = 100;

/// What a program of our name may fetch. Without rules: everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Robots {
    rules: Vec<Rule>,
    delay: Option<Duration>,
    sitemaps: Vec<String>,
}

#[derive(Debug, Clone)]
struct Rule {
    pattern: String,
    allows: bool,
}

/// A group as it stands there.
#[derive(Debug, Default)]
struct Group {
    agents: Vec<String>,
    rules: Vec<Rule>,
    delay: Option<Duration>,
}

impl Robots {
    /// The rules for a program of this name.
    pub(super) fn parse(text: &[u8], agent: &str) -> Self {
        let text = String::from_utf8_lossy(text);
        let (mut groups, mut sitemaps) = (vec![Group::default()], Vec::new());
        let mut is_head = false;
        for line in text.trim_start_matches('\u{feff}').lines() {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            if key == "user-agent" {
                if !is_head {
                    groups.push(Group::default());
                }
                is_head = true;
                let last = groups.last_mut();
                last.into_iter().for_each(|group| group.agents.push(product(value)));
                continue;
            }
            let Some(group) = groups.last_mut() else { continue };
            match key.as_str() {
                "sitemap" if sitemaps.len() < MAX_SITEMAPS => sitemaps.push(value.to_owned()),
                "allow" | "disallow" => {
                    is_head = false;
                    // An empty pattern forbids nothing.
                    if !value.is_empty() && value.len() <= MAX_PATTERN {
                        group.rules.push(Rule { pattern: normal(value), allows: key == "allow" });
                    }
                }
                "crawl-delay" => {
                    is_head = false;
                    let seconds: Option<f64> =
                        value.parse().ok().filter(|seconds: &f64| (0.0..=86_400.0).contains(seconds));
                    group.delay = seconds.map(Duration::from_secs_f64);
                }
                _ => {}
            }
        }
        let of = |name: &str| {
            groups.iter().filter(|group| group.agents.iter().any(|agent| agent == name)).collect::<Vec<_>>()
        };
        let own = of(&agent.to_ascii_lowercase());
        // Groups of the same name count together; those for all count where there is none of ours.
        let groups = if own.is_empty() { of("*") } else { own };
        let rules = groups.iter().flat_map(|group| group.rules.clone()).take(MAX_RULES).collect();
        let delay = groups.iter().filter_map(|group| group.delay).max();
        Self { rules, delay, sitemaps }
    }

    /// Whether an address may be fetched: the longest pattern that fits decides, and of equal ones that which allows.
    pub(super) fn allows(&self, url: &Url) -> bool {
        if url.path() == "/robots.txt" {
            return true;
        }
        let mut target = url.path().to_owned();
        if let Some(query) = url.query() {
            target.push('?');
            target.push_str(query);
        }
        let target = normal(&target);
        let fitting = self.rules.iter().filter(|rule| fits(&rule.pattern, &target));
        fitting.max_by_key(|rule| (rule.pattern.len(), rule.allows)).is_none_or(|rule| rule.allows)
    }

    /// The pause that it asks for.
    pub(super) fn delay(&self) -> Option<Duration> {
        self.delay
    }

    /// Addresses of sitemaps.
    pub(super) fn sitemaps(&self) -> &[String] {
        &self.sitemaps
    }
}

/// The name of a program without its version.
fn product(value: &str) -> String {
    if value == "*" {
        return value.to_owned();
    }
    let is_name = |c: char| c.is_ascii_alphabetic() || c == '-' || c == '_';
    value.chars().take_while(|c| is_name(*c)).collect::<String>().to_ascii_lowercase()
}

/// One way of writing for each path: letters, digits and what is never encoded as they are, other bytes encoded.
fn normal(path: &str) -> String {
    const OTHERS: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');
    let bytes = path.as_bytes();
    let (mut out, mut at) = (String::with_capacity(path.len()), 0);
    while at < bytes.len() {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                let byte = u8::try_from(high * 16 + low).unwrap_or_default();
                if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                    out.push(char::from(byte));
                } else {
                    out.push_str(&format!("%{byte:02X}"));
                }
                at += 3;
            }
            (byte, ..) => {
                out.extend(percent_encode(&[byte], OTHERS));
                at += 1;
            }
        }
    }
    out
}

/// Whether a pattern fits the beginning of a path; `*` stands for anything, `$` at its end for the end.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, is_whole) = pattern.strip_suffix('$').map_or((pattern, false), |pattern| (pattern, true));
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else { return !is_whole || rest.is_empty() };
    for piece in between {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    if is_whole { rest.ends_with(last) } else { rest.contains(last) }
}

/// What a page says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) is_noindex: bool,
    pub(super) is_nofollow: bool,
}

impl Said {
    /// The words of a robots tag, with commas between them.
    pub(super) fn take(&mut self, words: &str) {
        for word in words.split(',').map(|word| word.trim().to_ascii_lowercase()) {
            self.is_noindex |= word == "noindex" || word == "none";
            self.is_nofollow |= word == "nofollow" || word == "none";
        }
    }
}

/// What the headers `X-Robots-Tag` say to a program of this name.
pub(super) fn header(headers: &HeaderMap, agent: &str) -> Said {
    let mut said = Said::default();
    for value in headers.get_all("x-robots-tag").iter().filter_map(|value| value.to_str().ok()) {
        match value.split_once(':') {
            Some((name, words)) if name.trim().eq_ignore_ascii_case(agent) => said.take(words),
            // `unavailable_after: ..` is no name of a program, and says what is not heeded here.
            Some((name, _)) if !name.contains(',') => {}
            _ => said.take(value),
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(text: &str, path: &str) -> bool {
        let url = Url::parse("https://a.example").unwrap().join(path).unwrap();
        Robots::parse(text.as_bytes(), "quarry").allows(&url)
    }

    #[test]
    fn the_longest_rule_of_the_nearest_group_decides() {
        let text = "\u{feff}# hello\nUser-agent: *\nDisallow: /\n\nUser-Agent: other\nuser-agent: Quarry/1.0 # us\nDisallow: /private\n\
            Allow: /private/open\nDisallow: /*.pdf$\nDisallow: /search?\nDisallow: /a*b*c\nDisallow: /%7Eann/\ndisallow: /b\u{fc}cher\n";
        for (path, expected) in [
            ("/", true),
            ("/private", false),
            ("/private/x", false),
            ("/private/open/x", true),
            ("/a.pdf", false),
            ("/a.pdf?x", true),
            ("/search", true),
            ("/search?q=a", false),
            ("/a1b2c3", false),
            ("/acb", true),
            ("/~ann/x", false),
            ("/%7eann/x", false),
            ("/b%C3%BCcher", false),
            ("/robots.txt", true),
        ] {
            assert_eq!(allows(text, path), expected, "{path}");
        }
        assert!(!allows("User-agent: *\nDisallow: /", "/x"), "for all, where there is no group of ours");
        assert!(allows("User-agent: *\nDisallow:\n", "/x") && allows("", "/x") && allows("Disallow: /", "/x"));
        assert!(allows("User-agent: quarrying\nDisallow: /", "/x"));
        assert!(!allows("User-agent: quarry\nAllow: /a\nUser-agent: quarry\nDisallow: /", "/b"), "both count");
        assert!(allows("User-agent: *\nDisallow: /x\nAllow: /x", "/x"), "of equal ones the one that allows");
    }

    #[test]
    fn it_says_where_pages_are_listed_and_how_slowly_to_come() {
        let text = "Sitemap: https://a.example/one.xml\nUser-agent: quarry\nCrawl-delay: 1.5\nSitemap: /two.xml\nCrawl-delay: no";
        let robots = Robots::parse(text.as_bytes(), "quarry");
        assert_eq!(robots.sitemaps(), ["https://a.example/one.xml", "/two.xml"]);
        assert_eq!(robots.delay(), None, "the last word counts");
        let robots = Robots::parse(b"User-agent: *\nCrawl-delay: 1.5", "quarry");
        assert_eq!(robots.delay(), Some(Duration::from_millis(1_500)));
    }

    #[test]
    fn patterns_without_mercy_take_no_time() {
        let text = format!("User-agent: *\n{}", format!("Disallow: /{}x\n", "a*".repeat(400)).repeat(3_000));
        let started = std::time::Instant::now();
        assert!(allows(&text, &format!("/{}", "a".repeat(900))));
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }

    #[test]
    fn headers_speak_to_all_or_to_one() {
        let said = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-robots-tag", value.parse().unwrap());
            }
            let said = header(&headers, "quarry");
            (said.is_noindex, said.is_nofollow)
        };
        assert_eq!(said(&[]), (false, false));
        assert_eq!(said(&["noindex, nofollow"]), (true, true));
        assert_eq!(said(&["none"]), (true, true));
        assert_eq!(said(&["googlebot: noindex", "Quarry: nofollow"]), (false, true));
        assert_eq!(said(&["unavailable_after: 25 Jun 2010 15:00:00 PST"]), (false, false));
    }
}
