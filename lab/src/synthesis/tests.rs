//! The rules on small documents of every kind.

use std::path::Path;

use extract::{ExtractLimits, extract};

use super::*;

fn read(path: &str, text: &str) -> ReadDocument {
    let extraction = extract(Path::new(path), text.as_bytes(), &ExtractLimits::default()).unwrap();
    ReadDocument { path: path.to_owned(), text: extraction.document.unwrap() }
}

fn by(rule: Rule, path: &str, text: &str) -> Vec<(String, String)> {
    let found = pairs(&read(path, text), &[rule], &PairLimits::default());
    found.pairs.into_iter().map(|pair| (pair.query, pair.response)).collect()
}

fn queries(rule: Rule, path: &str, text: &str) -> Vec<String> {
    by(rule, path, text).into_iter().map(|(query, _)| query).collect()
}

const LEAVE: &str = "# Annual leave policy\n\n## Contents\n\n- Days\n\n## Carrying days over to the next year\n\n\
    Up to five unused days move into the next calendar year by themselves.\n\n## Limits\n\n\
    Nobody may take more than fifteen days in a row without asking first.\n";

#[test]
fn titles_and_headings_ask_for_what_is_below() {
    let (query, response) = by(Rule::Title, "leave.md", LEAVE).remove(0);
    assert_eq!(query, "Annual leave policy");
    assert!(response.starts_with("Up to five unused days"), "{response}");
    assert_eq!(
        queries(Rule::Heading, "leave.md", LEAVE),
        [
            "Annual leave policy: Carrying days over to the next year",
            "Carrying days over to the next year",
            "Annual leave policy: Limits"
        ]
    );
}

#[test]
fn a_file_name_is_no_title() {
    assert!(
        by(Rule::Title, "big store.py", "\"\"\"Keeps values under names for a while, in memory only.\"\"\"\n")
            .is_empty()
    );
}

#[test]
fn questions_find_their_answers() {
    let text = "# FAQ\n\nQ: What is it made of?\nA: It is made of wood from the forests of the north.\n\n\
        **How do I start the machine?**\n\nPress the green button twice and wait for the lamp.\n\n\
        ## Why does it smoke so much?\n\nBecause nobody has cleaned the filter since last spring.\n\n\
        - Can I eat it? No, and nobody who tried it was happy about it.\n\nSo what? Nothing.\n";
    let found = by(Rule::Question, "faq.md", text);
    let expected = [
        ("What is it made of?", "It is made of wood from the forests of the north."),
        ("How do I start the machine?", "Press the green button twice and wait for the lamp."),
        ("Why does it smoke so much?", "Because nobody has cleaned the filter since last spring."),
        ("Can I eat it?", "No, and nobody who tried it was happy about it."),
    ];
    for (query, response) in expected {
        assert!(found.iter().any(|(q, r)| q == query && r.starts_with(response)), "{query}: {found:?}");
    }
    let chinese =
        "# 常见问题\n\n问：忘记密码应该怎么办？\n答：请打开登录页面，点击忘记密码，然后按照邮件中的提示操作。\n";
    assert_eq!(by(Rule::Question, "faq.md", chinese)[0].0, "忘记密码应该怎么办？");
}

