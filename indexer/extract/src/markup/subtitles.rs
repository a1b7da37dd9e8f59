//! Subtitles (SRT, WebVTT): cues become paragraphs of what is said, each with the time it begins at, so that a hit says
//! where to listen. Numbers, styles and positions go; voices stay.

use super::lines::Lines;
use super::writer::Writer;
use crate::Format;
use crate::block::{BlockKind, StructuredText};

pub(crate) const FORMAT: &Format = Format::of("subtitles");

/// Seconds of talk in one paragraph.
const PARAGRAPH: u64 = 30;

pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).starts_with(b"WEBVTT")
}

pub(super) fn structure(source: &str) -> StructuredText {
    let mut lines = Lines::new(source);
    let mut writer = Writer::new(str::to_owned);
    // When the open paragraph began, and what was said last: live captions repeat themselves.
    let mut began: Option<u64> = None;
    let mut last = String::new();
    if let Some(title) = lines.peek(0).and_then(|line| line.strip_prefix("WEBVTT")) {
        writer.field("title", title.trim_start_matches([' ', '-', '\t']));
    }
    while let Some(line) = lines.next() {
        if line.starts_with("NOTE") || line.starts_with("STYLE") || line.starts_with("REGION") {
            drop(lines.until(|line| line.trim().is_empty()));
            continue;
        }
        let Some(time) = line.split_once("-->").and_then(|(start, _)| seconds(start)) else { continue };
        let number = lines.number();
        let cue = lines.until(|line| line.trim().is_empty());
        for text in cue.iter().map(|line| without_tags(line)) {
            if text.is_empty() || text == last {
                continue;
            }
            if !began.is_some_and(|began| (began..began + PARAGRAPH).contains(&time)) || !writer.is_open() {
                began = Some(time);
                let clock = format!("[{:02}:{:02}:{:02}] ", time / 3600, time / 60 % 60, time % 60);
                writer.open(BlockKind::Paragraph, &clock, number, &text);
            } else {
                writer.line(BlockKind::Paragraph, number, &text);
            }
            last = text;
        }
    }
    writer.finish(FORMAT)
}

/// Whole seconds of `01:02:03,456` or `02:03.456`.
fn seconds(clock: &str) -> Option<u64> {
    let whole = clock.trim().split([',', '.']).next()?;
    let parts: Option<Vec<u64>> = whole.split(':').map(|part| part.trim().parse().ok()).collect();
    parts
        .filter(|parts| (2..=3).contains(&parts.len()))?
        .into_iter()
        .try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(part).filter(|&sum| sum < 1_000_000))
}

/// `<v Ana>Hello</v>` is `Ana: Hello`.
fn without_tags(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, tag)) = rest.split_once('<') {
        out.push_str(before);
        let Some((tag, after)) = tag.split_once('>') else {
            rest = "";
            break;
        };
        if let Some(voice) =
            tag.strip_prefix("v ").or_else(|| tag.strip_prefix("v.").and_then(|tag| tag.split_once(' ').map(|t| t.1)))
        {
            out.push_str(voice);
            out.push_str(": ");
        }
        rest = after;
    }
    out.push_str(rest);
    out.trim().replace("&nbsp;", " ").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cues_become_paragraphs_with_times() {
        let srt = "1\n00:00:01,000 --> 00:00:04,000\n<i>Good</i> morning.\n\n2\n00:00:05,000 --> 00:00:08,000\nWe start.\n\n\
                   3\n01:02:03,000 --> 01:02:05,000\nLater.\n";
        assert_eq!(structure(srt).text, "[00:00:01] Good morning.\nWe start.\n\n[01:02:03] Later.");
        let vtt = "WEBVTT Meeting\n\nNOTE hidden\nmore\n\nSTYLE\n::cue {}\n\nid\n00:01.000 --> 00:02.000 align:start\n<v Ana>Hello &amp; hi</v>\n";
        let document = structure(vtt);
        assert_eq!(
            (document.text.as_str(), document.title.as_deref()),
            ("[00:00:01] Ana: Hello & hi", Some("Meeting"))
        );
    }

    #[test]
    fn strange_times_are_harmless() {
        assert_eq!(seconds("99999999999999999999:1:1"), None);
        assert_eq!(structure("99:99:99:99 --> x\na\n\n--> b\n").text, "");
    }
}
