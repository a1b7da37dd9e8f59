//! A mail on the wire, brought to what RFC 5322 says before it is parsed. Programs save mails with a byte order mark or
//! a blank line before the header, with the line ends of an old Macintosh, behind a count of bytes (Apple's EMLX); they
//! cut encoded words in the middle of a character, and write headers in eight bits without saying in which charset.
//! What keeps to the rules is not copied.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;

use crate::decode::{self, Charset};

/// Longest line that can be a header field.
const MAX_FIELD: usize = 4096;

/// The mail without what stands before its header.
pub(super) fn from_header(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    while let Some(tail) = blank_line(rest) {
        rest = tail;
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(behind) = blank_line(&rest[digits..]).filter(|_| (1..=10).contains(&digits)) else { return rest };
    // Apple's: the count of bytes, the mail, a property list.
    let count = std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
    behind.get(..count.unwrap_or(usize::MAX)).unwrap_or(behind)
}

/// What follows a blank line.
fn blank_line(bytes: &[u8]) -> Option<&[u8]> {
    let blanks = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = &bytes[blanks..];
    [&b"\r\n"[..], b"\n", b"\r"].iter().find_map(|end| rest.strip_prefix(*end))
}

/// The mail as a parser takes it.
pub(super) fn mended(bytes: &[u8]) -> Cow<'_, [u8]> {
    let bytes = from_header(bytes);
    let mut mail = Cow::Borrowed(bytes);
    if let Some(lines) = with_line_feeds(bytes) {
        mail = Cow::Owned(lines);
    }
    if let Some(joined) = with_whole_words(&mail) {
        mail = Cow::Owned(joined);
    }
    if let Some(header) = with_readable_header(&mail) {
        mail = Cow::Owned(header);
    }
    mail
}

/// Lines that end in a bare carriage return, or in two of them.
pub(super) fn with_line_feeds(bytes: &[u8]) -> Option<Vec<u8>> {
    let doubled = bytes.iter().position(|&byte| byte == b'\n').is_some_and(|at| bytes[..at].ends_with(b"\r\r"));
    if doubled {
        let mut out = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
            out.extend_from_slice(&line[..end]);
            out.push(b'\n');
        }
        return Some(out);
    }
    let bare = bytes.contains(&b'\r') && !bytes.contains(&b'\n');
    bare.then(|| bytes.iter().map(|&byte| if byte == b'\r' { b'\n' } else { byte }).collect())
}

/// An encoded word of RFC 2047: `=?charset?B?text?=`.
struct Word<'a> {
    charset: &'a [u8],
    encoding: u8,
    text: &'a [u8],
}

/// Encoded words of which one ends inside of a character joined with the next.
fn with_whole_words(mail: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = find(&mail[at..], b"=?") {
        let start = at + found;
        let Some((first, mut end)) = word(mail, start) else {
            at = start + 2;
            continue;
        };
        let mut joined = Vec::new();
        while let Some((next, next_end)) = next_word(mail, end).filter(|(next, _)| is_same_kind(&first, next)) {
            let whole = if joined.is_empty() { decoded(&first) } else { Some(joined.clone()) };
            let Some(whole) = whole.filter(|whole| is_cut(&first, whole)) else { break };
            let Some(more) = decoded(&next) else { break };
            joined = [whole, more].concat();
            end = next_end;
        }
        if !joined.is_empty() {
            out.extend_from_slice(&mail[copied..start]);
            out.extend_from_slice(&encoded(&first, &joined));
            copied = end;
        }
        at = end;
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(&mail[copied..]);
    Some(out)
}

/// The encoded word that starts here, and where it ends.
fn word(mail: &[u8], start: usize) -> Option<(Word<'_>, usize)> {
    let line = mail.get(start + 2..)?;
    let line = &line[..line.len().min(MAX_FIELD)];
    let mut fields = line.splitn(3, |&byte| byte == b'?');
    let (charset, encoding, rest) = (fields.next()?, fields.next()?, fields.next()?);
    let length = find(rest, b"?=")?;
    let text = &rest[..length];
    let is_token = !charset.is_empty() && charset.len() < 40 && charset.iter().all(u8::is_ascii_graphic);
    let is_sound = is_token && matches!(encoding, b"B" | b"b" | b"Q" | b"q") && !text.contains(&b'\n');
    let end = start + 2 + charset.len() + 1 + encoding.len() + 1 + length + 2;
    is_sound.then(|| (Word { charset, encoding: encoding[0].to_ascii_uppercase(), text }, end))
}

/// The word that follows with nothing but white space between.
fn next_word(mail: &[u8], end: usize) -> Option<(Word<'_>, usize)> {
    let blanks = mail[end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    mail[end + blanks..].starts_with(b"=?").then(|| word(mail, end + blanks)).flatten()
}

fn is_same_kind(one: &Word<'_>, other: &Word<'_>) -> bool {
    one.encoding == other.encoding && one.charset.eq_ignore_ascii_case(other.charset)
}

fn decoded(word: &Word<'_>) -> Option<Vec<u8>> {
    match word.encoding {
        b'B' => base64_decode(word.text),
        _ => Some(unquoted(word.text)),
    }
}

/// Quoted-printable in the form of headers.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (byte, pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'=', Some(value)) => {
                out.push(value);
                rest = &tail[2..];
                continue;
            }
            (b'_', _) => out.push(b' '),
            _ => out.push(byte),
        }
        rest = tail;
    }
    out
}

