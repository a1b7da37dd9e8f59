//! What somebody sees does not depend on what they don't.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{
    Access, AccessRule, Batch, ChunkDraft, ContentKey, FileState, LedgerEntry, Principals, SimHash, Snapshot,
    SourceAccess, Store, TermKind, Viewer,
};

const WORDS: [&str; 14] = [
    "pump",
    "pumps",
    "valve",
    "rotor",
    "rotors",
    "Größe",
    "pressure",
    "manual",
    "报销流程",
    "差旅",
    "BX-7700",
    "travel",
    "expenses",
    "the",
];

/// A document of the tests: where it is, its passages, and whether it is hidden from the staff.
#[derive(Debug, Clone)]
struct Sample {
    path: String,
    passages: Vec<String>,
    language: Option<String>,
    is_hidden: bool,
}

fn model() -> IndexModel {
    IndexModel { name: "m".into(), fingerprint: "f".into(), dimension: 4 }
}

fn store(folder: &Path) -> Store {
    let mut store = Store::open(folder, &model()).unwrap();
    for name in ["open", "secret"] {
        store.add_source(Source { name: name.into(), root: format!("/{name}").into() }).unwrap();
    }
    store.set_source_access("secret", Some(SourceAccess::whole(&["group:hr"]).unwrap())).unwrap();
    store
}

/// A vector that follows from the text alone; few directions, so that many are equal.
fn vector(text: &str) -> Vec<f32> {
    let hash = blake3::hash(text.as_bytes());
    let raw: Vec<f32> = hash.as_bytes()[..4].iter().map(|byte| f32::from(byte % 3) - 0.9).collect();
    let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
    raw.into_iter().map(|value| value / length).collect()
}

fn put(batch: &mut Batch, sample: &Sample) {
    let source = if sample.is_hidden { "secret" } else { "open" };
    let document = Document {
        source: source.into(),
        path: sample.path.clone(),
        title: sample.passages[0].split(' ').next().unwrap().into(),
        kind: if sample.passages.len() > 1 { "markdown" } else { "text" }.into(),
        language: sample.language.clone(),
        modified: sample.passages.len() as i64,
        bytes: 1,
        metadata: BTreeMap::new(),
        fingerprint: Some(SimHash::of(
            sample.passages.iter().map(|text| u128::from_le_bytes(ContentKey::of(&[], text).0)),
        )),
    };
    let draft = |text: &String| ChunkDraft {
        headings: Vec::new(),
        text: text.clone(),
        span: 0..1,
        lines: 1..2,
        place: None,
        blocks: Vec::new(),
        key: ContentKey::of(&[], text),
        vector: Some(vector(text)),
    };
    batch.put(document, sample.passages.iter().map(draft).collect());
    let state = FileState::Indexed { notes: Vec::new() };
    batch.record(LedgerEntry { state, chunks: 1, ..LedgerEntry::blank(source, &sample.path, "1") });
}

fn staff() -> Viewer {
    Viewer::person(Principals::of(["group:staff".parse().unwrap()]))
}

