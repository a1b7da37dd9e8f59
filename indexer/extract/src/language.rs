//! Detection of the natural language that a text is written in, by a sample of its prose. Scripts decide for Chinese,
//! Japanese and Korean (documents mix them with English words and code), trigrams for the rest, and where these cannot tell,
//! scripts that one language is written in. Unsure means `None`: a wrong language would stem words wrongly, no language only
//! stems nothing.

use whatlang::Lang;

use crate::block::{Block, BlockKind, floor_boundary};

/// Bytes of prose looked at.
const SAMPLE_BYTES: usize = 4096;

/// Letters under which trigrams are guesses.
const MIN_LETTERS: usize = 40;

/// Letters under which a script says nothing: a symbol, an initial.
const MIN_OF_SCRIPT: usize = 4;

/// CJK characters under which a text is not called Chinese, Japanese or Korean.
const MIN_CJK: usize = 4;

/// Language of a document: ISO 639-1, `None` when unsure, short, or nothing but code and tables.
pub(crate) fn detect_in(text: &str, blocks: &[Block]) -> Option<&'static str> {
    let mut sample = String::new();
    for block in blocks {
        if matches!(block.kind, BlockKind::Code { .. } | BlockKind::Table) {
            continue;
        }
        let rest = SAMPLE_BYTES.saturating_sub(sample.len());
        if rest == 0 {
            break;
        }
        let part = &text[block.span.clone()];
        sample.push_str(&part[..floor_boundary(part, rest)]);
        sample.push('\n');
    }
    detect(&sample)
}

/// Language of a sample of prose: ISO 639-1.
pub fn detect(sample: &str) -> Option<&'static str> {
    let (mut han, mut kana, mut hangul, mut other) = (0usize, 0usize, 0usize, 0usize);
    for character in sample.chars() {
        match character {
            '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9d}' => kana += 1,
            '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}' => hangul += 1,
            '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}' => han += 1,
            _ if character.is_alphabetic() => other += 1,
            _ => {}
        }
    }
    let cjk = han + kana + hangul;
    // A Han character says about as much as three Latin letters, and foreign words are more often Latin than Han.
    if cjk >= MIN_CJK && cjk * 5 >= other {
        return Some(if hangul * 2 > cjk {
            "ko"
        } else if kana * 10 > cjk {
            "ja"
        } else {
            "zh"
        });
    }
    let told = if other < MIN_LETTERS { None } else { whatlang::detect(sample).filter(whatlang::Info::is_reliable) };
    told.map_or_else(|| by_script(sample), |info| iso_639_1(info.lang()))
}

/// The language of a text all of whose letters are of a script that hardly any other language is written in.
fn by_script(sample: &str) -> Option<&'static str> {
    let mut letters = sample.chars().filter(|character| character.is_alphabetic());
    let language = of_letter(letters.next()?)?;
    let others: Vec<char> = letters.collect();
    let is_enough = others.len() + 1 >= MIN_OF_SCRIPT;
    (is_enough && others.iter().all(|letter| of_letter(*letter) == Some(language))).then_some(language)
}

/// The language that a letter says.
fn of_letter(letter: char) -> Option<&'static str> {
    match letter {
        // Letters of Persian, Urdu, Pashto and others that Arabic has not.
        '\u{671}'..='\u{6d3}' | '\u{6ee}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => None,
        '\u{620}'..='\u{64a}' => Some("ar"),
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some("el"),
        '\u{5d0}'..='\u{5ea}' => Some("he"),
        '\u{531}'..='\u{587}' => Some("hy"),
        '\u{10d0}'..='\u{10ff}' => Some("ka"),
        '\u{b80}'..='\u{bff}' => Some("ta"),
        '\u{e00}'..='\u{e7f}' => Some("th"),
        _ => None,
    }
}

fn iso_639_1(language: Lang) -> Option<&'static str> {
    let (_, code) = CODES.iter().find(|(known, _)| *known == language)?;
    Some(code)
}

