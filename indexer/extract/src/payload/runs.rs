//! Runs of letters that encode bytes: single ones too long for any word, and lines of the same length that belong
//! together.

use std::ops::Range;

/// Characters from which on a run of mixed letters and digits is base64: longer than a hash in hexadecimal.
const BASE64: usize = 120;
/// From which on a run of hexadecimal digits is data.
const HEXADECIMAL: usize = 256;
/// From which on any run is: no word and no name is as long.
const ANYTHING: usize = 512;
/// Characters of a line of wrapped base64, and how many of the same length prove it.
const LINE: std::ops::RangeInclusive<usize> = 40..=128;
const LINES: usize = 3;
/// Most bytes between two of them: quotes, line ends, indentation.
const GAP: usize = 24;
/// A full line of uuencode and how many prove it.
const UU_LINE: usize = 61;

/// What is payload in a text, in order.
pub(super) fn payload(text: &str) -> Vec<Range<usize>> {
    // Nearly every block ends here: nothing in it is long.
    let runs = runs(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < runs.len() {
        let (group, end) = group_of(text, &runs[at..]);
        if let Some(group) = group {
            found.push(group);
        }
        at += end;
    }
    if text.len() > UU_LINE * LINES {
        found = super::united(found, uuencoded(text));
    }
    found
}

/// Runs of the letters of base64 as long as a line of it.
fn runs(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        // From one possible end of a run to the next: whatever holds another letter in between is too short.
        if !is_letter(bytes[at]) {
            at += 1;
            continue;
        }
        let length = bytes[at..].iter().take_while(|&&byte| is_letter(byte)).count();
        if length >= *LINE.start() {
            found.push(at..at + length);
        }
        at += length;
    }
    found
}

/// Letters of base64, also as it is written in addresses, and those of names and numbers.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'%' | b'.' | b'~' | b'!' | b'*')
}

/// The payload that the first run begins, and how many runs were looked at.
fn group_of(text: &str, runs: &[Range<usize>]) -> (Option<Range<usize>>, usize) {
    let first = &runs[0];
    let mut count = 1;
    if LINE.contains(&first.len()) {
        let follows = |(before, next): (&Range<usize>, &Range<usize>)| {
            next.len() == first.len() && is_gap(&text[before.end..next.start])
        };
        count += runs.iter().zip(&runs[1..]).take_while(|&pair| follows(pair)).count();
    }
    let lines: String = runs[..count].iter().map(|run| &text[run.clone()]).collect();
    let is_payload =
        if count >= LINES { is_base64(&lines) || is_hexadecimal(&lines) } else { is_long(&text[first.clone()]) };
    if !is_payload {
        return (None, if count >= LINES { count } else { 1 });
    }
    let count = if count >= LINES { count } else { 1 };
    let mut end = runs[count - 1].end;
    // The last line is a shorter one.
    let rest = &text[end..];
    let gap = rest.bytes().take_while(|&byte| !is_letter(byte)).count();
    let last = rest.as_bytes()[gap..].iter().take_while(|&&byte| is_letter(byte)).count();
    let tail = &rest[gap..gap + last];
    let is_last = last < first.len() && last > 0 && (tail.ends_with('=') || (last > 16 && is_mixed(tail)));
    let mut looked_at = count;
    if count >= LINES && is_last && is_gap(&rest[..gap]) {
        end += gap + last;
        looked_at += runs[count..].iter().take_while(|run| run.start < end).count();
    }
    (Some(first.start..end), looked_at)
}

fn is_gap(between: &str) -> bool {
    between.len() <= GAP && !between.chars().any(char::is_alphanumeric)
}

/// Whether one run is longer than what it could be otherwise.
fn is_long(run: &str) -> bool {
    let joints = run.bytes().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    // Paths, slugs and rules have joints every few letters.
    let is_jointed = joints * 20 > run.len();
    let is_escaped = run.bytes().filter(|&byte| byte == b'%').count() * 12 > run.len();
    (run.len() >= BASE64 && is_base64(run))
        || (run.len() >= HEXADECIMAL && is_hexadecimal(run))
        || (run.len() >= ANYTHING && (!is_jointed || is_escaped))
}

/// Capitals, small letters and digits as chance mixes them: no name changes between them as often.
fn is_base64(text: &str) -> bool {
    let joints = text.bytes().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    joints * 12 <= text.len() && is_mixed(text)
}

fn is_mixed(text: &str) -> bool {
    let class = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let mut counts = [0_usize; 4];
    let mut changes = 0;
    let mut before = None;
    for byte in text.bytes() {
        let class = class(byte);
        counts[class] += 1;
        changes += usize::from(before.is_some_and(|before| before != class));
        before = Some(class);
    }
    let has = |class: usize, share: usize| counts[class] * share >= text.len();
    has(0, 8) && has(1, 8) && has(2, 40) && changes * 3 >= text.len()
}

fn is_hexadecimal(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    text.len() >= HEXADECIMAL && digits * 4 >= text.len() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Full lines of uuencode that follow each other, with the shorter one behind them.
fn uuencoded(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(Range<usize>, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bytes = line.trim_end_matches(['\n', '\r']).as_bytes();
        let is_encoded = bytes.iter().all(|byte| (0x20..=0x60).contains(byte));
        if is_encoded && bytes.len() == UU_LINE && bytes[0] == b'M' {
            let (range, count) = open.get_or_insert((at..at, 0));
            range.end = at + bytes.len();
            *count += 1;
        } else if let Some((mut range, count)) = open.take().filter(|(_, count)| *count >= LINES) {
            let is_last = is_encoded && bytes.len() > 1 && bytes.len() < UU_LINE && !bytes.contains(&b' ');
            range.end = if is_last { at + bytes.len() } else { range.end };
            let _ = count;
            found.push(range);
        }
        at += line.len();
    }
    found.extend(open.filter(|(_, count)| *count >= LINES).map(|(range, _)| range));
    found
}