/// Everything that is to be had from a view for a query, with passages by their documents and places in them.
fn told(view: &View, text: &str) -> String {
    let mut told = Vec::new();
    let name = |passage: PassageRef| {
        let passage = view.passage(passage).unwrap();
        format!("{}/{}#{}", passage.document.source, passage.document.path, passage.number)
    };
    let scored = |found: Vec<(PassageRef, f32)>| {
        found
            .into_iter()
            .map(|(passage, score)| format!("{} {:08x}", name(passage), score.to_bits()))
            .collect::<Vec<_>>()
    };
    let weights = LexicalWeights::default();
    let queries = [
        LexicalQuery { text: text.into(), ..LexicalQuery::default() },
        LexicalQuery { text: text.into(), without: vec!["valve".into()], ..LexicalQuery::default() },
        LexicalQuery { phrases: vec![text.into()], ..LexicalQuery::default() },
    ];
    let only = Filter { kinds: vec!["markdown".into()], ..Filter::default() };
    for query in queries {
        let query = view.analyse(&query);
        told.push(format!("{query:?}"));
        for filters in [vec![], vec![only.clone()]] {
            told.push(format!("{:?}", scored(view.lexical(&query, &filters, weights, 3).unwrap())));
            let all = view.lexical_all(&query, &filters, weights).unwrap();
            let again = view.lexical_of(&query, weights, all.iter().map(|(passage, _)| *passage).collect()).unwrap();
            let mut again = scored(again);
            let mut expected = scored(all.clone());
            told.push(format!("{expected:?}"));
            again.sort();
            expected.sort();
            assert_eq!(again, expected, "a passage scores the same however it is asked for");
            let numbers: Vec<u32> = view.matching(&query, &filters, weights).unwrap().iter().collect();
            told.push(format!("{numbers:?} {:?}", view.passing(&filters, &query).unwrap().len()));
            let scope = view.scope(&filters, &query).unwrap();
            for scan in [VectorScan::WhereFast, VectorScan::Always] {
                told.push(format!("{:?}", scored(view.nearest(&vector(text), &scope, 3, scan).unwrap())));
            }
        }
        told.push(format!(
            "{:08x} {}",
            view.full_coverage(&query, weights).unwrap().to_bits(),
            view.count(&query).unwrap()
        ));
        let some: Vec<PassageRef> =
            view.lexical(&query, &[], weights, 5).unwrap().into_iter().map(|(passage, _)| passage).collect();
        let held = view.holdings(&query, &some).unwrap();
        assert!(held.iter().all(|term| term.kind != TermKind::Word || term.held.len() == some.len()));
        told.push(format!("{held:?}"));
    }
    for word in ["pumq", "rotr", "travell"] {
        told.push(format!("{:?} {}", view.words_near(word, 2).unwrap(), view.holders(word).unwrap()));
    }
    told.push(format!("{:?}", view.background().unwrap()));
    let listing = view.documents(&Filter::default(), None, 4).unwrap();
    told.push(format!("{listing:?}"));
    let facets = view.facets().unwrap();
    for document in listing.documents {
        for place in view.places(document.id()).unwrap() {
            told.push(format!("{:?} {:?}", facets.of(place), view.number(place)));
        }
        let mut passages = view.document(document.id()).unwrap();
        // Which vector it is, is nowhere shown.
        passages.iter_mut().for_each(|passage| passage.chunk.ordinal = 0);
        told.push(format!("{passages:?}"));
    }
    let copies = view.copies(12).unwrap();
    told.push(format!("{:?}", (0..view.totals().documents as u32).map(|n| copies.class(n)).collect::<Vec<_>>()));
    let mut seen = Vec::new();
    view.for_each_passage(|passage| seen.push(format!("{} {}", passage.document.path, passage.number))).unwrap();
    let sources: Vec<&str> = view.sources().into_iter().map(|source| source.name.as_str()).collect();
    told.push(format!("{seen:?} {sources:?} {:?} {} {:?}", view.languages(), view.passages(), view.totals()));
    told.push(format!("{}", view.generation().unwrap()));
    told.join("\n")
}

fn sample(is_hidden: bool) -> impl Strategy<Value = Sample> {
    let text = proptest::collection::vec(proptest::sample::select(&WORDS[..]), 1..9).prop_map(|words| words.join(" "));
    let passages = proptest::collection::vec(text, 1..4);
    let language = proptest::sample::select(vec![None, Some("en"), Some("de"), Some("fr")]);
    (0u32..40, passages, language).prop_map(move |(path, passages, language)| Sample {
        path: format!("{path}.md"),
        passages,
        language: language.map(str::to_owned),
        is_hidden,
    })
}

/// What is done to the second index beside what both have.
#[derive(Debug, Clone)]
enum Hidden {
    Put(Sample),
    Remove(u32),
}

