//! The everyday commands: index, search, change files, look at the state.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Bench, fixture, note};

/// The numbers in "N indexed, N unchanged, ..., N embedded" of a run's report.
fn reported(stderr: &str, what: &str) -> u64 {
    let words: Vec<&str> = stderr.split_whitespace().collect();
    let at = words.iter().position(|word| word.trim_end_matches([',', ';']) == what);
    let number = at.and_then(|at| words.get(at.wrapping_sub(1)));
    number.map_or(0, |number| number.replace(',', "").parse().unwrap_or(0))
}

#[test]
fn a_doctor_says_what_is_wrong_and_what_to_do() {
    let bench = Bench::with_documents(2);
    let before = bench.run(&["doctor"]).succeeded().stdout();
    assert!(before.contains("there is none yet") && before.contains("quarry index FOLDER"), "{before}");
    bench.index();
    let findings = bench.run(&["doctor", "--json"]).succeeded().json();
    let of = |what: &str| findings.as_array().unwrap().iter().find(|it| it["what"] == what).unwrap().clone();
    assert_eq!((&of("index")["grade"], &of("model")["grade"]), (&"good".into(), &"good".into()), "{findings}");
    assert!(of("index")["found"].as_str().unwrap().contains("2 documents"), "{findings}");
    fs::rename(bench.docs(), bench.root.path().join("elsewhere")).unwrap();
    let run = bench.run(&["doctor", "--model", "/nowhere/model"]);
    let told = run.stdout();
    assert!(!run.0.status.success() && told.contains("BAD   source") && told.contains("BAD   model"), "{told}");
}

#[test]
fn a_closed_pipe_ends_a_command_without_a_word() {
    let bench = Bench::with_documents(3);
    bench.index();
    let mut command = bench.command(&["search", "note", "--json"]);
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Nobody reads.
    drop(running.stdout.take());
    let ended = running.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(141));
}

#[test]
fn the_readme_command_answers_from_the_handbook() {
    let bench = Bench::new();
    let handbook = fixture("handbook").display().to_string();
    let question = "how do I get my travel money back";
    let run = bench.run(&["search", "--in", &handbook, question, "-n", "10"]).succeeded();
    let text = run.stdout();
    assert!(text.contains("travel/expenses.md"), "{text}");
    assert!(text.contains("BM25 #") && text.contains("vector #") && text.contains("line"), "{text}");
    assert!(text.contains("**"), "matching words are marked: {text}");
    let again = bench.run(&["search", "--in", &handbook, question, "-n", "10"]).succeeded();
    assert_eq!(again.stdout().lines().next(), text.lines().next());
    assert!(!again.stderr().contains("indexed"), "nothing is indexed twice: {}", again.stderr());
}

#[test]
fn only_what_changed_is_read_and_only_new_text_is_embedded() {
    let bench = Bench::with_documents(12);
    assert_eq!(reported(&bench.index().stderr(), "indexed"), 12);
    assert_eq!(bench.index().stderr(), "", "a second run has nothing to say");

    fs::rename(bench.docs().join("note-001.md"), bench.docs().join("moved.md")).unwrap();
    fs::copy(bench.docs().join("note-002.md"), bench.docs().join("copy.md")).unwrap();
    let run = bench.index().stderr();
    assert_eq!((reported(&run, "indexed"), reported(&run, "removed"), reported(&run, "embedded")), (2, 1, 0), "{run}");
    assert_eq!(bench.paths(&["marker001", "--lexical"]), ["moved.md"]);
    let answer = bench.search(&["marker002", "--lexical"]);
    let (first, other) = (&answer["results"][0], &answer["results"][0]["copies"][0]);
    let mut copies = [first["path"].as_str().unwrap(), other["path"].as_str().unwrap()];
    copies.sort_unstable();
    assert_eq!((answer["total"].as_u64(), copies), (Some(1), ["copy.md", "note-002.md"]), "{answer}");
    let ledger = bench.run(&["status", "--files", "--csv"]).succeeded().stdout();
    assert!(ledger.contains("docs,note-002.md,indexed,duplicate of docs/copy.md,"), "{ledger}");

    bench.write("note-003.md", &note(3).replace("Part 3", "Piece three"));
    let run = bench.index().stderr();
    assert_eq!(reported(&run, "indexed"), 1, "{run}");
    assert!(reported(&run, "embedded") <= 1, "one passage changed: {run}");

    fs::remove_file(bench.docs().join("note-004.md")).unwrap();
    bench.index();
    assert!(bench.paths(&["marker004", "--lexical"]).is_empty());
    bench.write("note-004.md", &note(4));
    let run = bench.index().stderr();
    assert_eq!(reported(&run, "embedded"), 0, "text that is back is known: {run}");
    assert_eq!(bench.paths(&["marker004", "--lexical"]), ["note-004.md"]);
    bench.verify();
}

