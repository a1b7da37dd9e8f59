//! Words as the rules count and compare them, and the words that say nothing.

use storage::is_unspaced;

/// Words of a text; scripts without spaces count two characters as one word.
pub(super) fn count(text: &str) -> usize {
    let (mut words, mut characters, mut inside) = (0, 0, false);
    for c in text.chars() {
        if is_unspaced(c) {
            characters += 1;
            inside = false;
        } else if c.is_alphanumeric() {
            words += usize::from(!inside);
            inside = true;
        } else if c.is_whitespace() {
            inside = false;
        }
    }
    words + usize::div_ceil(characters, 2)
}

/// A text as it is compared: letters and digits in lower case, one blank between words.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// A text on one line, with single blanks.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of a text, at most so many words long, cut behind a sentence or line where there is one in its second
/// half, else behind a word.
pub(super) fn clip(text: &str, words: usize) -> &str {
    let (mut end, mut sentence, mut inside) = (0, None, false);
    // As `count` does; the halves are characters of scripts without spaces.
    let mut seen = 0.0;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        let is_stop = matches!(c, '。' | '！' | '？');
        if is_stop || c == '\n' || (c == ' ' && matches!(previous, '.' | '!' | '?')) {
            sentence = Some((at + if is_stop { c.len_utf8() } else { 0 }, seen));
        }
        let is_character = is_unspaced(c);
        if is_character {
            seen += 0.5;
        } else if c.is_alphanumeric() && !inside {
            seen += 1.0;
        }
        inside = !is_character && (c.is_alphanumeric() || (inside && !c.is_whitespace()));
        if seen > words as f64 {
            let cut = sentence.filter(|(_, before)| *before * 2.0 >= words as f64).map_or(end, |(at, _)| at);
            return text[..cut].trim_end();
        }
        if c.is_whitespace() || is_character {
            end = at + if is_character { c.len_utf8() } else { 0 };
        }
        previous = c;
    }
    text
}

/// Words that end with a full stop and end no sentence.
const SHORTENED: &[&str] =
    &["eg", "ie", "etc", "vs", "cf", "dr", "mr", "mrs", "ms", "st", "fig", "no", "vol", "approx", "incl", "resp"];

/// The first sentence of a text, on one line, without its full stop.
pub(super) fn first_sentence(text: &str) -> String {
    let line = one_line(text);
    let mut end = line.len();
    let mut characters = line.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let word = line[..at].rsplit([' ', '(']).next().unwrap_or_default().to_lowercase();
        let is_short = word.contains('.') || word.chars().count() < 2 || SHORTENED.contains(&word.as_str());
        let is_stop = c == '.' && next == Some(' ') && !is_short;
        if is_stop || matches!(c, '。' | '！') || (c == '!' && next == Some(' ')) {
            end = at;
            break;
        }
    }
    line[..end].trim_end_matches(['.', '。', ' ']).to_owned()
}

/// Whether a line asks something.
pub(super) fn is_question(line: &str) -> bool {
    let line = line.trim_end_matches(['"', '\'', '”', ')', '*', ' ']);
    line.ends_with(['?', '？'])
}

/// A heading without its number and marks: `1.2 Title:` is `Title`. Capitals only become lower case.
pub(super) fn heading(text: &str) -> String {
    let mut line = one_line(text);
    line = line.trim_matches(|c: char| "¶#:：*=-–—_~•§.".contains(c) || c.is_whitespace()).to_owned();
    line = without_number(&line).to_owned();
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = line.chars().filter(|c| c.is_uppercase()).count();
    if letters >= 4 && letters == capitals { line.to_lowercase() } else { line }
}

/// Words that a number stands behind.
const LABELS: &[&str] = &[
    "chapter",
    "section",
    "appendix",
    "part",
    "step",
    "table",
    "figure",
    "kapitel",
    "abschnitt",
    "anhang",
    "tabelle",
    "abbildung",
    "capítulo",
    "sección",
    "seção",
    "tabla",
    "tabela",
    "chapitre",
    "tableau",
    "capitolo",
    "tabella",
    "hoofdstuk",
    "tabel",
    "kapitola",
    "tabulka",
    "rozdział",
    "poglavlje",
    "tablica",
    "capitolul",
    "bab",
    "fejezet",
    "luku",
    "глава",
    "розділ",
    "таблица",
    "κεφάλαιο",
    "bölüm",
    "chương",
];

