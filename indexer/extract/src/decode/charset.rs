//! A charset: how bytes become letters. encoding_rs knows those of the Web; older ones that mails and disks still hold
//! are added here: code pages of DOS (tables of oem_cp), UTF-7 (mail-parser), and the two shifted seven-bit forms of
//! Chinese and Korean, which the Web gave up because they hide markup from filters. Text that is only searched hides
//! nothing.

use std::borrow::Cow;

use encoding_rs::{EUC_KR, Encoding, GBK, UTF_8, UTF_16BE, UTF_16LE};
use mail_parser::decoders::charsets::map::charset_decoder;
use oem_cp::code_table::{
    DECODING_TABLE_CP437, DECODING_TABLE_CP737, DECODING_TABLE_CP775, DECODING_TABLE_CP850, DECODING_TABLE_CP852,
    DECODING_TABLE_CP855, DECODING_TABLE_CP858, DECODING_TABLE_CP860, DECODING_TABLE_CP862, DECODING_TABLE_CP863,
    DECODING_TABLE_CP865,
};
use oem_cp::decode_string_complete_table;

/// How bytes become letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Web(&'static Encoding),
    Dos(&'static CodePage),
    Utf7,
    /// RFC 1843.
    HzGb2312,
    /// RFC 1557.
    Iso2022Kr,
}

/// A code page of DOS: the letters of its upper 128 bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CodePage {
    number: &'static str,
    name: &'static str,
    letters: &'static [char; 128],
}

const fn page(number: &'static str, name: &'static str, letters: &'static [char; 128]) -> CodePage {
    CodePage { number, name, letters }
}

static PAGES: [CodePage; 11] = [
    page("437", "IBM437", &DECODING_TABLE_CP437),
    page("850", "IBM850", &DECODING_TABLE_CP850),
    page("852", "IBM852", &DECODING_TABLE_CP852),
    page("858", "IBM858", &DECODING_TABLE_CP858),
    page("737", "IBM737", &DECODING_TABLE_CP737),
    page("775", "IBM775", &DECODING_TABLE_CP775),
    page("855", "IBM855", &DECODING_TABLE_CP855),
    page("860", "IBM860", &DECODING_TABLE_CP860),
    page("862", "IBM862", &DECODING_TABLE_CP862),
    page("863", "IBM863", &DECODING_TABLE_CP863),
    page("865", "IBM865", &DECODING_TABLE_CP865),
];

/// The page that DOS wrote where nothing else is known.
pub(crate) static IBM437: &CodePage = &PAGES[0];
/// That of Western Europe.
pub(crate) static IBM850: &CodePage = &PAGES[1];
/// That of Central Europe.
pub(crate) static IBM852: &CodePage = &PAGES[2];