#[test]
fn content_decides_when_asked() {
    let bench = Bench::with_documents(3);
    bench.index();
    let path = bench.docs().join("note-000.md");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, note(0).replace("marker000", "marker999")).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    let docs = bench.docs().display().to_string();
    bench.run(&["index", "--checksum", &docs]).succeeded();
    assert_eq!(bench.paths(&["marker999", "--lexical"]), ["note-000.md"]);
}

#[test]
fn the_query_language_restricts() {
    let bench = Bench::new();
    bench.write("a/alpha.md", "# Alpha\n\nThe red pump failed with ERR_4711 in version v2.14.1 of flow_meter.");
    bench.write("b/beta.txt", "The blue pump works. Its pressure is red hot on Mondays, says nobody.");
    bench.write("b/gamma.md", "# 报销\n\n员工可以在三十天内提交差旅费报销申请。");
    bench.index();
    assert_eq!(bench.paths(&["ERR_4711", "--lexical"]), ["a/alpha.md"]);
    assert_eq!(bench.paths(&["v2.14.1", "--lexical"]), ["a/alpha.md"]);
    assert_eq!(bench.paths(&["flow_meter", "--lexical"]), ["a/alpha.md"]);
    assert_eq!(bench.paths(&["pumps", "--lexical"]).len(), 2, "stemmed");
    assert_eq!(bench.paths(&["\"red pump\""]), ["a/alpha.md"], "a phrase binds both retrievers");
    assert_eq!(bench.paths(&["pump -blue", "--lexical"]), ["a/alpha.md"]);
    assert!(!bench.paths(&["pump -blue"]).contains(&"b/beta.txt".to_string()), "an exclusion binds both retrievers");
    assert_eq!(bench.paths(&["pump type:text"]), ["b/beta.txt"]);
    assert_eq!(bench.paths(&["pump path:a/"]), ["a/alpha.md"]);
    assert_eq!(bench.paths(&["pump source:docs after:2001"]).len(), 3);
    assert!(bench.paths(&["pump before:2001"]).is_empty());
    assert_eq!(bench.paths(&["怎么报销差旅费"]).first().map(String::as_str), Some("b/gamma.md"));
    assert_eq!(bench.paths(&["\"差旅费\"", "--lexical"]), ["b/gamma.md"]);
}

#[test]
fn a_question_in_one_language_finds_a_page_in_the_other() {
    let bench = Bench::new();
    bench.write("en/expenses.md", "# Travel expenses\n\nHand in the receipts for trains and hotels to be reimbursed.");
    bench.write("en/news.md", "# Newsletter 2026\n\nThe canteen has a new menu in 2026, and the choir sings in 2026.");
    bench.write("en/pumps.md", "# Pumps\n\nThe workshop repairs pumps and valves.");
    bench.write("zh/leave.md", "# 年假规定\n\n每位员工每年有十天带薪年休假。");
    bench.index();
    assert_eq!(bench.paths(&["差旅费怎么报销"])[0], "en/expenses.md");
    assert_eq!(bench.paths(&["paid vacation days of employees"])[0], "zh/leave.md");
    assert!(bench.paths(&["差旅费怎么报销", "--lexical"]).is_empty(), "by no word");
}

/// The bundled model falls back to bytes for Thai: its vectors would put noise before the page that holds the words.
#[test]
fn a_script_that_the_model_does_not_know_is_searched_by_words() {
    let bench = Bench::new();
    bench.write("th.md", "# ค่าเดินทาง\n\nพนักงานเบิกค่าเดินทางได้ภายในสามสิบวัน");
    bench.write("en.md", "# Travel expenses\n\nHand in the receipts for trains and hotels.");
    bench.index();
    let results = &bench.search(&["เบิกค่าเดินทาง"])["results"];
    assert_eq!(results.as_array().unwrap().len(), 1, "{results}");
    assert_eq!(results[0]["path"], "th.md");
    let places = &results[0]["passages"][0];
    assert!(places["vector"].is_null() && !places["lexical"].is_null(), "{results}");
}

#[test]
fn bad_syntax_is_searched_as_plain_words_with_a_note() {
    let bench = Bench::with_documents(4);
    bench.index();
    let answer = bench.search(&["marker002 \"unclosed"]);
    assert_eq!(answer["results"][0]["path"], "note-002.md");
    assert!(!answer["notes"].as_array().unwrap().is_empty());
    let long = "marker001 ".repeat(10_000);
    let answer = bench.search(&[&long]);
    assert_eq!(answer["results"][0]["path"], "note-001.md");
    assert!(!answer["notes"].as_array().unwrap().is_empty());
}

