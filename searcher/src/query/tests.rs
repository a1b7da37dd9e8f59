//! The grammar by example, and what must hold for any text.

use proptest::prelude::*;

use super::*;

fn parse(query: &str) -> ParsedQuery {
    ParsedQuery::parse(query)
}

/// The query without a filter, a phrase or an exclusion: nothing but plain words, and no notes.
fn assert_plain(query: &str) {
    let parsed = parse(query);
    let words: Vec<&str> = query.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).collect();
    assert_eq!(parsed.words, words);
    assert_eq!(parsed.text, query.split_whitespace().collect::<Vec<_>>().join(" "));
    assert_eq!((parsed.phrases.len(), parsed.without.len(), parsed.filter.is_empty()), (0, 0, true), "{query}");
    assert_eq!(parsed.notes, Vec::<Note>::new(), "{query}");
}

fn word(text: &str) -> Exclusion {
    Exclusion::Word(text.to_owned())
}

fn phrase(text: &str) -> Exclusion {
    Exclusion::Phrase(text.to_owned())
}

#[test]
fn every_operator_at_once() {
    let parsed = parse(
        "travel \"money  back\" -draft -\"old policy\" source:\"HR docs\" path:handbook/ type:md LANG:zh-CN after:2024 before:2025-02-03 receipts",
    );
    assert_eq!(parsed.text, "travel money back receipts");
    assert_eq!(parsed.words, ["travel", "receipts"]);
    assert_eq!(parsed.phrases, ["money back"]);
    assert_eq!(parsed.lexical_text(), "travel receipts money back");
    assert_eq!(parsed.without, [word("draft"), phrase("old policy")]);
    assert_eq!(parsed.without[1].text(), "old policy");
    let filter = Filter {
        sources: vec!["HR docs".to_owned()],
        paths: vec!["handbook/".to_owned()],
        kinds: vec!["markdown".to_owned()],
        languages: vec!["zh".to_owned()],
        after: Some(1_704_067_200),
        before: Some(1_738_540_800),
        ..Filter::default()
    };
    assert_eq!(parsed.filter, filter);
    assert_eq!(parsed.notes, Vec::<Note>::new());
}

#[test]
fn what_only_looks_like_an_operator_is_plain() {
    for plain in [
        "how do I get my travel money back?",
        "std::vector<int> begin",
        "Type::Markdown source://x path::to",
        "https://example.com/a?b=c:d",
        "meeting at 10:30",
        "foo:bar author:smith",
        "cargo run --release -- --no-rerank",
        "well-known -- dash - minus",
        "from -40 to -5.5 °C",
        "24\" monitor name=\"x\"",
        "ERR_4711 C++ v1.2.3 don't",
        "年假怎么申请？ 类型：文档",
        "a AND (b OR c)",
        "《战国无双3》是什么",
    ] {
        assert_plain(plain);
    }
}

#[test]
fn chinese_punctuation_works_like_the_plain_one() {
    let parsed = parse("请问“年假”怎么申请　source：人事 type：md －草稿 －「旧 版」");
    assert_eq!(parsed.text, "请问年假怎么申请");
    assert_eq!(parsed.words, ["请问", "怎么申请"]);
    assert_eq!(parsed.phrases, ["年假"]);
    assert_eq!(parsed.filter.sources, ["人事"]);
    assert_eq!(parsed.filter.kinds, ["markdown"]);
    assert_eq!(parsed.without, [word("草稿"), phrase("旧 版")]);
    assert_eq!(parse("请问\"年假\"怎么「申请」").phrases, ["年假", "申请"]);
    assert_eq!(parse("source：“HR docs”").filter.sources, ["HR docs"]);
    assert_eq!(parse("”年假” «bonjour» ＂x＂").phrases, ["年假", "bonjour", "x"]);
}

#[test]
fn an_unclosed_quote_is_plain_text_with_a_note() {
    for query in ["\"travel money type:md", "travel “money type:md", "「travel money type:md"] {
        let parsed = parse(query);
        assert_eq!(parsed.words, ["travel", "money"], "{query}");
        assert_eq!(parsed.filter.kinds, ["markdown"], "{query}");
        assert_eq!(parsed.notes.len(), 1, "{query}");
        assert!(parsed.notes[0].to_string().contains("quote"), "{query}");
    }
    let parsed = parse("source:\"HR docs");
    assert!(parsed.filter.is_empty());
    assert_eq!(parsed.text, "source:\"HR docs");
    assert_eq!(parsed.notes.len(), 1);
    assert_eq!(parse("-\"old policy").without, []);
}

#[test]
fn bad_values_are_plain_text_with_a_note() {
    for query in
        ["after:yesterday", "before:2024-13", "lang:klingon", "type:", "after:\"last week\"", "-type:pdf", "tpye:pdf"]
    {
        let parsed = parse(&format!("travel {query} money"));
        assert!(parsed.filter.is_empty(), "{query}");
        assert_eq!(parsed.text, format!("travel {query} money"));
        assert_eq!(parsed.without, []);
        assert_eq!(parsed.notes.len(), 1, "{query}: {:?}", parsed.notes);
        assert!(parsed.words.len() >= 3, "{query}");
    }
}

#[test]
fn values_of_a_field_are_collected_and_dates_narrowed() {
    let filter = parse("type:md,html type:md lang:en lang:zh after:1970 after:1971 before:1980 before:1975").filter;
    assert_eq!(filter.kinds, ["markdown", "html"]);
    assert_eq!(filter.languages, ["en", "zh"]);
    assert_eq!((filter.after, filter.before), (Some(31_536_000), Some(157_766_400)));
    assert!(parse("x after:2024 before:2023").notes[0].to_string().contains("nothing can match"));
}

