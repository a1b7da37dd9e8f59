//! Bytes to text. UTF-8 is taken at its word; everything else is told by a byte order mark, by where zero bytes lie
//! (UTF-16), by what the document declares (HTML, mail), or by statistics (chardetng), and leaves a note. No word is
//! believed against the text itself: a reading that is odd loses to one that is far less so, and so do the statistics,
//! which know no code pages of DOS and not the Macintosh. Line ends become `\n`, so that one newline is one line in all
//! that follows.

mod charset;
mod oddness;

pub(crate) use charset::{Charset, IBM437};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, X_MAC_CYRILLIC};

use charset::{IBM850, IBM852};
use oddness::oddness;

/// Bytes that statistics are taken of.
const DETECTION_BYTES: usize = 1 << 20;

/// Bytes in which the pattern of zeros is looked for.
const UTF_16_SAMPLE: usize = 64 << 10;

/// Text with the notes that its decoding left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) text: String,
    pub(crate) warnings: Vec<String>,
}

/// Oddness from which on a reading is doubted, and how much less odd another must be to be believed instead.
const DOUBTFUL: f32 = 0.2;
const FAR_LESS: f32 = 0.4;

/// Single-byte charsets that statistics do not tell, the likelier ones first.
const UNTOLD: [Charset; 4] =
    [Charset::Dos(IBM850), Charset::Web(MACINTOSH), Charset::Dos(IBM852), Charset::Web(X_MAC_CYRILLIC)];

/// Decodes a whole file. `declared` is the encoding that the document names itself, if it does.
pub(crate) fn decode(bytes: &[u8], declared: Option<&'static Encoding>) -> Decoded {
    decode_declared(bytes, declared.map(Charset::Web))
}

/// Decodes a text of which its envelope (a mail's part) says the charset, or nothing.
pub(crate) fn decode_declared(bytes: &[u8], declared: Option<Charset>) -> Decoded {
    // UTF-16 of Latin letters and the seven-bit forms are valid UTF-8 too: zeros, escapes and their label tell them.
    if let Some(decoded) = wide(bytes) {
        return decoded;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Some(charset) = declared.filter(|charset| charset.is_seven_bit() && bytes.is_ascii())
        && !charset.read(bytes).1
    {
        return decode_as(charset, bytes);
    }
    if !bytes.contains(&0x1b)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Decoded { text: clean(text), warnings: note_removed_zeros(text) };
    }
    let charset = choose(bytes, declared);
    let mut decoded = decode_as(charset, bytes);
    if let Some(declared) = declared.filter(|&declared| declared != charset) {
        decoded.warnings.insert(0, format!("declared as {}, which it is not", declared.name()));
    }
    decoded
}

/// Whether nothing is odd about a short text (names) in this charset.
pub(crate) fn is_plausible(charset: Charset, bytes: &[u8]) -> bool {
    let (text, malformed) = charset.read(bytes);
    !malformed && oddness(&text) == 0.0
}

/// The charset by which bytes that are not UTF-8 read best.
pub(crate) fn choose(bytes: &[u8], declared: Option<Charset>) -> Charset {
    let sample = &bytes[..bytes.len().min(DETECTION_BYTES)];
    let odd = |charset: Charset| oddness(charset.read(sample).0.trim_end_matches('\u{fffd}'));
    let mut best =
        declared.filter(|charset| !charset.is_wide() || bytes.len().is_multiple_of(2)).map(|it| (odd(it), it));
    if let Some((_, declared)) = best.filter(|(oddness, _)| *oddness < DOUBTFUL) {
        return declared;
    }
    let mut consider = |charset: Charset| {
        let oddness = odd(charset);
        if best.is_none_or(|(least, _)| oddness < least * FAR_LESS) {
            best = Some((oddness, charset));
        }
        oddness
    };
    let guess = Charset::Web(detect(sample));
    let least = consider(guess);
    // Statistics over a few letters of a Macintosh end up anywhere; those over Chinese do not.
    if least >= DOUBTFUL && (guess.is_single_byte() || least >= 1.0) {
        for charset in UNTOLD {
            consider(charset);
        }
    }
    best.map_or(guess, |(_, charset)| charset)
}

