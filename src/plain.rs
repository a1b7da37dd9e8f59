//! Foreign words on their way to a terminal. Names, titles, reasons and texts come from files that anybody may have
//! written; a terminal takes some characters in them for orders (move the cursor, change the title, fill the clipboard) or
//! lets them rearrange what stands beside them. Whatever is foreign goes through here before it is printed: such
//! characters are shown as what they are, `\u{1b}`. JSON keeps its values exactly and escapes the same characters. The
//! log does the same: see `logging`.

use std::borrow::Cow;

use anyhow::Result;
use serde::Serialize;

/// Characters of a name, a title or a reason that are shown.
const MAX_SHOWN: usize = 1_000;

/// Orders to a terminal (C0, DEL, C1), what reverses the direction of a line, and what breaks one unseen.
pub(crate) fn is_order(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name, title or reason on one line, and not endless.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    let end = text.char_indices().nth(MAX_SHOWN).map(|(end, _)| end);
    if end.is_none() && !text.contains(is_order) {
        return Cow::Borrowed(text);
    }
    let mut out = escaped(&text[..end.unwrap_or(text.len())], |_| false);
    if end.is_some() {
        out.push('…');
    }
    Cow::Owned(out)
}

/// A text of several lines, whole: line ends and tabs stay.
pub(crate) fn shown_lines(text: &str) -> Cow<'_, str> {
    let stays = |character: char| matches!(character, '\n' | '\t');
    if !text.contains(|character: char| is_order(character) && !stays(character)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escaped(&text.replace("\r\n", "\n"), stays))
}

/// A message that may quote names: its further lines are indented, so that no name can look like a message of its own.
pub(crate) fn shown_message(text: &str) -> String {
    shown_lines(text).replace('\n', "\n  ")
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_order(character) && !stays(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// A value as JSON for people and programs: the same value, with nothing in it that a terminal obeys. (Below U+0020, JSON
/// itself demands it.)
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(shown_json(&text).into_owned())
}

/// JSON text that means the same, with nothing in it that a terminal obeys but its line ends.
pub(crate) fn shown_json(text: &str) -> Cow<'_, str> {
    let hides = |character: char| is_order(character) && character != '\n';
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 64);
    for character in text.chars() {
        if hides(character) {
            // All of them are within the first plane: one unit of UTF-16.
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clipboard, title, clear screen, eight-bit CSI, delete, reversed direction.
    const HOSTILE: &str = "a\u{1b}]52;c;ZXZpbA==\u{7}b\u{1b}[2J\u{9b}31m\u{7f}\u{202e}cod.exe\u{2066}\r\nnext\tline";

    fn is_harmless(text: &str) -> bool {
        !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'))
            && !text.contains(['\u{202e}', '\u{2066}'])
    }

    #[test]
    fn a_terminal_gets_no_orders() {
        let one = shown(HOSTILE);
        assert!(is_harmless(&one) && !one.contains(['\n', '\t']), "{one}");
        assert!(one.starts_with("a\\u{1b}]52;c;ZXZpbA==\\u{7}b") && one.ends_with("\\r\\nnext\\tline"), "{one}");
        let lines = shown_lines(HOSTILE);
        assert!(is_harmless(&lines) && lines.ends_with("\nnext\tline"), "{lines}");
        assert_eq!(shown_message("a\nquarry: b"), "a\n  quarry: b");
        for plain in ["größe 报销 — ok", "עברית"] {
            assert!(matches!(shown(plain), Cow::Borrowed(_)) && matches!(shown_lines(plain), Cow::Borrowed(_)));
        }
        assert_eq!(shown(&"x".repeat(5_000)).chars().count(), MAX_SHOWN + 1);
    }

    #[test]
    fn json_keeps_its_values() {
        let text = json(&[HOSTILE, "plain"]).unwrap();
        assert!(is_harmless(&text), "{text}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [HOSTILE, "plain"]);
    }
}