#[test]
fn definitions_are_asked_for() {
    let list = "# Terms\n\n- Latency: the time that passes between a request and its answer.\n- Note: this is not a term although it looks a lot like one.\n";
    let found = by(Rule::Definition, "a.md", list);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0.contains("Latency") && found[0].1.starts_with("the time that passes"));
    let found = queries(
        Rule::Definition,
        "a.md",
        "# Key cards\n\n- Lost cards: tell reception at once and they will block it for you within the hour.\n",
    );
    assert_eq!(found, ["Key cards: Lost cards"]);
    let rst = "Tool\n====\n\nthroughput\n    How much work is done in one unit of time, all in all.\n";
    assert!(by(Rule::Definition, "a.rst", rst)[0].0.contains("throughput"));
    let sentence = "# T\n\nA socket is an endpoint of a connection between two programs on a network. It has a number.\n\n\
        It is a pity that nobody has told us about the rest of the story before.\n";
    let found = by(Rule::Definition, "a.md", sentence);
    assert!(found.len() == 1 && found[0].0.contains("socket"), "{found:?}");
    let html = "<h1>Glossary</h1><dl><dt>Backoff</dt><dd>Waiting longer before every further attempt, up to a limit.</dd></dl>";
    assert!(by(Rule::Definition, "a.html", html)[0].0.contains("Backoff"));
    let chinese = by(Rule::Definition, "a.md", "# 说明\n\n向量索引是一种按照向量之间的距离来组织数据的索引结构。\n");
    assert!(chinese[0].0.contains("向量索引"), "{chinese:?}");
}

#[test]
fn a_docstring_leaves_its_function() {
    let python = "class Store:\n    def put(self, key, value):\n        \"\"\"Puts a value under a key and forgets the old one.\n\n        Args:\n            key: x\n        \"\"\"\n        self.values[key] = value\n        return self\n\n    def read_all_lines(self):\n        with open(self.path) as file:\n            return file.readlines()\n";
    let found = by(Rule::Docstring, "store.py", python);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "Puts a value under a key and forgets the old one");
    assert_eq!(found[0].1, "def put(self, key, value):\n    self.values[key] = value\n    return self");
    assert_eq!(queries(Rule::Name, "store.py", python), ["read all lines"]);

    let rust = "/// Adds two numbers and wraps around at the end.\n#[inline]\npub fn add(a: u8, b: u8) -> u8 {\n    a.wrapping_add(b)\n}\n";
    let found = by(Rule::Docstring, "a.rs", rust);
    assert_eq!(found[0].0, "Adds two numbers and wraps around at the end");
    assert!(found[0].1.starts_with("pub fn add") && !found[0].1.contains("///"), "{found:?}");
    let javascript = "/**\n * Moves all rows into the archive table.\n * @param {Row[]} rows - rows\n */\nexport function move(rows) {\n  archive.push(...rows);\n  return rows.length;\n}\n";
    assert_eq!(queries(Rule::Docstring, "a.js", javascript), ["Moves all rows into the archive table"]);
    let go = "package a\n\n// Close ends the connection and frees its buffers.\nfunc (c *Conn) Close() error {\n\tc.free()\n\treturn nil\n}\n";
    assert_eq!(queries(Rule::Docstring, "a.go", go), ["Close ends the connection and frees its buffers"]);
    let c = "/* Returns the largest of the values in a list. */\nstatic int largest(const int *list, int n)\n{\n    int best = list[0];\n    return best;\n}\n";
    assert_eq!(queries(Rule::Docstring, "a.c", c), ["Returns the largest of the values in a list"]);
    let java = "class A {\n  /** Opens the gate for one visitor only. */\n  public void open(Gate gate) {\n    gate.open();\n    gate.count();\n  }\n}\n";
    assert_eq!(queries(Rule::Docstring, "A.java", java), ["Opens the gate for one visitor only"]);
}

#[test]
fn a_letter_answers_its_subject() {
    let mail = "From: a@example.com\nTo: b@example.com\nSubject: Re: [ops] Broken badge reader at the side door\nDate: Tue, 12 May 2026 10:00:00 +0000\nContent-Type: text/plain\n\n\
        Hello Bo,\n\nthe reader at the side door has refused every badge since Monday morning.\n\nOn Monday Bo wrote:\n> what is wrong?\n\n-- \nAda\n";
    let found = by(Rule::Subject, "a.eml", mail);
    assert_eq!(found[0].0, "Broken badge reader at the side door");
    assert!(
        found[0].1.starts_with("the reader at the side door") && !found[0].1.contains("what is wrong"),
        "{found:?}"
    );
    assert!(by(Rule::Title, "a.eml", mail).is_empty());
}