fn without_number(line: &str) -> &str {
    let first = line.split(' ').next().unwrap_or_default();
    let is_label = LABELS.contains(&first.to_lowercase().as_str()) && line.len() > first.len();
    let labelled = if is_label { first.len() + 1 } else { 0 };
    let rest = &line[labelled..];
    if let Some(rest) = line.strip_prefix('第') {
        let number = rest.find(|c: char| !(c.is_ascii_digit() || "〇零一二三四五六七八九十百".contains(c)));
        if let Some(number) = number.filter(|number| *number > 0)
            && let Some(unit) = rest[number..].chars().next().filter(|c| "章节編编篇部条".contains(*c))
        {
            return rest[number + unit.len_utf8()..].trim_start_matches([' ', '　', ':', '：', '、']);
        }
    }
    let number = rest.split([' ', '\t', '、']).next().unwrap_or_default();
    let digits = number.trim_end_matches(['.', ')', ':', '：']);
    // An appendix counts "A.1".
    let lettered = digits.starts_with(|c: char| c.is_ascii_uppercase()) && digits[1..].starts_with('.');
    let digits = if lettered { &digits[2..] } else { digits };
    let is_number = !digits.is_empty()
        && digits.chars().any(|c| c.is_ascii_digit() || "一二三四五六七八九十".contains(c))
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-') || "一二三四五六七八九十".contains(c));
    // A year or a version heads its own section; only what numbers is taken away.
    let plausible = digits.split(['.', '-']).all(|part| part.len() <= 3 || !part.is_ascii());
    let marked =
        number.len() > digits.len() || digits.contains('.') || labelled > 0 || rest[number.len()..].starts_with('、');
    if is_number && plausible && (marked || digits.len() <= 2) && rest.len() > number.len() {
        return rest[number.len()..].trim_start_matches([' ', '\t', '、', ':', '-', '–', '—']);
    }
    line
}

/// Headings that never say what is below them, whatever stands before them.
const EMPTY: &[&str] = &[
    "about",
    "about this document",
    "about this document ...",
    "abstract",
    "acknowledgements",
    "acknowledgments",
    "additional information",
    "addendum",
    "all",
    "also",
    "appendix",
    "author",
    "authors",
    "background",
    "bibliography",
    "blank",
    "bugs",
    "caution",
    "change log",
    "changelog",
    "changes",
    "colophon",
    "comment",
    "comments",
    "conclusion",
    "conclusions",
    "contact",
    "contents",
    "contributors",
    "copying",
    "copyright",
    "credits",
    "description",
    "detail",
    "details",
    "disclaimer",
    "discussion",
    "download",
    "epilogue",
    "errata",
    "example",
    "examples",
    "footnotes",
    "foreword",
    "further information",
    "further reading",
    "general",
    "help",
    "history",
    "home",
    "important",
    "in this article",
    "in this section",
    "index",
    "info",
    "information",
    "intro",
    "introduction",
    "legal",
    "legal notice",
    "licence",
    "license",
    "licensing",
    "links",
    "maintainer",
    "maintainers",
    "menu",
    "misc",
    "miscellaneous",
    "more",
    "more information",
    "name",
    "navigation",
    "news",
    "next",
    "next steps",
    "next topic",
    "note",
    "notes",
    "on this page",
    "other",
    "outline",
    "overview",
    "page",
    "preamble",
    "preface",
    "previous topic",
    "quick search",
    "readme",
    "read me",
    "related",
    "related topics",
    "references",
    "remarks",
    "reporting bugs",
    "resources",
    "search",
    "see also",
    "standards",
    "summary",
    "synopsis",
    "table of contents",
    "thanks",
    "this page",
    "tip",
    "title",
    "todo",
    "to do",
    "top",
    "topics",
    "untitled",
    "update",
    "updates",
    "version",
    "warning",
    "warnings",
    "welcome",
    "what's new",
    "whats new",
    "release notes",
    "trademarks",
    "revision history",
    "conforming to",
    "availability",
    "document history",
    "引言",
    "前言",
    "简介",
    "介绍",
    "概述",
    "概览",
    "目录",
    "目次",
    "参考文献",
    "参考资料",
    "参见",
    "另见",
    "附录",
    "备注",
    "注意",
    "注释",
    "说明",
    "示例",
    "例子",
    "总结",
    "小结",
    "结论",
    "结语",
    "摘要",
    "致谢",
    "鸣谢",
    "版权",
    "版权声明",
    "许可",
    "许可证",
    "作者",
    "更新日志",
    "变更记录",
    "修订记录",
    "历史",
    "其他",
    "其它",
    "关于",
    "背景",
    "联系我们",
    "联系方式",
    "相关链接",
    "导航",
    "首页",
    "更多",
    "帮助",
    "声明",
    "免责声明",
    "内容",
    "文档信息",
    "版本历史",
    "einleitung",
    "einführung",
    "inhalt",
    "inhaltsverzeichnis",
    "siehe auch",
    "übersicht",
    "zusammenfassung",
    "literatur",
    "introducción",
    "índice",
    "véase también",
    "sommaire",
    "voir aussi",
    "résumé",
];