#[test]
fn the_json_holds_ranks_scores_and_timings() {
    let bench = Bench::with_documents(8);
    bench.index();
    let answer = bench.search(&["leave and holidays marker001", "--top", "3"]);
    assert_eq!(answer["results"].as_array().unwrap().len(), 3);
    assert!(answer["total"].as_u64().unwrap() >= 3);
    assert!(answer["generation"].as_u64().unwrap() > 0);
    for stage in ["lexical_ms", "embed_ms", "vector_ms", "fuse_ms", "rerank_ms", "total_ms"] {
        assert!(answer["timings"][stage].is_f64(), "{stage}");
    }
    let passage = &answer["results"][0]["passages"][0];
    assert_eq!(passage["lexical"]["rank"], 1);
    assert!(passage["vector"]["score"].as_f64().unwrap() <= 1.0001);
    let snippet = passage["snippet"].as_str().unwrap();
    let spans = passage["highlights"].as_array().unwrap();
    assert!(!spans.is_empty());
    for span in spans {
        let at = |end: &str| usize::try_from(span[end].as_u64().unwrap()).unwrap();
        assert!(snippet.get(at("start")..at("end")).is_some_and(|text| !text.is_empty()));
    }
    let second = bench.search(&["leave and holidays marker001", "--top", "1", "--offset", "1"]);
    assert_eq!(second["results"][0]["path"], answer["results"][1]["path"]);
}

#[test]
fn each_leg_works_alone() {
    let bench = Bench::with_documents(8);
    bench.index();
    let retrievers = |answer: &Value| {
        let passage = answer["results"][0]["passages"][0].clone();
        (passage["lexical"].is_object(), passage["vector"].is_object())
    };
    assert_eq!(retrievers(&bench.search(&["vacation", "--semantic"])), (false, true));
    assert_eq!(retrievers(&bench.search(&["holidays", "--lexical"])), (true, false));
}

#[test]
fn a_reranker_scores_and_its_score_is_shown() {
    let bench = Bench::with_documents(8);
    bench.index();
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let answer = bench.search(&["--reranker", &reranker, "holidays and leave"]);
    assert!(answer["reranked"].as_u64().unwrap() > 0);
    let score = answer["results"][0]["passages"][0]["reranker"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&score));
    let plain = bench.search(&["--reranker", &reranker, "--no-rerank", "holidays and leave"]);
    assert_eq!(plain["reranked"], 0);
    assert!(plain["results"][0]["passages"][0]["reranker"].is_null());
}

#[test]
fn sources_are_kept_apart_and_can_be_removed() {
    let bench = Bench::with_documents(2);
    let other = bench.root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("note-000.md"), "# Other\n\nAnother text with marker000.").unwrap();
    bench.index();
    bench.run(&["index", &other.display().to_string(), "--name", "second"]).succeeded();
    assert_eq!(bench.paths(&["marker000", "--lexical"]).len(), 2);
    assert_eq!(bench.search(&["marker000 source:second", "--lexical"])["results"][0]["source"], "second");
    bench.run(&["remove", "second"]).succeeded();
    assert_eq!(bench.paths(&["marker000", "--lexical"]).len(), 1);
    bench.run(&["remove", "second"]).refused(&["there is no source", "docs"]);
    bench.verify();
}