/// Decodes what is written in units of two or four bytes: told by a byte order mark or by zeros.
pub(crate) fn wide(bytes: &[u8]) -> Option<Decoded> {
    if let Some(decoded) = utf_32(bytes) {
        return Some(decoded);
    }
    match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => (encoding != UTF_8).then(|| decode_as(Charset::Web(encoding), &bytes[mark..])),
        None => utf_16_by_zeros(bytes).map(|encoding| decode_as(Charset::Web(encoding), bytes)),
    }
}

/// UTF-32 with a byte order mark, which encoding_rs leaves out as the Web does. Its little-endian mark opens with that
/// of UTF-16.
fn utf_32(bytes: &[u8]) -> Option<Decoded> {
    let (units, trailing) = bytes.as_chunks::<4>();
    let (read, name): (fn([u8; 4]) -> u32, &str) = match units.first()? {
        [0xff, 0xfe, 0, 0] => (u32::from_le_bytes, "UTF-32LE"),
        [0, 0, 0xfe, 0xff] => (u32::from_be_bytes, "UTF-32BE"),
        _ => return None,
    };
    let mut replaced = usize::from(!trailing.is_empty());
    let mut text = String::with_capacity(units.len());
    for &unit in &units[1..] {
        let character = char::from_u32(read(unit));
        replaced += usize::from(character.is_none());
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    let mut warnings = note_removed_zeros(&text);
    warnings.push(format!("read as {name}"));
    if replaced > 0 {
        warnings.push(format!("{replaced} characters are not valid {name} and were replaced"));
    }
    Some(Decoded { text: clean(&text), warnings })
}

/// UTF-16 without a byte order mark, told by zero high bytes of its Latin letters, spaces and newlines.
pub(crate) fn utf_16_by_zeros(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(UTF_16_SAMPLE) & !1];
    if sample.len() < 4 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let even = sample.iter().step_by(2).filter(|&&byte| byte == 0).count();
    let odd = sample.iter().skip(1).step_by(2).filter(|&&byte| byte == 0).count();
    let enough = (sample.len() / 2 / 100).max(1);
    // A few characters have a zero low byte themselves.
    let encoding = if odd >= enough && even * 8 <= odd {
        UTF_16LE
    } else if even >= enough && odd * 8 <= even {
        UTF_16BE
    } else {
        return None;
    };
    // A sample of 64 KiB can end between two halves of a surrogate pair.
    let (text, _) = encoding.decode_without_bom_handling(sample);
    let strange = text.trim_end_matches('\u{fffd}').chars().filter(|&c| is_strange(c)).count();
    (strange * 50 <= text.chars().count()).then_some(encoding)
}

/// Characters that hardly occur in text: what random bytes turn into.
fn is_strange(character: char) -> bool {
    let blank = matches!(character, '\n' | '\r' | '\t' | '\u{c}');
    let private = matches!(character, '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}');
    (character.is_control() && !blank) || private
}

fn detect(bytes: &[u8]) -> &'static Encoding {
    if mostly_utf_8(bytes) {
        return UTF_8;
    }
    let sample = &bytes[..bytes.len().min(DETECTION_BYTES)];
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(sample, true);
    detector.guess(None, Utf8Detection::Allow)
}

/// UTF-8 with a few broken places: at least eight valid characters beyond ASCII for each invalid one.
fn mostly_utf_8(bytes: &[u8]) -> bool {
    let (mut valid, mut invalid) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().chars().filter(|character| !character.is_ascii()).count();
        invalid += usize::from(!chunk.invalid().is_empty());
    }
    valid > 0 && invalid * 8 <= valid
}