/// Whether the bytes end inside of a character.
fn is_cut(word: &Word<'_>, bytes: &[u8]) -> bool {
    let charset = std::str::from_utf8(word.charset).ok().and_then(Charset::for_label);
    charset.is_some_and(|charset| charset.read(bytes).1)
}

/// The word anew, in hexadecimal: it says the same however it was encoded.
fn encoded(word: &Word<'_>, bytes: &[u8]) -> Vec<u8> {
    let text: String = bytes.iter().map(|byte| format!("={byte:02X}")).collect();
    [b"=?", word.charset, b"?Q?", text.as_bytes(), b"?="].concat()
}

/// The header in UTF-8, where it holds bytes of another charset: that of the text, if it is named and fits.
fn with_readable_header(mail: &[u8]) -> Option<Vec<u8>> {
    let length = find(mail, b"\n\n").into_iter().chain(find(mail, b"\n\r\n")).min().unwrap_or(mail.len());
    let header = &mail[..length];
    if std::str::from_utf8(header).is_ok() {
        return None;
    }
    let eight_bit: Vec<u8> =
        header.split_inclusive(|&byte| byte == b'\n').filter(|line| !line.is_ascii()).flatten().copied().collect();
    let named = find(&mail[..mail.len().min(64 << 10)].to_ascii_lowercase(), b"charset=").and_then(|at| {
        let label = mail[at + 8..].trim_ascii_start().strip_prefix(b"\"").unwrap_or(&mail[at + 8..]);
        let end = label.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"-_:.".contains(byte)));
        std::str::from_utf8(&label[..end.unwrap_or(label.len())]).ok().and_then(Charset::for_label)
    });
    // Few letters are little for statistics: they are told all together, and each line is then read alike.
    let mut out = Vec::with_capacity(mail.len() + header.len() / 2);
    let charset = decode::choose(&eight_bit, named);
    for line in header.split_inclusive(|&byte| byte == b'\n') {
        // Encoded words name their charset, also for bytes that they should have encoded.
        if std::str::from_utf8(line).is_ok() || find(line, b"=?").is_some() {
            out.extend_from_slice(line);
        } else {
            out.extend_from_slice(charset.read(line).0.as_bytes());
        }
    }
    out.extend_from_slice(&mail[length..]);
    Some(out)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let (&first, rest) = what.split_first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|&byte| byte == first) {
        if bytes[from + at + 1..].starts_with(rest) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_to_the_rules_is_not_touched() {
        let mail = b"Subject: =?utf-8?b?R3LDtsOfZQ==?= =?utf-8?q?_Gr=C3=BC=C3=9Fe?=\r\n\r\nbody\r\n";
        assert!(matches!(mended(mail), Cow::Borrowed(same) if same == mail));
    }

    #[test]
    fn the_header_comes_first() {
        let header = b"From: a@x\n\nb";
        for before in [&b"\xef\xbb\xbf"[..], b"\r\n", b"\n \n\n", b"\xef\xbb\xbf\n", b"12 \n"] {
            assert_eq!(from_header(&[before, header].concat()), header, "{before:?}");
        }
        assert_eq!(from_header(b"3\nabcdef"), b"abc");
        assert_eq!(from_header(b"2024: a year"), b"2024: a year");
    }

    #[test]
    fn line_ends_become_those_of_mails() {
        assert_eq!(&*mended(b"A: b\rC: d\r\rtext\r"), b"A: b\nC: d\n\ntext\n");
        assert_eq!(&*mended(b"A: b\r\r\nC: d\r\r\n\r\r\ntext"), b"A: b\nC: d\n\ntext\n");
        assert_eq!(&*mended(b"A: b\r\n\r\nx\ry\r\n"), b"A: b\r\n\r\nx\ry\r\n");
    }

    #[test]
    fn words_cut_inside_of_a_character_are_joined() {
        // 中 is e4 b8 ad: cut behind two of its bytes, and behind one.
        let mended_words =
            mended(b"Subject: =?UTF-8?Q?a=E4=B8?=\r\n =?utf-8?Q?=AD_b=E4?= =?UTF-8?Q?=B8=AD?= end\r\n\r\n");
        assert_eq!(&*mended_words, b"Subject: =?UTF-8?Q?=61=E4=B8=AD=20=62=E4=B8=AD?= end\r\n\r\n");
        assert_eq!(&*mended(b"S: =?gbk?B?1g==?=\n =?GBK?b?0A==?=\n\n"), b"S: =?gbk?Q?=D6=D0?=\n\n");
        let broken = b"S: =?gbk?B?1g==?= =? =?x =?a?b?c =?a?B?!!?= =?";
        let _ = mended(broken);
    }

    #[test]
    fn a_header_in_eight_bits_is_read() {
        let mail = [
            &b"Subject: "[..],
            &encoding_rs::GBK.encode("采购合同审批").0,
            b"\n\nContent-Type: text/plain; charset=gb2312\n",
        ]
        .concat();
        assert_eq!(mended(&mail).split(|&byte| byte == b'\n').next().unwrap(), "Subject: 采购合同审批".as_bytes());
        assert_eq!(&*mended(b"Subject: Gr\xf6\xdfe\n\nx"), "Subject: Größe\n\nx".as_bytes());
    }
}