fn hidden() -> impl Strategy<Value = Hidden> {
    prop_oneof![4 => sample(true).prop_map(Hidden::Put), 1 => (0u32..40).prop_map(Hidden::Remove)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn what_is_hidden_makes_no_difference(
        visible in proptest::collection::vec(sample(false), 1..12),
        secret in proptest::collection::vec((0usize..12, hidden()), 0..14),
        is_reversed: bool,
        queries in proptest::collection::vec(proptest::collection::vec(proptest::sample::select(&WORDS[..]), 1..5), 10),
    ) {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut alone = Store::open(a.path(), &model()).unwrap();
        alone.add_source(Source { name: "open".into(), root: "/open".into() }).unwrap();
        let mut beside = store(b.path());
        let mut both = Batch::default();
        visible.iter().for_each(|sample| put(&mut both, sample));
        alone.commit(both).unwrap();
        // A later text of a path replaces an earlier one; what comes in which order is all the same.
        let last: BTreeMap<&str, &Sample> = visible.iter().map(|sample| (sample.path.as_str(), sample)).collect();
        let mut order: Vec<&Sample> = last.into_values().collect();
        if is_reversed {
            order.reverse();
        }
        for (at, sample) in order.into_iter().enumerate() {
            let mut batch = Batch::default();
            put(&mut batch, sample);
            for (_, hidden) in secret.iter().filter(|(place, _)| *place == at) {
                match hidden {
                    Hidden::Put(sample) => put(&mut batch, sample),
                    Hidden::Remove(path) => batch.remove("secret", &format!("{path}.md")),
                }
            }
            beside.commit(batch).unwrap();
        }
        // The same through a reader of another process.
        let read = Snapshot::open(b.path()).unwrap();
        let views = [alone.snapshot(), beside.snapshot(), Arc::new(read)].map(|snapshot| snapshot.view(&staff()).unwrap());
        for query in queries {
            let text = query.join(" ");
            let [one, others @ ..] = views.each_ref().map(|view| told(view, &text));
            for other in others {
                prop_assert_eq!(&one, &other);
            }
        }
    }
}

#[test]
fn what_is_hidden_makes_no_difference_while_it_comes_and_goes() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut alone = Store::open(a.path(), &model()).unwrap();
    alone.add_source(Source { name: "open".into(), root: "/open".into() }).unwrap();
    let mut beside = store(b.path());
    for store in [&mut alone, &mut beside] {
        let mut batch = Batch::default();
        for number in 0..12 {
            let text = format!("{} {} the", WORDS[number % 14], WORDS[(number * 5 + 3) % 14]);
            put(&mut batch, &plain(&format!("{number}.md"), &text, false));
        }
        store.commit(batch).unwrap();
    }
    let expected = WORDS.map(|word| told(&alone.snapshot().view(&staff()).unwrap(), word));
    let (snapshots, is_over) = (beside.snapshots(), std::sync::atomic::AtomicBool::new(false));
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                let word = asked % WORDS.len();
                let view = snapshots.get().view(&staff()).unwrap();
                if told(&view, WORDS[word]) != expected[word] {
                    return Err(format!("{} after {asked} questions", WORDS[word]));
                }
                asked += 1;
            }
            Ok(asked)
        });
        for number in 0..120usize {
            let mut batch = Batch::default();
            let path = format!("{}.md", number * 7 % 11);
            match number % 4 {
                0 => batch.remove("secret", &path),
                1 => batch.set_access(DocumentId::of("secret", &path), Some(Access::nobody())),
                _ => put(&mut batch, &plain(&path, &format!("{} secret {number}", WORDS[number % 14]), true)),
            }
            beside.commit(batch).unwrap();
            if number % 10 == 0 {
                let group = if number % 20 == 0 { "group:hr" } else { "group:board" };
                beside.set_source_access("secret", Some(SourceAccess::whole(&[group]).unwrap())).unwrap();
            }
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        asking.join().unwrap()
    });
    assert!(asked.unwrap() > 20);
}