fn decode_as(charset: Charset, bytes: &[u8]) -> Decoded {
    let (text, malformed) = charset.read(bytes);
    let mut warnings = note_removed_zeros(&text);
    if charset != Charset::Web(UTF_8) {
        warnings.push(format!("read as {}", charset.name()));
    }
    if malformed {
        let replaced = text.chars().filter(|&character| character == '\u{fffd}').count();
        warnings.push(format!("{replaced} characters are not valid {} and were replaced", charset.name()));
    }
    Decoded { text: clean(&text), warnings }
}

fn note_removed_zeros(text: &str) -> Vec<String> {
    match text.bytes().filter(|&byte| byte == 0).count() {
        0 => Vec::new(),
        zeros => vec![format!("{zeros} NUL characters were left out")],
    }
}

/// One `\n` for every line end, no NUL, no byte order mark.
fn clean(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.bytes().any(|byte| byte == b'\r' || byte == 0) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\r', '\0']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        let taken = match tail.as_bytes() {
            [0, ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 1,
        };
        if tail.starts_with('\r') {
            out.push('\n');
        }
        rest = &tail[taken..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use encoding_rs::{BIG5, GB18030, SHIFT_JIS, WINDOWS_1252};
    use proptest::prelude::*;

    use super::*;

    const CHINESE: &str =
        "出差人员应当在返回后十五个工作日内提交报销申请，并附上全部发票。住宿标准按照所在城市的级别执行。";

    #[test]
    fn utf_8_leaves_no_note() {
        let decoded = decode("\u{feff}Grüße\r\nan\ralle\n".as_bytes(), None);
        assert_eq!(decoded.text, "Grüße\nan\nalle\n");
        assert_eq!(decoded.warnings, Vec::<String>::new());
    }

    #[test]
    fn eastern_encodings_are_detected() {
        let traditional =
            "出差人員應當在返回後十五個工作日內提交報銷申請，並附上全部發票。住宿標準按照所在城市的級別執行。";
        let japanese = "出張から戻った社員は、十五日以内に経費の精算を申請し、すべての領収書を添付してください。";
        for (encoding, text) in [(GB18030, CHINESE), (BIG5, traditional), (SHIFT_JIS, japanese)] {
            let (bytes, _, _) = encoding.encode(text);
            let decoded = decode(&bytes, None);
            assert_eq!(decoded.text, text, "{}", encoding.name());
            assert!(decoded.warnings[0].starts_with("read as "), "{:?}", decoded.warnings);
        }
    }

    #[test]
    fn western_letters_are_detected() {
        let text = "Die Prüfung der Geräte übernimmt die zuständige Abteilung; für größere Schäden haftet der Käufer.";
        let (bytes, _, _) = WINDOWS_1252.encode(text);
        assert_eq!(decode(&bytes, None).text, text);
    }

    #[test]
    fn utf_16_is_read_with_and_without_a_mark() {
        let text = format!("Reisekosten\nTravel costs\n{CHINESE}\n");
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [&little, &big] {
            assert_eq!(decode(bytes, None).text, text);
        }
        let marked: Vec<u8> = [0xff, 0xfe].into_iter().chain(little).collect();
        assert_eq!(decode(&marked, None).text, text);
    }

    #[test]
    fn utf_32_is_read_by_its_mark() {
        let little: Vec<u8> = "\u{feff}Kosten 中\r\n".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        let big: Vec<u8> = "\u{feff}Kosten 中\r\n".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        assert_eq!(
            (decode(&little, None).text.as_str(), decode(&big, None).text.as_str()),
            ("Kosten 中\n", "Kosten 中\n")
        );
        assert_eq!(decode(b"\xff\xfe\0\0\xff\xff\xff\xff", None).text, "\u{fffd}");
    }

    #[test]
    fn further_encodings_are_detected() {
        let korean = "출장에서 돌아온 직원은 십오 일 이내에 경비 정산을 신청하고 모든 영수증을 첨부해 주십시오.";
        let russian = "Сотрудники, вернувшиеся из командировки, подают отчёт о расходах в течение пятнадцати дней.";
        let cases =
            [(encoding_rs::EUC_KR, korean), (encoding_rs::WINDOWS_1251, russian), (encoding_rs::KOI8_R, russian)];
        for (encoding, text) in cases {
            let (bytes, _, _) = encoding.encode(text);
            assert_eq!(decode(&bytes, None).text, text, "{}", encoding.name());
        }
    }

    #[test]
    fn a_broken_byte_does_not_change_the_encoding() {
        let mut bytes = CHINESE.as_bytes().to_vec();
        bytes.extend_from_slice(b" \xff end");
        let decoded = decode(&bytes, None);
        assert_eq!(decoded.text, format!("{CHINESE} \u{fffd} end"));
        assert_eq!(decoded.warnings, ["1 characters are not valid UTF-8 and were replaced"]);
    }

    #[test]
    fn what_the_document_declares_counts_when_it_is_not_utf_8() {
        let (bytes, _, _) = GB18030.encode("中");
        assert_eq!(decode(&bytes, Some(GB18030)).text, "中");
        assert_eq!(decode("中".as_bytes(), Some(GB18030)).text, "中");
    }

    #[test]
    fn an_impossible_declaration_is_overruled_and_a_possible_one_is_not() {
        let russian = "Сотрудники подают отчёт о расходах в течение пятнадцати дней.";
        let german = "Die Prüfung der Geräte übernimmt die zuständige Abteilung.";
        let cases = [
            (encoding_rs::WINDOWS_1251, russian, WINDOWS_1252),
            (encoding_rs::KOI8_R, "Привет", encoding_rs::WINDOWS_1251),
            (GB18030, CHINESE, WINDOWS_1252),
            (SHIFT_JIS, "出張から戻った社員は、十五日以内に経費の精算を申請してください。", UTF_8),
            (WINDOWS_1252, german, SHIFT_JIS),
        ];
        for (written, text, declared) in cases {
            let decoded = decode(&written.encode(text).0, Some(declared));
            assert_eq!(decoded.text, text, "{} declared as {}", written.name(), declared.name());
            assert_eq!(decoded.warnings[0], format!("declared as {}, which it is not", declared.name()));
            assert_eq!(decode(&written.encode(text).0, Some(written)).text, text);
        }
    }

    #[test]
    fn old_disks_are_read() {
        let text = "Die Prüfung der Geräte übernimmt die Abteilung; für größere Schäden haftet der Käufer. Straße";
        let mac: Vec<u8> = text
            .chars()
            .map(|c| match c {
                'ü' => 0x9f,
                'ä' => 0x8a,
                'ö' => 0x9a,
                'ß' => 0xa7,
                c => c as u8,
            })
            .collect();
        let dos: Vec<u8> = text
            .chars()
            .map(|c| match c {
                'ü' => 0x81,
                'ä' => 0x84,
                'ö' => 0x94,
                'ß' => 0xe1,
                c => c as u8,
            })
            .collect();
        assert_eq!(decode(&mac, None).text, text);
        assert_eq!(decode(&dos, None).text, text);
        assert_eq!(decode(&dos, None).warnings, ["read as IBM850"]);
        // One word is enough where nothing else fits.
        assert_eq!(decode(b"caf\x8e noir, d\x8ej\x88 vu", None).text, "café noir, déjà vu");
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_carriage_returns(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let decoded = decode(&bytes, None);
            prop_assert!(!decoded.text.contains(['\r', '\0']));
        }

        #[test]
        fn utf_8_is_kept(text in "[^\r\0\u{feff}\u{1b}]{0,200}") {
            prop_assume!(utf_16_by_zeros(text.as_bytes()).is_none());
            prop_assert_eq!(decode(text.as_bytes(), None).text, text);
        }
    }
}
