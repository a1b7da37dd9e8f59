//! The parts that Outlook's formats share: the numbers of the properties that are read (Microsoft, [MS-OXPROPS]), code
//! pages, compressed RTF ([MS-OXRTFCP]) and Windows times. Decompression is our own: the `compressed-rtf` crate panics
//! on short input and reserves whatever size the file claims.

use crate::decode::{self, Charset};

/// What Outlook writes where there is no date.
const NO_DATE: u64 = 0x0cb3_4557_a3dd_4000;

/// Property numbers.
pub(super) mod property {
    pub(in crate::mail) const MESSAGE_CLASS: u16 = 0x001a;
    pub(in crate::mail) const SUBJECT: u16 = 0x0037;
    pub(in crate::mail) const SUBMIT_TIME: u16 = 0x0039;
    pub(in crate::mail) const SENDER_NAME: u16 = 0x0c1a;
    pub(in crate::mail) const SENDER_ADDRESS: u16 = 0x0c1f;
    pub(in crate::mail) const SENDER_SMTP: u16 = 0x5d01;
    pub(in crate::mail) const DISPLAY_BCC: u16 = 0x0e02;
    pub(in crate::mail) const DISPLAY_CC: u16 = 0x0e03;
    pub(in crate::mail) const DISPLAY_TO: u16 = 0x0e04;
    pub(in crate::mail) const DELIVERY_TIME: u16 = 0x0e06;
    pub(in crate::mail) const BODY: u16 = 0x1000;
    pub(in crate::mail) const RTF: u16 = 0x1009;
    pub(in crate::mail) const HTML: u16 = 0x1013;
    pub(in crate::mail) const MESSAGE_ID: u16 = 0x1035;
    pub(in crate::mail) const IN_REPLY_TO: u16 = 0x1042;
    pub(in crate::mail) const DISPLAY_NAME: u16 = 0x3001;
    pub(in crate::mail) const BUSINESS_PHONE: u16 = 0x3a08;
    pub(in crate::mail) const HOME_PHONE: u16 = 0x3a09;
    pub(in crate::mail) const COMPANY: u16 = 0x3a16;
    pub(in crate::mail) const TITLE: u16 = 0x3a17;
    pub(in crate::mail) const DEPARTMENT: u16 = 0x3a18;
    pub(in crate::mail) const OFFICE: u16 = 0x3a19;
    pub(in crate::mail) const PRIMARY_PHONE: u16 = 0x3a1a;
    pub(in crate::mail) const BUSINESS_PHONE_2: u16 = 0x3a1b;
    pub(in crate::mail) const MOBILE_PHONE: u16 = 0x3a1c;
    pub(in crate::mail) const OTHER_PHONE: u16 = 0x3a1f;
    pub(in crate::mail) const BUSINESS_FAX: u16 = 0x3a24;
    pub(in crate::mail) const HOME_FAX: u16 = 0x3a25;
    pub(in crate::mail) const ASSISTANT: u16 = 0x3a30;
    pub(in crate::mail) const BIRTHDAY: u16 = 0x3a42;
    pub(in crate::mail) const PROFESSION: u16 = 0x3a46;
    pub(in crate::mail) const MANAGER: u16 = 0x3a4e;
    pub(in crate::mail) const NICKNAME: u16 = 0x3a4f;
    pub(in crate::mail) const PERSONAL_PAGE: u16 = 0x3a50;
    pub(in crate::mail) const BUSINESS_PAGE: u16 = 0x3a51;
    pub(in crate::mail) const ATTACH_DATA: u16 = 0x3701;
    pub(in crate::mail) const ATTACH_NAME: u16 = 0x3704;
    pub(in crate::mail) const ATTACH_LONG_NAME: u16 = 0x3707;
    pub(in crate::mail) const CODEPAGE: u16 = 0x3fde;
    pub(in crate::mail) const MESSAGE_CODEPAGE: u16 = 0x3ffd;
}

/// Text in the encoding of a Windows code page; by statistics for one that nobody knows, as 0.
pub(super) fn text(bytes: &[u8], codepage: u32) -> String {
    text_in(bytes, charset(codepage))
}

/// Text in a charset.
pub(super) fn text_in(bytes: &[u8], charset: Option<Charset>) -> String {
    decode::decode_declared(without_end(bytes), charset).text
}

/// The charset by which bytes read best, where they say something: a word or two of a subject would not tell it.
pub(super) fn told_by(bytes: &[u8]) -> Option<Charset> {
    let bytes = without_end(bytes);
    (std::str::from_utf8(bytes).is_err() && decode::wide(bytes).is_none()).then(|| decode::choose(bytes, None))
}

/// Without the zeros that end a text: they would pass for half of UTF-16.
fn without_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// Text in UTF-16, little-endian.
pub(super) fn wide_text(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect();
    String::from_utf16_lossy(&units).trim_end_matches('\0').replace("\r\n", "\n")
}