#[test]
fn a_search_goes_on_while_another_process_writes() {
    let bench = Bench::with_documents(4);
    bench.index();
    let lock = fs::File::options().read(true).write(true).open(bench.data().join("LOCK")).unwrap();
    lock.lock().unwrap();
    let docs = bench.docs().display().to_string();
    bench.write("note-004.md", "# Late\n\nThe belated addendum.\n");
    let mut waiting = bench.command(&["index", &docs]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    // Kept until it ends: what it says later must go somewhere.
    let mut stderr = BufReader::new(waiting.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("writes to") && said.contains("waits until it is done"), "{said}");
    assert_eq!(bench.paths(&["marker002"]).first().map(String::as_str), Some("note-002.md"));
    let run = bench.run(&["search", "--in", &docs, "marker003"]).succeeded();
    assert!(run.stdout().contains("note-003.md") && run.stderr().contains("indexed last"), "{}", run.stderr());
    assert!(bench.run(&["status"]).succeeded().stdout().contains("writing"));
    assert_eq!(waiting.try_wait().unwrap(), None, "it waits");
    drop(lock);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(bench.paths(&["belated", "--lexical"]), ["note-004.md"]);
}

#[test]
fn another_model_is_refused_and_a_rebuild_takes_it() {
    let bench = Bench::with_documents(3);
    bench.index();
    let docs = bench.docs().display().to_string();
    bench.run(&["index", "--dimension", "128", &docs]).refused(&["nano", "--rebuild"]);
    bench.run(&["search", "--dimension", "128", "note"]).refused(&["built with the model"]);
    bench.run(&["index", "--dimension", "128", "--rebuild"]).succeeded();
    let answer = bench.run(&["search", "--dimension", "128", "--json", "marker001"]).succeeded();
    assert!(answer.stdout().contains("note-001.md"));
}

#[test]
fn bench_measures_the_models_without_a_download() {
    let bench = Bench::new();
    let args = ["bench", "models", "--shape", "nano", "--threads", "1", "--runs", "1", "--json"];
    let run = bench.run(&[&args[..], &["--only", "query,embed-64x64,gemm-16"]].concat()).succeeded();
    let report: serde_json::Value = serde_json::from_str(&run.stdout()).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let named = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    for name in ["query-1x16", "embed-64x64"] {
        let row = named(name);
        assert!(row["tokens_per_s"].as_f64().unwrap() > 0.0 && row["ms"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!((&row["shape"], &row["threads"]), (&"nano".into(), &1.into()), "{row}");
    }
    assert_eq!(named("embed-64x64")["precision"], "bf16");
    assert!(rows.iter().filter(|row| row["name"].as_str().unwrap().starts_with("gemm-16x")).count() >= 3, "{rows:?}");
    bench.run(&[&args[..], &["--only", "nothing"]].concat()).refused(&["expected the beginning of"]);
}

#[test]
fn a_gpu_that_this_build_cannot_use_is_refused_by_name() {
    let bench = Bench::with_documents(1);
    let docs = bench.docs().display().to_string();
    let run = bench.run(&["--device", "gpu", "index", &docs]);
    assert!(run.ended_well() && run.stderr().contains("expected auto, cpu, cuda or cuda:N"), "{}", run.stderr());
    if cfg!(not(feature = "cuda")) {
        bench.run(&["--device", "cuda:7", "index", &docs]).refused(&["build it with the feature cuda"]);
    }
    bench.run(&["--device", "auto", "index", &docs]).succeeded();
}

#[test]
fn an_answer_says_how_far_it_was_reranked() {
    let bench = Bench::with_documents(40);
    bench.index();
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let answer = bench.search(&["--reranker", &reranker, "--top", "3", "holidays"]);
    let (read, depth) = (answer["reranked"].as_u64().unwrap(), answer["rerank_depth"].as_u64().unwrap());
    assert!(read >= 3 && read <= depth, "{read} of {depth}");
    let state = answer["rerank_state"].as_str().unwrap();
    assert_eq!(state, if read == depth { "complete" } else { "settled" });
    assert_eq!(bench.search(&["--no-rerank", "--reranker", &reranker, "holidays"])["rerank_state"], "off");
}

#[test]
fn what_a_document_says_of_itself_is_searched() {
    let bench = Bench::new();
    bench.write(
        "leaving.md",
        "---\ntitle: Leaving\nkeywords: quitting, resignation\n---\n\nFill out the form before your last day.",
    );
    bench.write("other.md", "# Other\n\nNothing about that.");
    bench.index();
    assert_eq!(bench.paths(&["quitting", "--lexical"]), ["leaving.md"]);
}

#[test]
fn a_search_goes_on_behind_an_earlier_answer() {
    let bench = Bench::with_documents(12);
    bench.index();
    let paths = |answer: &Value| -> Vec<String> {
        let results = answer["results"].as_array().unwrap();
        results.iter().map(|hit| hit["path"].as_str().unwrap().to_string()).collect()
    };
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let behind: Vec<&str> = cursor.iter().flat_map(|cursor| ["--cursor", cursor]).collect();
        let page = bench.search(&[&["this note is about", "-n", "5"], behind.as_slice()].concat());
        seen.extend(paths(&page));
        cursor = page["next"].as_str().map(str::to_string);
        if cursor.is_none() {
            break;
        }
        assert!(seen.len() < 13, "{seen:?}");
    }
    assert_eq!(seen, paths(&bench.search(&["this note is about", "-n", "12"])));
    bench.run(&["search", "this note is about", "--cursor", "x"]).refused(&["cursor: expected the text of next"]);
    let both = bench.run(&["search", "note", "--cursor", "x", "--offset", "2"]);
    assert!(both.0.status.code() == Some(2) && both.stderr().contains("cannot be used with"), "{}", both.stderr());
}