/// Pairs of indexes, each asked ten queries. More of them by `QUARRY_CASES=2000 cargo test --workspace --lib what_is_hidden`.
fn cases() -> u32 {
    std::env::var("QUARRY_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(50)
}

fn plain(path: &str, text: &str, is_hidden: bool) -> Sample {
    Sample { path: path.into(), passages: vec![text.into()], language: None, is_hidden }
}

fn paths(view: &View) -> Vec<String> {
    let listing = view.documents(&Filter::default(), None, 100).unwrap();
    let mut paths: Vec<String> = listing.documents.into_iter().map(|document| document.path).collect();
    paths.sort();
    paths
}

fn as_all_of(principals: &[&str]) -> Viewer {
    Viewer::person(Principals::of(principals.iter().map(|principal| principal.parse().unwrap())))
}

#[test]
fn rules_and_what_documents_say_must_both_let_through_and_a_change_is_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let mut batch = Batch::default();
    for (path, hidden) in [("a.md", false), ("b.md", false), ("pay/c.md", true), ("pay/public/d.md", true)] {
        put(&mut batch, &plain(path, &format!("pump {path}"), hidden));
    }
    batch.set_access(DocumentId::of("open", "b.md"), Some(Access::parse(&["user:anna"]).unwrap()));
    store.commit(batch).unwrap();
    let seen = |store: &Store, who: &[&str]| paths(&store.snapshot().view(&as_all_of(who)).unwrap());
    assert_eq!(seen(&store, &[]), ["a.md"]);
    assert_eq!(seen(&store, &["user:anna"]), ["a.md", "b.md"]);
    assert_eq!(seen(&store, &["group:hr"]), ["a.md", "pay/c.md", "pay/public/d.md"]);
    assert_eq!(paths(&store.snapshot().whole().unwrap()).len(), 4);
    let rules = SourceAccess::of([
        AccessRule { paths: None, access: Access::parse(&["group:hr"]).unwrap() },
        AccessRule { paths: Some("pay/public/**".into()), access: Access::everyone() },
    ]);
    let vectors = store.statistics().unwrap().vectors;
    store.set_source_access("secret", Some(rules.unwrap())).unwrap();
    assert_eq!(seen(&store, &[]), ["a.md", "pay/public/d.md"]);
    assert_eq!(store.statistics().unwrap().vectors, vectors, "nothing is embedded");
    let within = as_all_of(&["group:hr"]).within(["secret".to_owned()]);
    assert_eq!(paths(&store.snapshot().view(&within).unwrap()), ["pay/c.md", "pay/public/d.md"]);
    let explained = store.snapshot().access_of(DocumentId::of("secret", "pay/public/d.md")).unwrap().unwrap();
    assert_eq!((explained.rule.as_ref().unwrap().0, explained.together().is_open()), (1, true));
    // An access alone is a commit, and so is taking it back.
    let mut batch = Batch::default();
    batch.set_access(DocumentId::of("open", "a.md"), Some(Access::nobody()));
    batch.set_access(DocumentId::of("open", "b.md"), None);
    store.commit(batch).unwrap();
    assert_eq!(seen(&store, &["group:hr", "user:anna"]), ["b.md", "pay/c.md", "pay/public/d.md"]);
    store.close().unwrap();
    let read = Snapshot::open(folder.path()).unwrap();
    assert_eq!(paths(&read.view(&as_all_of(&[])).unwrap()), ["b.md", "pay/public/d.md"]);
    // A document that is put again is as hidden as it was; one that was removed and comes again is not.
    let mut store = Store::open(folder.path(), &model()).unwrap();
    let mut batch = Batch::default();
    put(&mut batch, &plain("a.md", "pump again", false));
    store.commit(batch).unwrap();
    assert_eq!(seen(&store, &[]), ["b.md", "pay/public/d.md"]);
    let mut batch = Batch::default();
    batch.remove("open", "a.md");
    store.commit(batch).unwrap();
    let mut batch = Batch::default();
    put(&mut batch, &plain("a.md", "pump again", false));
    store.commit(batch).unwrap();
    assert_eq!(seen(&store, &[]), ["a.md", "b.md", "pay/public/d.md"]);
    store.remove_source("secret").unwrap();
    assert!(store.source_access("secret").is_some(), "what is put there again is as hidden");
}

#[test]
fn what_says_who_may_see_what_is_repaired_and_never_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let mut batch = Batch::default();
    put(&mut batch, &plain("a.md", "pump", false));
    put(&mut batch, &plain("b.md", "valve", true));
    batch.set_access(DocumentId::of("open", "a.md"), Some(Access::parse(&["user:anna"]).unwrap()));
    store.commit(batch).unwrap();
    store.close().unwrap();
    let files = || std::fs::read_dir(folder.path().join("access")).unwrap().map(|entry| entry.unwrap().path());
    assert!(files().count() <= 2, "a whole table and what has changed since: the files of earlier commits are gone");
    let nobody = |snapshot: &Snapshot| paths(&snapshot.view(&as_all_of(&[])).unwrap()).is_empty();
    assert!(nobody(&Snapshot::open(folder.path()).unwrap()));
    // Without it nothing is opened for reading; a writer makes it anew.
    files().for_each(|file| std::fs::remove_file(file).unwrap());
    assert!(matches!(Snapshot::open(folder.path()), Err(crate::Error::Damaged { .. })));
    Store::open(folder.path(), &model()).unwrap().close().unwrap();
    assert!(nobody(&Snapshot::open(folder.path()).unwrap()));
    // Where the truth is lost, the readers' file still tells.
    let broken = || std::fs::remove_dir_all(folder.path().join("documents")).unwrap();
    broken();
    crate::repair(folder.path(), &model()).unwrap();
    let store = Store::open(folder.path(), &model()).unwrap();
    assert!(store.source_access("secret").is_some());
    assert_eq!(store.access(DocumentId::of("open", "a.md")), Some(&Access::parse(&["user:anna"]).unwrap()));
    store.close().unwrap();
    // Where nothing tells any more, nobody sees anything.
    broken();
    files().for_each(|file| std::fs::remove_file(file).unwrap());
    let said = crate::repair(folder.path(), &model()).unwrap().join("\n");
    assert!(said.contains("all sources are closed"), "{said}");
    let store = Store::open(folder.path(), &model()).unwrap();
    assert_eq!(store.source_access("open"), Some(&SourceAccess::closed()));
}