const CODES: &[(Lang, &str)] = &[
    (Lang::Afr, "af"),
    (Lang::Aka, "ak"),
    (Lang::Amh, "am"),
    (Lang::Ara, "ar"),
    (Lang::Aze, "az"),
    (Lang::Bel, "be"),
    (Lang::Ben, "bn"),
    (Lang::Bul, "bg"),
    (Lang::Cat, "ca"),
    (Lang::Ces, "cs"),
    (Lang::Cmn, "zh"),
    (Lang::Cym, "cy"),
    (Lang::Dan, "da"),
    (Lang::Deu, "de"),
    (Lang::Ell, "el"),
    (Lang::Eng, "en"),
    (Lang::Epo, "eo"),
    (Lang::Est, "et"),
    (Lang::Fin, "fi"),
    (Lang::Fra, "fr"),
    (Lang::Guj, "gu"),
    (Lang::Heb, "he"),
    (Lang::Hin, "hi"),
    (Lang::Hrv, "hr"),
    (Lang::Hun, "hu"),
    (Lang::Hye, "hy"),
    (Lang::Ind, "id"),
    (Lang::Ita, "it"),
    (Lang::Jav, "jv"),
    (Lang::Jpn, "ja"),
    (Lang::Kan, "kn"),
    (Lang::Kat, "ka"),
    (Lang::Khm, "km"),
    (Lang::Kor, "ko"),
    (Lang::Lat, "la"),
    (Lang::Lav, "lv"),
    (Lang::Lit, "lt"),
    (Lang::Mal, "ml"),
    (Lang::Mar, "mr"),
    (Lang::Mkd, "mk"),
    (Lang::Mya, "my"),
    (Lang::Nep, "ne"),
    (Lang::Nld, "nl"),
    (Lang::Nob, "nb"),
    (Lang::Ori, "or"),
    (Lang::Pan, "pa"),
    (Lang::Pes, "fa"),
    (Lang::Pol, "pl"),
    (Lang::Por, "pt"),
    (Lang::Ron, "ro"),
    (Lang::Rus, "ru"),
    (Lang::Sin, "si"),
    (Lang::Slk, "sk"),
    (Lang::Slv, "sl"),
    (Lang::Sna, "sn"),
    (Lang::Spa, "es"),
    (Lang::Srp, "sr"),
    (Lang::Swe, "sv"),
    (Lang::Tam, "ta"),
    (Lang::Tel, "te"),
    (Lang::Tgl, "tl"),
    (Lang::Tha, "th"),
    (Lang::Tuk, "tk"),
    (Lang::Tur, "tr"),
    (Lang::Ukr, "uk"),
    (Lang::Urd, "ur"),
    (Lang::Uzb, "uz"),
    (Lang::Vie, "vi"),
    (Lang::Yid, "yi"),
    (Lang::Zul, "zu"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_apart() {
        let cases = [
            ("Employees who travel on official business are reimbursed for lodging, meals and transport.", Some("en")),
            (
                "Wer dienstlich reist, bekommt die Kosten für Unterkunft und Verpflegung erstattet, wenn es Belege gibt.",
                Some("de"),
            ),
            (
                "Les employés en déplacement professionnel sont remboursés de leurs frais de logement et de repas.",
                Some("fr"),
            ),
            ("报销差旅费用需要提供发票", Some("zh")),
            ("使用 Cargo 构建项目 cargo build --release", Some("zh")),
            ("出張費の精算には領収書が必要です", Some("ja")),
            ("출장비 정산에는 영수증이 필요합니다", Some("ko")),
            ("fn main", None),
            ("", None),
            ("ERR_4711 0x00ff 12:30", None),
        ];
        for (sample, expected) in cases {
            assert_eq!(detect(sample), expected, "{sample}");
        }
    }

    #[test]
    fn few_letters_tell_a_language_where_it_has_a_script_of_its_own() {
        for (text, language) in [
            ("إجازة سنوية", Some("ar")),
            ("مرخصی سالانه کارکنان", None), // Persian
            ("Άδεια 2024", Some("el")),
            ("חופשה", Some("he")),
            ("отпуск", None), // of many languages
            ("Δ μ", None),
            ("إجازة leave", None),
            ("", None),
        ] {
            assert_eq!(detect(text), language, "{text}");
        }
    }

    #[test]
    fn every_language_that_can_be_detected_has_a_code() {
        let without: Vec<_> = Lang::all().iter().filter(|&&language| iso_639_1(language).is_none()).collect();
        assert!(without.is_empty(), "{without:?}");
    }
}