/// The charset of a Windows code page.
pub(super) fn charset(codepage: u32) -> Option<Charset> {
    let label = match codepage {
        932 => "shift_jis".to_owned(),
        949 => "euc-kr".to_owned(),
        10_000 => "macintosh".to_owned(),
        10_007 => "x-mac-cyrillic".to_owned(),
        20_866 => "koi8-r".to_owned(),
        21_866 => "koi8-u".to_owned(),
        20_936 | 51_936 => "gbk".to_owned(),
        28_591..=28_605 => format!("iso-8859-{}", codepage - 28_590),
        50_220..=50_222 => "iso-2022-jp".to_owned(),
        50_225 => "iso-2022-kr".to_owned(),
        20_932 | 51_932 => "euc-jp".to_owned(),
        51_949 => "euc-kr".to_owned(),
        52_936 => "hz-gb-2312".to_owned(),
        54_936 => "gb18030".to_owned(),
        65_000 => "utf-7".to_owned(),
        65_001 => "utf-8".to_owned(),
        437..=1258 => format!("cp{codepage}"),
        _ => return None,
    };
    Charset::for_label(&label)
}

/// A Windows time (100 ns since 1601) as RFC 3339 in UTC.
pub(super) fn date(filetime: u64) -> Option<String> {
    unix(filetime).map(|seconds| mail_parser::DateTime::from_timestamp(seconds).to_rfc3339())
}

/// A Windows time in seconds of Unix time; 0 is none, and neither is the last that fits (the year 4501, "no date").
pub(super) fn unix(filetime: u64) -> Option<i64> {
    let seconds = i64::try_from(filetime / 10_000_000).ok()? - 11_644_473_600;
    (1..NO_DATE).contains(&filetime).then_some(seconds)
}

/// What a decompressor's window holds before the first byte, by the specification.
const DICTIONARY: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \
\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

const WINDOW: usize = 4096;

/// Decompresses RTF; `None` if the bytes are something else. What was decompressed before a broken place is kept.
pub(super) fn decompress_rtf(bytes: &[u8]) -> Option<Vec<u8>> {
    let number = |at: usize| bytes.get(at..at + 4)?.first_chunk().map(|four| u32::from_le_bytes(*four));
    let (size, magic) = (number(4)? as usize, number(8)?);
    let packed = bytes.get(16..)?;
    match magic {
        0x414c_454d => return Some(packed[..size.min(packed.len())].to_vec()),
        0x7546_5a4c => {}
        _ => return None,
    }
    let mut window = [0; WINDOW];
    window[..DICTIONARY.len()].copy_from_slice(DICTIONARY);
    let mut at = DICTIONARY.len();
    let mut out = Vec::new();
    let mut put = |byte: u8, at: &mut usize, window: &mut [u8; WINDOW]| {
        out.push(byte);
        window[*at] = byte;
        *at = (*at + 1) % WINDOW;
    };
    let mut input = packed.iter().copied();
    'runs: while let Some(control) = input.next() {
        for bit in 0..8 {
            if control >> bit & 1 == 0 {
                let Some(byte) = input.next() else { break 'runs };
                put(byte, &mut at, &mut window);
                continue;
            }
            let (Some(high), Some(low)) = (input.next(), input.next()) else { break 'runs };
            let token = usize::from(high) << 8 | usize::from(low);
            let (offset, length) = (token >> 4, (token & 15) + 2);
            if offset == at {
                break 'runs;
            }
            for step in 0..length {
                put(window[(offset + step) % WINDOW], &mut at, &mut window);
            }
        }
    }
    out.truncate(size);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of section 3.1.1 of the specification.
    const EXAMPLE: &[u8] = &[
        0x2d, 0x00, 0x00, 0x00, 0x2b, 0x00, 0x00, 0x00, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0x00,
        0x0a, 0x00, 0x72, 0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42, 0x32, 0x0a, 0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09,
        0x00, 0x20, 0x62, 0x77, 0x05, 0xb0, 0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f, 0xa0,
    ];

    #[test]
    fn rtf_is_decompressed() {
        assert_eq!(DICTIONARY.len(), 207);
        let expected = b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n";
        assert_eq!(decompress_rtf(EXAMPLE).unwrap(), expected);
    }

    #[test]
    fn broken_rtf_is_harmless() {
        assert_eq!(decompress_rtf(b"short"), None);
        for at in 0..EXAMPLE.len() {
            let mut broken = EXAMPLE.to_vec();
            broken[at] ^= 0xff;
            let _ = decompress_rtf(&broken);
            let _ = decompress_rtf(&EXAMPLE[..at]);
        }
    }

    #[test]
    fn code_pages_and_times_are_read() {
        assert_eq!(text(b"\xd4\xb1\xb9\xa4", 936), "员工");
        assert_eq!(text(b"Gr\x94\xe1e\0", 850), "Größe");
        assert_eq!(text(b"\xc3\xf6\xdf", 1252), "Ãöß");
        assert_eq!(told_by("Größe und Maß".as_bytes()), None);
        assert_eq!((unix(NO_DATE), unix(0)), (None, None));
        assert_eq!(wide_text(b"a\0\x2d\x4e\0\0"), "a中");
        assert_eq!(date(116_444_736_000_000_000).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(date(0), None);
    }
}