/// Whether a heading says nothing, even with the title before it.
pub(super) fn is_empty_heading(heading: &str) -> bool {
    let plain = plain(heading);
    plain.is_empty()
        || !plain.chars().any(char::is_alphabetic)
        || EMPTY.iter().any(|empty| self::plain(empty) == plain)
        || is_release(heading)
}

/// "Version 1.2.3", "v2.0 (2024-01-01)", "2024-05-12": what a log of changes is headed by.
fn is_release(heading: &str) -> bool {
    let digits = heading.chars().filter(char::is_ascii_digit).count();
    let letters = heading.chars().filter(|c| c.is_alphabetic()).count();
    digits >= 2 && letters <= 10 && letters <= digits * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_in_both_kinds_of_script() {
        assert_eq!(count("How do I restart the server?"), 6);
        assert_eq!(count("e-mail, tel.: +49 (0)"), 4);
        assert_eq!(count("如何重启服务器"), 4);
        assert_eq!(count("重启 nginx 服务"), 3);
        assert_eq!(count(" -- | "), 0);
    }

    #[test]
    fn texts_are_clipped_at_sentences() {
        let text = "One two three four. Five six seven eight nine ten.";
        assert_eq!(clip(text, 7), "One two three four.");
        assert_eq!(clip(text, 3), "One two three");
        assert_eq!(clip(text, 99), text);
        assert_eq!(clip("一二三四五六。七八九十一二三四", 5), "一二三四五六。");
    }

    #[test]
    fn headings_lose_numbers_and_shouting() {
        let cases = [
            ("1.2 Storage engines", "Storage engines"),
            ("3) Clean up", "Clean up"),
            ("EXIT STATUS", "exit status"),
            ("第三章 报销流程", "报销流程"),
            ("一、适用范围", "适用范围"),
            ("Chapter 4: The heap", "The heap"),
            ("Kapitel 9. Unixtjänster", "Unixtjänster"),
            ("H.1.3 Why now?", "Why now?"),
            ("C.12 Wages", "Wages"),
            ("Python 3.11: what is new", "Python 3.11: what is new"),
            ("F-35 forms", "F-35 forms"),
            ("2024 budget", "2024 budget"),
            ("3D rendering", "3D rendering"),
            ("Options:", "Options"),
        ];
        for (from, expected) in cases {
            assert_eq!(heading(from), expected, "{from}");
        }
        for empty in ["See also", "INTRODUCTION", "目录", "1.4.2", "v2.0.1 (2024-03-01)", "---"] {
            assert!(is_empty_heading(&heading(empty)), "{empty}");
        }
        assert!(!is_empty_heading("Exit status") && !is_empty_heading("报销流程"));
    }

    #[test]
    fn first_sentences_end_where_they_end() {
        assert_eq!(first_sentence("Reads a file, e.g. a log. Then more."), "Reads a file, e.g. a log");
        assert_eq!(first_sentence("Reads\n  a file"), "Reads a file");
        assert_eq!(first_sentence("读取文件。然后关闭。"), "读取文件");
    }
}
