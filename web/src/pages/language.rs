//! The languages of the page, and how each writes numbers, dates, sizes and counts.

use formats::Format;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use searcher::{MAX_OPERATORS, MAX_QUERY_BYTES, MAX_WORDS, Note};
use storage::PageType;

use super::strings::{EN, Strings, ZH};

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

impl Language {
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// Reads a code such as `zh` or `zh-CN`.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        let main = code.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| main.eq_ignore_ascii_case(language.short()))
    }

    /// The best of an `Accept-Language` header: the first of the highest quality that is spoken here.
    pub(super) fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for range in header.split(',') {
            let mut parts = range.split(';');
            let Some(language) = parts.next().and_then(Self::of_code) else { continue };
            let quality = parts.find_map(|part| part.trim().strip_prefix("q="));
            let quality = quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
            if quality > best.map_or(0.0, |(best, _)| best) {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// For cookies and addresses.
    pub(super) fn short(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// For `lang` attributes.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-Hans",
        }
    }

    pub(super) fn words(self) -> &'static Strings {
        match self {
            Self::English => &EN,
            Self::Chinese => &ZH,
        }
    }

    /// The other one, for a switch.
    pub(super) fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }

    /// "1 document", "12,345 documents".
    pub(super) fn count(self, count: u64, noun: Noun) -> String {
        let number = number(count);
        let forms = match noun {
            Noun::Result => ["result", "results", "条结果"],
            Noun::Document => ["document", "documents", "个文档"],
            Noun::Passage => ["passage", "passages", "个段落"],
            Noun::File => ["file", "files", "个文件"],
            Noun::Token => ["token", "tokens", "个词元"],
            Noun::Place => ["place", "places", "处"],
        };
        match (self, count) {
            (Self::English, 1) => format!("{number} {}", forms[0]),
            (Self::English, _) => format!("{number} {}", forms[1]),
            (Self::Chinese, _) => format!("{number} {}", forms[2]),
        }
    }

    /// A day: "3 May 2026".
    pub(super) fn day(self, second: i64) -> String {
        let Ok(time) = Timestamp::from_second(second) else { return String::new() };
        let day = time.to_zoned(TimeZone::system());
        match self {
            Self::English => day.strftime("%-d %b %Y").to_string(),
            Self::Chinese => day.strftime("%Y年%-m月%-d日").to_string(),
        }
    }

    /// How long ago: "3 minutes ago"; from a week on, the day.
    pub(super) fn ago(self, second: i64, now: i64) -> String {
        let passed = (now - second).max(0);
        let (number, english, chinese) = match passed {
            0..60 => return self.words().just_now.to_string(),
            60..3_600 => (passed / 60, "minute", "分钟"),
            3_600..86_400 => (passed / 3_600, "hour", "小时"),
            86_400..604_800 => (passed / 86_400, "day", "天"),
            _ => return self.day(second),
        };
        match (self, number) {
            (Self::English, 1) => format!("1 {english} ago"),
            (Self::English, _) => format!("{number} {english}s ago"),
            (Self::Chinese, _) => format!("{number} {chinese}前"),
        }
    }

    /// A stretch of time: "12 ms", "1.4 s", "3 min".
    pub(super) fn duration(self, milliseconds: f64) -> String {
        let (minute, second, milli) = match self {
            Self::English => (" min", " s", " ms"),
            Self::Chinese => (" 分钟", " 秒", " 毫秒"),
        };
        match milliseconds {
            ms if ms < 1.0 => format!("<1{milli}"),
            ms if ms < 999.5 => format!("{ms:.0}{milli}"),
            ms if ms < 59_950.0 => format!("{:.1}{second}", ms / 1e3),
            ms => format!("{:.0}{minute}", ms / 6e4),
        }
    }

    /// A place in an order: "3rd".
    pub(super) fn ordinal(self, rank: usize) -> String {
        if self == Self::Chinese {
            return format!("第 {rank}");
        }
        let ending = match (rank % 10, rank % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        format!("{rank}{ending}")
    }

    /// The name of a language of documents, by its ISO 639-1 code; the code itself where there is no name.
    pub(super) fn name_of(self, code: &str) -> String {
        let names = [
            ("en", "English", "英文"),
            ("zh", "Chinese", "中文"),
            ("de", "German", "德文"),
            ("fr", "French", "法文"),
            ("es", "Spanish", "西班牙文"),
            ("it", "Italian", "意大利文"),
            ("nl", "Dutch", "荷兰文"),
            ("pt", "Portuguese", "葡萄牙文"),
            ("pl", "Polish", "波兰文"),
            ("ru", "Russian", "俄文"),
            ("uk", "Ukrainian", "乌克兰文"),
            ("ja", "Japanese", "日文"),
            ("ko", "Korean", "韩文"),
            ("ar", "Arabic", "阿拉伯文"),
            ("he", "Hebrew", "希伯来文"),
            ("tr", "Turkish", "土耳其文"),
            ("sv", "Swedish", "瑞典文"),
            ("da", "Danish", "丹麦文"),
            ("fi", "Finnish", "芬兰文"),
            ("cs", "Czech", "捷克文"),
        ];
        let known = names.iter().find(|(known, ..)| *known == code);
        let name = known.map(|(_, english, chinese)| if self == Self::English { *english } else { *chinese });
        name.unwrap_or(code).to_string()
    }

    /// A note on a query.
    pub(super) fn note(self, note: &Note) -> String {
        if self == Self::English {
            return note.to_string();
        }
        match note {
            Note::OpenQuote => "引号没有配对：按普通字词搜索".to_string(),
            Note::LongQuery => format!("查询过长，只取前 {MAX_QUERY_BYTES} 字节"),
            Note::ManyWords => format!("只有前 {MAX_WORDS} 个词按字词匹配"),
            Note::ManyPhrases => format!("只有前 {MAX_OPERATORS} 个短语按短语匹配，其余按字词"),
            Note::ManyExclusions => format!("只有前 {MAX_OPERATORS} 个排除项有效"),
            Note::ManyValues => format!("只有前 {MAX_OPERATORS} 个筛选值有效"),
            Note::LongPhrase { excerpt } => format!("“{excerpt}”只取前 {MAX_WORDS} 个词"),
            Note::LongExclusion { excerpt } => format!("排除项“{excerpt}”只取前 {MAX_WORDS} 个词"),
            Note::NearMiss { excerpt, field } => format!("“{excerpt}”按普通字词搜索：是否指 {field}:？"),
            Note::NegatedFilter { excerpt } => format!("“{excerpt}”按普通字词搜索：筛选不能取反"),
            Note::BadFilter { excerpt, .. } => format!("“{excerpt}”按普通字词搜索：筛选值无法识别"),
            Note::NoDate => "没有日期能同时满足 after: 和 before:，因此不会有结果".to_string(),
            Note::OnlyExclusions => "查询只写了要排除的内容：请加上要找的词".to_string(),
            Note::NothingPasses { filter } => format!("没有文档符合 {filter}"),
            Note::NothingPassesAll => "各个筛选条件都有文档符合，但没有文档同时符合全部条件".to_string(),
            Note::VectorsToCome { percent } => {
                format!("按字词搜索：全部文档；按语义搜索：目前 {percent}%，其余仍在计算向量")
            }
            Note::MeaningAway => "仅按字词搜索：比较语义的模型暂时没有响应".to_string(),
            Note::RerankerAway => "未精读最佳结果：重排模型暂时没有响应".to_string(),
        }
    }

    /// What people call a type of documents; a type that is not known is called by its own name.
    pub(super) fn kind(self, kind: &str) -> String {
        let label = Format::named(kind).map(|format| match self {
            Self::English => format.label,
            Self::Chinese => format.label_zh.unwrap_or(format.label),
        });
        label.map_or_else(|| capitalised(kind), str::to_string)
    }

    /// What a page is that is no prose.
    pub(super) fn page_type(self, page: PageType) -> &'static str {
        match (self, page) {
            (Self::English, PageType::Stub) => "little more than a title",
            (Self::English, PageType::Navigation) => "a list of other pages",
            (Self::English, PageType::Licence) => "the text of a licence",
            (Self::English, PageType::Changelog) => "a list of changes",
            (Self::English, PageType::Generated) => "written by a program",
            (Self::Chinese, PageType::Stub) => "几乎只有标题",
            (Self::Chinese, PageType::Navigation) => "目录页",
            (Self::Chinese, PageType::Licence) => "许可证文本",
            (Self::Chinese, PageType::Changelog) => "更新记录",
            (Self::Chinese, PageType::Generated) => "由程序生成",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Noun {
    Result,
    Document,
    Passage,
    File,
    Token,
    Place,
}

/// With separators between thousands, as both languages write it.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size on disk: "12.3 MB".
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_says_which_language_is_preferred() {
        assert_eq!(Language::accepted("zh-CN,zh;q=0.9,en;q=0.8"), Some(Language::Chinese));
        assert_eq!(Language::accepted("de, en-GB;q=0.7, zh;q=0.3"), Some(Language::English));
        assert_eq!(Language::accepted("zh;q=0, en"), Some(Language::English));
        assert_eq!(Language::accepted("de, fr"), None);
        assert_eq!(Language::accepted(";;q=x,,"), None);
    }

    #[test]
    fn types_are_called_what_people_call_them() {
        let (english, chinese) = (Language::English, Language::Chinese);
        assert_eq!((english.kind("rst"), english.kind("csharp")), ("reStructuredText".into(), "C#".into()));
        assert_eq!((chinese.kind("text"), chinese.kind("pdf")), ("纯文本".into(), "PDF".into()));
        assert_eq!(english.kind("unheard"), "Unheard");
    }

    #[test]
    fn numbers_and_times_are_written_for_people() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!((number(0), number(999), number(1_000)), ("0".into(), "999".into(), "1,000".into()));
        assert_eq!(Language::English.count(1, Noun::Result), "1 result");
        assert_eq!(Language::English.duration(12.4), "12 ms");
        assert_eq!(Language::English.duration(0.2), "<1 ms");
        assert_eq!(Language::English.duration(1_440.0), "1.4 s");
        assert_eq!(Language::English.ago(0, 3_700), "1 hour ago");
        assert_eq!(Language::Chinese.ago(0, 120), "2 分钟前");
        let ordinals: Vec<String> = [1, 2, 3, 4, 11, 12, 21, 112].map(|n| Language::English.ordinal(n)).into();
        assert_eq!(ordinals, ["1st", "2nd", "3rd", "4th", "11th", "12th", "21st", "112th"]);
    }
}