#[test]
fn captions_ask_for_tables() {
    let text = "# Travel\n\nTable 3: Daily allowance by city\n\n| City | Allowance in euros |\n|---|---|\n| Oslo in winter | seventy |\n| Leeds in summer | forty |\n| Utrecht | thirty |\n";
    assert_eq!(queries(Rule::Caption, "a.md", text), ["Daily allowance by city"]);
}

#[test]
fn manual_pages_say_what_they_do() {
    let man = ".TH TOOL 1\n.SH NAME\ntool \\- list the contents of folders\n.SH DESCRIPTION\nWrites the names of all files, one on each line, sorted by name.\n.SH EXIT STATUS\nThe status is two if a name on the command line does not exist at all.\n";
    assert_eq!(queries(Rule::Description, "tool.1", man), ["list the contents of folders"]);
    assert_eq!(queries(Rule::Heading, "tool.1", man), ["tool: exit status"]);
}

#[test]
fn licences_and_logs_are_left_out() {
    let found = pairs(&read("pkg/LICENSE.md", LEAVE), &Rule::ALL, &PairLimits::default());
    assert_eq!((found.left_out, found.pairs.len()), (Some(Fault::Legal), 0));
}

#[test]
fn all_rules_together_are_deterministic() {
    let document = read("leave.md", LEAVE);
    let once = pairs(&document, &Rule::ALL, &PairLimits::default());
    assert_eq!(once, pairs(&document, &Rule::ALL, &PairLimits::default()));
    assert!(once.pairs.iter().all(|pair| pair.path == "leave.md" && !pair.query.is_empty()));
}

mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::synthesis::words;

    /// Pieces that rules look for, whole and broken.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("# Heading of it\n\n"),
            Just("## 1.2 第三章 A.1\n\n"),
            Just("Q: What?\nA: Words and more words follow here now.\n\n"),
            Just("问：怎么办？\n"),
            Just("- Term: the thing that is meant by all of these words.\n"),
            Just("term\n    Definition of it, indented, and long enough.\n\n"),
            Just("A ß is a letter that stands for itself and İ nothing else.\n\n"),
            Just("| a | b |\n|---|---|\n| c | d |\n"),
            Just("def f(x):\n    \"\"\"Does ﬁne “things”. And more.\"\"\"\n    return x\n\n"),
            Just("/** É {@link X */\nfn g() {\n a();\n}\n"),
            Just("Table 3: \u{200b}Names\n\n"),
            Just("？?\u{301}: - – — ‹›\n"),
            Just("<dl><dt>x<dd>y</dl><h1>"),
            Just("Re: [x] Ǆ\n"),
        ];
        let any = prop_oneof![piece.prop_map(str::to_owned), "\\PC{0,30}\n{0,2}"];
        prop::collection::vec(any, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_a_document_holds_its_pairs_keep_the_limits(text in pieces()) {
            let limits = PairLimits::default();
            for path in ["a.md", "a.txt", "a.rst", "a.py", "a.rs", "a.html", "a.1", "a.eml"] {
                let Ok(extraction) = extract(Path::new(path), text.as_bytes(), &ExtractLimits::default()) else { continue };
                let Some(document) = extraction.document else { continue };
                let found = pairs(&ReadDocument { path: path.to_owned(), text: document }, &Rule::ALL, &limits);
                for pair in found.pairs {
                    let (query, response) = (words::count(&pair.query), words::count(&pair.response));
                    prop_assert!((2..=40).contains(&query) && (5..=400).contains(&response), "{pair:?}");
                    prop_assert!(!words::plain(&pair.response).starts_with(&words::plain(&pair.query)), "{pair:?}");
                }
            }
        }

        #[test]
        fn clipping_keeps_a_beginning(text in "\\PC{0,200}", most in 1usize..30) {
            let clipped = words::clip(&text, most);
            prop_assert!(text.starts_with(clipped));
            prop_assert!(words::count(clipped) <= most + 1, "{} words of {}", words::count(clipped), most);
        }
    }
}