impl Charset {
    /// The charset that a label means, in the many spellings of mail headers; `None` for one that says nothing
    /// (`us-ascii`, `unknown-8bit`, `default`) or that nobody knows.
    pub(crate) fn for_label(label: &str) -> Option<Self> {
        let label = label.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
        let bare: String = label.chars().filter(char::is_ascii_alphanumeric).collect();
        match bare.as_str() {
            "usascii" | "ascii" | "ansix341968" | "unknown8bit" | "default" | "7bit" | "8bit" | "binary" => {
                return None;
            }
            "utf7" | "unicode11utf7" | "xunicode11utf7" | "csutf7" | "cp65000" => return Some(Self::Utf7),
            "hzgb2312" | "hz" => return Some(Self::HzGb2312),
            "iso2022kr" | "csiso2022kr" => return Some(Self::Iso2022Kr),
            "utf16" => return Some(Self::Web(UTF_16BE)),
            "xsjis" | "cp932" | "ms932" => return Some(Self::Web(encoding_rs::SHIFT_JIS)),
            "cp936" | "ms936" | "xgbk" | "gb231280" => return Some(Self::Web(GBK)),
            "cp949" | "ksc56011987" => return Some(Self::Web(EUC_KR)),
            "cp950" => return Some(Self::Web(encoding_rs::BIG5)),
            "xmacroman" | "applemacintosh" => return Some(Self::Web(encoding_rs::MACINTOSH)),
            "utf8" | "utf8mb4" | "cp65001" => return Some(Self::Web(UTF_8)),
            _ => {}
        }
        if let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) {
            return Some(Self::Web(encoding));
        }
        let number = bare.trim_start_matches(|character: char| character.is_ascii_alphabetic());
        if let Some(page) = PAGES.iter().find(|page| page.number == number) {
            return Some(Self::Dos(page));
        }
        // `cp1252`, `ansi1251`, `win-1250`, `iso8859_2`.
        let spelt = match number {
            "866" => "ibm866".to_owned(),
            "874" | "1250" | "1251" | "1252" | "1253" | "1254" | "1255" | "1256" | "1257" | "1258" => {
                format!("windows-{number}")
            }
            _ if number.starts_with("8859") && number.len() > 4 => format!("iso-8859-{}", &number[4..]),
            _ => return None,
        };
        Encoding::for_label_no_replacement(spelt.as_bytes()).map(Self::Web)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Web(encoding) => encoding.name(),
            Self::Dos(page) => page.name,
            Self::Utf7 => "UTF-7",
            Self::HzGb2312 => "HZ-GB-2312",
            Self::Iso2022Kr => "ISO-2022-KR",
        }
    }

    /// Whether every byte from 0x80 on is a letter or sign of its own.
    pub(super) fn is_single_byte(self) -> bool {
        matches!(self, Self::Dos(_)) || matches!(self, Self::Web(encoding) if encoding.is_single_byte())
    }

    /// Whether its bytes below 0x80 need not be ASCII although they look like it.
    pub(super) fn is_seven_bit(self) -> bool {
        let shifted = matches!(self, Self::Utf7 | Self::HzGb2312 | Self::Iso2022Kr);
        shifted || matches!(self, Self::Web(encoding) if !encoding.is_ascii_compatible() && !self.is_wide())
    }

    /// Whether ASCII means itself in it.
    pub(crate) fn is_superset_of_ascii(self) -> bool {
        !self.is_seven_bit() && !self.is_wide()
    }

    /// UTF-16.
    pub(super) fn is_wide(self) -> bool {
        matches!(self, Self::Web(encoding) if encoding == UTF_16LE || encoding == UTF_16BE)
    }

    /// The text, and whether some bytes were none.
    pub(crate) fn read(self, bytes: &[u8]) -> (Cow<'_, str>, bool) {
        match self {
            Self::Web(encoding) => encoding.decode_without_bom_handling(bytes),
            Self::Dos(page) => (decode_string_complete_table(bytes, page.letters).into(), false),
            Self::Utf7 => {
                let text =
                    charset_decoder(b"utf-7").map_or_else(|| String::from_utf8_lossy(bytes).into(), |it| it(bytes));
                let malformed = text.contains('\u{fffd}');
                (text.into(), malformed)
            }
            Self::HzGb2312 => decoded(GBK, &unshifted(bytes, *b"~{", *b"~}")),
            Self::Iso2022Kr => {
                let announced = bytes.strip_prefix(b"\x1b$)C").unwrap_or(bytes);
                decoded(EUC_KR, &unshifted(announced, [0x0e], [0x0f]))
            }
        }
    }
}

fn decoded(encoding: &'static Encoding, bytes: &[u8]) -> (Cow<'static, str>, bool) {
    let (text, malformed) = encoding.decode_without_bom_handling(bytes);
    (text.into_owned().into(), malformed)
}

/// The eight-bit form of bytes between the two shifts. A line end always shifts back.
fn unshifted<const N: usize>(bytes: &[u8], open: [u8; N], close: [u8; N]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let (mut shifted, mut rest) = (false, bytes);
    while let Some((&byte, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(if shifted { &close[..] } else { &open[..] }) {
            shifted = !shifted;
            rest = tail;
            continue;
        }
        shifted &= byte != b'\n';
        out.push(if shifted && byte > 0x20 { byte | 0x80 } else { byte });
        rest = tail;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_known_in_many_spellings() {
        let cases = [
            ("utf8", "UTF-8"),
            ("\"ISO-8859-1\"", "windows-1252"),
            ("cp1252", "windows-1252"),
            ("ansi1251", "windows-1251"),
            ("iso8859_2", "ISO-8859-2"),
            ("cp850", "IBM850"),
            ("ibm-437", "IBM437"),
            ("CP-866", "IBM866"),
            ("unicode-1-1-utf-7", "UTF-7"),
            ("hz-gb-2312", "HZ-GB-2312"),
            ("gb2312", "GBK"),
            ("x-sjis", "Shift_JIS"),
        ];
        for (label, name) in cases {
            assert_eq!(Charset::for_label(label).map(Charset::name), Some(name), "{label}");
        }
        for label in ["us-ascii", "unknown-8bit", "", "x", "utf-99"] {
            assert_eq!(Charset::for_label(label), None, "{label}");
        }
    }

    #[test]
    fn seven_bit_forms_are_read() {
        assert_eq!(Charset::Utf7.read(b"Gr+APYA3w-e").0, "Größe");
        assert_eq!(Charset::HzGb2312.read(b"a ~{VPND~} b").0, "a 中文 b");
        assert_eq!(Charset::Iso2022Kr.read(b"\x1b$)C\x0eGQ19\x0f x").0, "한국 x");
        assert_eq!(Charset::Dos(IBM850).read(b"Gr\x94\xe1e").0, "Größe");
    }
}
