//! Stop strings: the text ends before the first of them. What may be the beginning of one is held back until it is
//! told, so that no part of a stop string is ever shown.

/// What is looked for, and what is held back.
pub(super) struct Stops {
    stops: Vec<String>,
    held: String,
    found: bool,
}

impl Stops {
    /// Empty stop strings are none.
    pub(super) fn new(mut stops: Vec<String>) -> Self {
        stops.retain(|stop| !stop.is_empty());
        Self { stops, held: String::new(), found: false }
    }

    pub(super) fn found(&self) -> bool {
        self.found
    }

    /// What can be shown after more text.
    pub(super) fn push(&mut self, text: &str) -> String {
        if self.found {
            return String::new();
        }
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.found = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let kept = self.stops.iter().map(|stop| begun(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - kept);
        std::mem::replace(&mut self.held, rest)
    }

    /// What was held back, where no stop string came of it.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Length of the longest ending of `text` that `stop` begins with.
fn begun(text: &str, stop: &str) -> usize {
    let longest = stop.len().saturating_sub(1).min(text.len());
    (1..=longest).rev().find(|length| text.as_bytes().ends_with(&stop.as_bytes()[..*length])).map_or(0, |length| {
        // A stop string begins with whole characters, so its beginning is found at one.
        if text.is_char_boundary(text.len() - length) { length } else { 0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streamed(stops: &[&str], parts: &[&str]) -> (Vec<String>, bool) {
        let mut stream = Stops::new(stops.iter().map(|stop| (*stop).to_owned()).collect());
        let mut texts: Vec<String> = parts.iter().map(|part| stream.push(part)).collect();
        texts.push(stream.finish());
        (texts, stream.found())
    }

    #[test]
    fn no_part_of_a_stop_string_is_shown() {
        assert_eq!(streamed(&["END"], &["a E", "N", "D b"]).0, ["a ", "", "", ""]);
        assert!(streamed(&["END"], &["a E", "N", "D b"]).1);
        assert_eq!(
            streamed(&["END"], &["a EN", "E", "ND"]),
            (vec!["a ".into(), "EN".into(), "".into(), "".into()], true)
        );
        assert_eq!(streamed(&["END"], &["a EN"]), (vec!["a ".into(), "EN".into()], false));
        assert_eq!(streamed(&["\n\n", "x"], &["a\n", "b\n", "\nc"]).0, ["a", "\nb", "", ""]);
    }

    #[test]
    fn the_first_of_several_ends_the_text() {
        assert_eq!(streamed(&["b", "a"], &["xxab"]).0[0], "xx");
        assert_eq!(streamed(&["", "é"], &["caf", "é au lait"]).0, ["caf", "", ""]);
        assert_eq!(streamed(&[], &["a", "b"]), (vec!["a".into(), "b".into(), "".into()], false));
        assert_eq!(streamed(&["aab"], &["aaa", "b"]).0, ["a", "", ""]);
    }
}