#[test]
fn a_query_of_exclusions_alone_is_noted() {
    let parsed = parse("-draft -\"old policy\"");
    assert!(parsed.is_empty());
    assert_eq!(parsed.notes.len(), 1);
    assert!(parse("").is_empty() && parse("").notes.is_empty());
    assert!(parse("type:pdf").notes.is_empty());
}

#[test]
fn a_plain_text_has_no_operators() {
    let parsed = ParsedQuery::plain("what -dash \"body  pressures\" type:md are");
    assert_eq!(parsed.text, "what -dash \"body pressures\" type:md are");
    assert_eq!(parsed.words, ["what", "-dash", "\"body", "pressures\"", "type:md", "are"]);
    assert_eq!((parsed.phrases.len(), parsed.without.len(), parsed.filter.is_empty()), (0, 0, true));
    assert_eq!(ParsedQuery::plain(&"x ".repeat(50_000)).notes.len(), 2);
}

#[test]
fn text_around_an_operator_stays_apart() {
    assert_eq!(parse("a -b c").text, "a c");
    assert_eq!(parse("\"a\"b").text, "a b");
    assert_eq!(parse("a \"b\"-c").text, "a b-c");
    assert_eq!(parse("\"a\" b \"\" \"!\"").text, "a b !");
    assert_eq!(parse("\"a\" \"\" \"!\"").phrases, ["a"]);
}

#[test]
fn a_huge_query_is_cut_with_a_note_and_at_once() {
    let started = std::time::Instant::now();
    for unit in [
        "word ", "年假", "\"", "“", "“a”", "「「a", "-\"x ", "-x ", "type:md ", "after:x ", "type:", "a,", "é",
        "年\"年", "\u{0}", "🎉",
    ] {
        let query: String = unit.chars().cycle().take(100_000).collect();
        let parsed = parse(&query);
        assert!(parsed.notes[0].to_string().contains("cut to its first 8192 bytes"), "{unit}");
        assert!(parsed.notes.len() <= MAX_NOTES);
        assert!(parsed.text.len() <= MAX_QUERY_BYTES);
        assert!(parsed.words.len() <= MAX_WORDS, "{unit}");
        assert!(parsed.phrases.len() <= MAX_OPERATORS && parsed.without.len() <= MAX_OPERATORS, "{unit}");
    }
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn caps_leave_notes_and_keep_the_words_of_surplus_phrases() {
    let many = |unit: &str, count: usize| (0..count).map(|n| unit.replace('#', &n.to_string())).collect::<String>();
    let parsed = parse(&many("\"p#\" ", 20));
    assert_eq!((parsed.phrases.len(), parsed.words.len()), (16, 4));
    assert!(parsed.notes[0].to_string().contains("16 phrases"));
    let parsed = parse(&many("w# ", 70));
    assert_eq!(parsed.words.len(), 64);
    assert!(parsed.text.ends_with("w69"));
    assert!(parsed.notes[0].to_string().contains("64 words"));
    assert_eq!(parse(&many("-w# ", 20)).without.len(), 16);
    assert_eq!(parse(&many("source:s# ", 20)).filter.sources.len(), 16);
}

/// Pieces of a query that are likely to go wrong together.
fn noise() -> impl Strategy<Value = String> {
    let tokens = [
        "\"",
        "“",
        "”",
        "「",
        "」",
        "-",
        "-\"",
        "－“",
        ":",
        "：",
        "type:",
        "type:md",
        "source:\"",
        "source：“",
        "after:x",
        "lang:en",
        "年假",
        "－",
        "--",
        "::",
        "before:2024",
        "«",
        "»",
        "，",
        "\u{3000}",
        "\t",
        "\u{0}",
        "e\u{301}",
    ];
    prop_oneof![
        4 => proptest::sample::select(tokens.to_vec()).prop_map(str::to_owned),
        2 => "[a-z]{1,6}",
        1 => Just(" ".to_owned()),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #[test]
    fn never_panics_and_keeps_its_bounds(query in any::<String>()) {
        let parsed = parse(&query);
        prop_assert!(parsed.text.len() <= MAX_QUERY_BYTES);
        prop_assert!(parsed.words.len() <= MAX_WORDS);
    }

    #[test]
    fn no_word_is_lost_whatever_stands_around_it(parts in proptest::collection::vec((noise(), any::<bool>()), 0..30)) {
        let mut query = String::new();
        let mut expected = Vec::new();
        for (number, (noise, spaced)) in parts.iter().enumerate() {
            query.push_str(noise);
            query.push_str(if *spaced { " " } else { "" });
            query.push_str(&format!(" plain{number}x "));
            expected.push(format!("plain{number}x"));
        }
        let parsed = parse(&query);
        let everything = format!("{parsed:?}");
        for word in expected {
            // An exclusion, a phrase or a filter may have claimed it; it is somewhere.
            prop_assert!(everything.contains(&word) || parsed.notes.iter().any(|note| note.to_string().contains("only the first")), "{} in {}", word, query);
        }
    }

    #[test]
    fn plain_words_come_out_as_they_went_in(words in proptest::collection::vec("[a-z0-9äж年_][a-z0-9äж年_.:/-]{0,8}[a-z]", 0..12)) {
        prop_assume!(TermBudget::default().spend(&words.join(" ")).len() == words.join(" ").len());
        prop_assume!(words.iter().all(|word| word.contains(char::is_alphanumeric) && Field::split(word).is_none()));
        let parsed = parse(&words.join(" "));
        prop_assert_eq!(&parsed.words, &words);
        prop_assert_eq!(&parsed.text, &words.join(" "));
        prop_assert_eq!(parse(&parsed.text), parsed);
    }
}