#[test]
fn where_files_say_who_may_see_them_nobody_sees_what_was_not_asked() {
    use crate::FilePermissions::{Owner, Posix};
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let mut batch = Batch::default();
    put(&mut batch, &plain("a.md", "pump", false));
    put(&mut batch, &plain("b.md", "valve", false));
    // Unreadable lines have no document, and documents that were pushed a line of the ledger.
    batch.record(LedgerEntry::blank("open", "a.md", ""));
    batch.record(LedgerEntry::blank("open", "b.md", ""));
    store.commit(batch).unwrap();
    let seen = |snapshot: &Snapshot| paths(&snapshot.view(&as_all_of(&["posix-user:anna"])).unwrap());
    store.set_file_permissions("open", Some(Posix)).unwrap();
    assert!(seen(&store.snapshot()).is_empty(), "they were not asked yet");
    let mut batch = Batch::default();
    batch.set_access(DocumentId::of("open", "a.md"), Some(Access::parse(&["posix-user:anna"]).unwrap()));
    batch.set_access(DocumentId::of("open", "b.md"), Some(Access::everyone()));
    store.commit(batch).unwrap();
    assert_eq!(seen(&store.snapshot()), ["a.md", "b.md"]);
    // What was asked in one way says nothing in another.
    store.set_file_permissions("open", Some(Owner)).unwrap();
    assert!(seen(&store.snapshot()).is_empty() && store.access(DocumentId::of("open", "a.md")).is_none());
    let own = store.snapshot().access_of(DocumentId::of("open", "b.md")).unwrap().unwrap().own;
    assert_eq!(own, Some(Access::nobody()));
    store.close().unwrap();
    let mut store = Store::open(folder.path(), &model()).unwrap();
    assert_eq!(store.file_permissions("open"), Some(Owner));
    assert_eq!(Snapshot::open(folder.path()).unwrap().file_permissions("open"), Some(Owner));
    store.set_file_permissions("open", None).unwrap();
    assert_eq!(seen(&store.snapshot()), ["a.md", "b.md"]);
    store.set_file_permissions("open", Some(Posix)).unwrap();
    store.close().unwrap();
    // A rebuild, and one over a lost truth.
    for is_lost in [false, true] {
        if is_lost {
            let index = crate::edition::in_force(folder.path()).unwrap();
            std::fs::remove_dir_all(index.join("documents")).unwrap();
        }
        let mut rebuild = crate::Rebuild::begin(folder.path(), &model()).unwrap();
        let mut batch = Batch::default();
        put(&mut batch, &plain("a.md", "pump", false));
        rebuild.store().commit(batch).unwrap();
        rebuild.finish().unwrap();
        let snapshot = Snapshot::open(folder.path()).unwrap();
        assert!(seen(&snapshot).is_empty() && snapshot.file_permissions("open") == Some(Posix), "{is_lost}");
    }
}

#[test]
fn a_rebuild_keeps_who_may_see_what() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = store(folder.path());
    let mut batch = Batch::default();
    batch.set_access(DocumentId::of("open", "a.md"), Some(Access::nobody()));
    old.commit(batch).unwrap();
    old.close().unwrap();
    let mut rebuild = crate::Rebuild::begin(folder.path(), &model()).unwrap();
    let mut batch = Batch::default();
    put(&mut batch, &plain("a.md", "pump", false));
    put(&mut batch, &plain("b.md", "valve", true));
    rebuild.store().commit(batch).unwrap();
    rebuild.finish().unwrap();
    let snapshot = Snapshot::open(folder.path()).unwrap();
    assert!(paths(&snapshot.view(&as_all_of(&[])).unwrap()).is_empty());
    assert_eq!(paths(&snapshot.view(&as_all_of(&["group:hr"])).unwrap()), ["b.md"]);
}

#[test]
fn a_rebuild_over_a_lost_truth_hides_what_can_still_be_told_or_everything() {
    let rebuilt = |loses_the_file: bool| {
        let folder = tempfile::tempdir().unwrap();
        store(folder.path()).close().unwrap();
        std::fs::remove_dir_all(folder.path().join("documents")).unwrap();
        if loses_the_file {
            std::fs::remove_dir_all(folder.path().join("access")).unwrap();
        }
        let mut rebuild = crate::Rebuild::begin(folder.path(), &model()).unwrap();
        let mut batch = Batch::default();
        put(&mut batch, &plain("a.md", "pump", false));
        put(&mut batch, &plain("b.md", "valve", true));
        rebuild.store().commit(batch).unwrap();
        rebuild.finish().unwrap();
        paths(&Snapshot::open(folder.path()).unwrap().view(&as_all_of(&["group:hr"])).unwrap())
    };
    assert_eq!(rebuilt(false), ["a.md", "b.md"], "the rules are those of before");
    assert!(rebuilt(true).is_empty(), "nothing tells them any more");
}
