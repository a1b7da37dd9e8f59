//! Reading small sets, and refusing broken ones.

use std::fs;

use tempfile::TempDir;

use super::*;

/// A data set with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

const CORPUS: (&str, &str) = (
    "corpus.jsonl",
    "\u{FEFF}{\"_id\":\"d1\",\"title\":\"T\",\"text\":\"one\",\"x\":[1]}\r\n\n{\"_id\":2,\"text\":\"two\"}\n{\"_id\":\"d3\",\"title\":null,\"text\":\"\"}",
);
const QUERIES: (&str, &str) = (
    "queries.jsonl",
    "{\"_id\":\"q1\",\"text\":\"eins\",\"lang\":\"de\"}\n{\"_id\":\"q2\",\"text\":\"two\",\"lang\":\"en\",\"answers\":[]}\n{\"_id\":\"q3\",\"text\":\"three\"}\n{\"_id\":\"q4\",\"text\":\"four\"}\n",
);
const QRELS: (&str, &str) = ("qrels/dev.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\t2\t0\nq2\t2\t1\nq3\td1\t0\n");

fn message(folder: &TempDir, options: &BeirOptions) -> String {
    BeirSet::open(folder.path(), options).unwrap_err().to_string()
}

#[test]
fn reads_a_folder() {
    let folder = folder(&[CORPUS, QUERIES, QRELS]);
    let set = BeirSet::open(folder.path(), &BeirOptions::default()).unwrap();
    assert_eq!(set.queries.iter().map(|query| query.id.as_str()).collect::<Vec<_>>(), ["q1", "q2"]);
    assert_eq!(set.left_out, 2);
    assert_eq!(set.queries[0].grades, Grades::from([("d1".to_owned(), 2), ("2".to_owned(), 0)]));
    assert_eq!(set.queries[0].language.as_deref(), Some("de"));
    assert_eq!(set.name, folder.path().file_name().unwrap().to_string_lossy());
    let documents: Vec<BeirDocument> = set.corpus().unwrap().map(Result::unwrap).collect();
    let document =
        |id: &str, title: &str, text: &str| BeirDocument { id: id.into(), title: title.into(), text: text.into() };
    assert_eq!(documents, [document("d1", "T", "one"), document("2", "", "two"), document("d3", "", "")]);
}

#[test]
fn reads_judgements_in_the_form_of_trec() {
    let folder = folder(&[QUERIES, ("other/my.qrels", "q1 0 d1 1\nq2  0\t d9 1\n")]);
    fs::write(folder.path().join("other/my.qrels"), "q1 0 d1 1\nq2  0   d9 -1\nq3\tQ0\td 3\t4\n").unwrap();
    let options = BeirOptions { qrels: Some(folder.path().join("other/my.qrels")), ..Default::default() };
    let set = BeirSet::open(folder.path(), &options).unwrap();
    let found: Vec<_> = set.queries.iter().map(|query| (query.id.as_str(), query.grades.clone())).collect();
    assert_eq!(found, [("q1", Grades::from([("d1".to_owned(), 1)])), ("q3", Grades::from([("d 3".to_owned(), 4)]))]);
}

#[test]
fn chooses_queries_by_file_and_language() {
    let folder = folder(&[QUERIES, QRELS, ("mine.jsonl", "{\"_id\":\"q2\",\"text\":\"zwei\"}")]);
    let english = BeirOptions { language: Some("EN".to_owned()), ..Default::default() };
    let set = BeirSet::open(folder.path(), &english).unwrap();
    assert_eq!(set.queries.iter().map(|query| query.id.as_str()).collect::<Vec<_>>(), ["q2"]);
    assert_eq!(set.left_out, 0);
    let mine = BeirOptions { queries: Some(folder.path().join("mine.jsonl")), ..Default::default() };
    assert_eq!(BeirSet::open(folder.path(), &mine).unwrap().queries[0].text, "zwei");
    let welsh = BeirOptions { language: Some("cy".to_owned()), ..Default::default() };
    assert!(message(&folder, &welsh).contains("languages there: de, en"), "{}", message(&folder, &welsh));
}

#[test]
fn chooses_judgements_or_asks() {
    let several = folder(&[QUERIES, QRELS, ("qrels/train.tsv", "q1\td1\t1\n"), ("qrels/notes.txt", "x")]);
    assert!(message(&several, &BeirOptions::default()).contains("(dev.tsv, train.tsv)"));
    fs::write(several.path().join("qrels/test.tsv"), "q3\td1\t1\n").unwrap();
    assert_eq!(BeirSet::open(several.path(), &BeirOptions::default()).unwrap().queries[0].id, "q3");
    assert!(message(&folder(&[QUERIES]), &BeirOptions::default()).contains("name a file of judgements"));
    assert!(
        message(&folder(&[QUERIES, ("qrels/x.txt", "")]), &BeirOptions::default())
            .contains("name a file of judgements")
    );
}

#[test]
fn errors_name_file_and_line() {
    let check = |files: &[(&str, &str)], parts: &[&str]| {
        let message = message(&folder(files), &BeirOptions::default());
        for part in parts {
            assert!(message.contains(part), "{part} in {message}");
        }
    };
    check(&[QRELS], &["queries.jsonl", "cannot read"]);
    check(
        &[QRELS, ("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"x\"}\n\n{\"_id\":\"q2\"}\n")],
        &["queries.jsonl, line 3", "text"],
    );
    check(
        &[QRELS, ("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"x\"}\n{\"_id\":\"q1\",\"text\":\"y\"}")],
        &["line 2", "\"q1\""],
    );
    check(&[QUERIES, ("qrels/a.tsv", "query-id\tcorpus-id\tscore\nq1\td1\tgood\n")], &["a.tsv, line 2", "good"]);
    check(&[QUERIES, ("qrels/a.tsv", "q1\td1\n")], &["a.tsv, line 1", "three columns"]);
    check(&[QUERIES, ("qrels/a.tsv", "q1\td1\t1\nq1\td1\t2\n")], &["a.tsv, line 2", "one grade"]);
    check(&[QUERIES, ("qrels/a.tsv", "other\td1\t1\n")], &["a.tsv", "queries.jsonl", "belong together"]);
    let binary = folder(&[QRELS]);
    fs::write(binary.path().join("queries.jsonl"), b"{\"_id\":1,\"text\":\"x\"}\n\xff\xfe").unwrap();
    assert!(message(&binary, &BeirOptions::default()).contains("queries.jsonl, line 2: expected text in UTF-8"));
    let folder = folder(&[QUERIES, QRELS, ("corpus.jsonl", "{\"_id\":\"d1\",\"text\":\"x\"}\n{\"_id\":\"d2\",")]);
    let set = BeirSet::open(folder.path(), &BeirOptions::default()).unwrap();
    let second = set.corpus().unwrap().nth(1).unwrap().unwrap_err().to_string();
    assert!(second.contains("corpus.jsonl, line 2"), "{second}");
}
