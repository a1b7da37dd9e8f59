//! Models elsewhere: what another server computes is as good as what is computed here, and what goes wrong there costs no more than
//! what it has to.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::model_server::{Conduct, ModelServer};
use crate::server::{Server, eventually};
use crate::support::{Bench, Run, fixture};

/// Vectors are made before a document is found.
const WITH_TEXT: &str = "[index]\nvectors = \"with-text\"";
const QUESTION: &str = "q=who+signs+off+travel+claims";

fn tokenizer() -> String {
    fixture("models/nano/tokenizer.json").display().to_string()
}

/// Settings with an embedding model at an endpoint.
fn embedding(endpoint: &str, more: &str) -> String {
    format!("[embedding]\nendpoint = \"{endpoint}\"\nmodel = \"stand-in\"\n{more}\n")
}

/// The command with a configuration file.
fn configured(bench: &Bench, config: &str, args: &[&str]) -> Run {
    let path = bench.root.path().join("elsewhere.toml");
    fs::write(&path, config).unwrap();
    bench.run(&[&["--config", path.to_str().unwrap()], args].concat())
}

fn docs(bench: &Bench) -> String {
    bench.docs().display().to_string()
}

/// Some documents and their index, made with a stand-in that behaves.
fn indexed(count: usize, more: &str) -> (Bench, ModelServer, String) {
    let bench = Bench::with_documents(count);
    let models = ModelServer::start(Conduct::Good);
    let config = embedding(&models.endpoint, more);
    configured(&bench, &config, &["index", &docs(&bench)]).succeeded();
    (bench, models, config)
}

fn notes(answer: &Value) -> String {
    answer["notes"].to_string()
}

/// Paths and scores of results.
fn ranking(server: &Server, query: &str) -> Vec<(String, f64)> {
    let answer = server.get(&format!("/api/v1/search?{query}&top=10&rerank_ms=20000")).expect(200);
    assert_eq!(notes(&answer), "[]", "{answer}");
    let results = answer["results"].as_array().unwrap().clone();
    results.iter().map(|hit| (hit["path"].as_str().unwrap().to_owned(), hit["score"].as_f64().unwrap())).collect()
}

fn vectors(server: &Server, texts: &[&str]) -> Vec<Vec<f64>> {
    let answer = server.send("POST", "/v1/embeddings", &json!({ "input": texts, "input_type": "query" })).expect(200);
    let numbers = |it: &Value| it["embedding"].as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect();
    answer["data"].as_array().unwrap().iter().map(numbers).collect()
}

fn alike(a: &[(String, f64)], b: &[(String, f64)]) {
    assert_eq!(a.len(), b.len(), "{a:?} {b:?}");
    for (one, other) in a.iter().zip(b) {
        assert!(one.0 == other.0 && (one.1 - other.1).abs() < 1e-4, "{a:?}\n{b:?}");
    }
}

#[test]
fn another_quarry_ranks_as_the_models_here_do() {
    let handbook = fixture("handbook").display().to_string();
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let near = Bench::new();
    let here = Server::start(&near, &["--reranker", &reranker, &handbook]).ready();
    let questions =
        [QUESTION, "q=how+many+days+of+holiday", "q=broken+printer&mode=semantic", "q=%E5%B7%AE%E6%97%85%E8%B4%B9"];
    // Another quarry forms queries itself; the shapes of others leave it to us, by the name of the model.
    let kinds = [("quarry", "nano", "quarry"), ("openai", "qwen3-nano", "cohere"), ("tei", "qwen3-nano", "tei")];
    for (embed, model, rerank) in kinds {
        let far = Bench::new();
        let endpoint = |kind: &str| match kind {
            "tei" | "quarry" => format!("http://{}", here.address),
            _ => format!("http://{}/v1", here.address),
        };
        let config = format!(
            "[embedding]\nendpoint = \"{}\"\nkind = \"{embed}\"\nmodel = \"{model}\"\ntokenizer = \"{tokenizer}\"\nmax_tokens = 8192\nquery_seconds = 60\n\
             [reranking]\nendpoint = \"{}\"\nkind = \"{rerank}\"\nmodel = \"tiny-reranker\"\ntokenizer = \"{tokenizer}\"\nmax_tokens = 8192\ntimeout_seconds = 60\n",
            endpoint(embed),
            endpoint(rerank),
            tokenizer = tokenizer(),
        );
        let there = Server::configured(&far, &config, &[&handbook]).ready();
        eventually("all vectors", || there.get("/api/v1/status").expect(200)["embedding"].is_null().then_some(()));
        for question in questions {
            alike(&ranking(&here, question), &ranking(&there, question));
        }
        let texts = ["who signs travel claims", "差旅费由谁签字"];
        for (one, other) in vectors(&here, &texts).iter().zip(vectors(&there, &texts)) {
            assert!(one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-5), "{embed}");
        }
        let status = there.get("/api/v1/status").expect(200);
        for place in ["model", "reranker"] {
            assert_eq!(status[place]["elsewhere"]["state"], "answering", "{status}");
            assert_eq!(status[place]["elsewhere"]["host"], here.address.as_str());
        }
        assert!(status["model"].get("precision").is_none() && status["model"]["name"] == model, "{status}");
        let page = there.get("/status").text;
        assert!(page.contains(&format!("elsewhere, at {}", here.address)) && page.contains("answers"), "{page}");
        assert_eq!(there.metric("model_away", "embedding"), 0.0);
        assert!(there.metric("model_batches", "reranker") > 0.0);
    }
}

#[test]
fn a_search_goes_on_by_words_whatever_is_wrong_and_heals() {
    let (bench, models, config) = indexed(8, "query_seconds = 1");
    let server = Server::configured(&bench, &config, &[]).ready();
    let by_words = server.paths("q=holidays+and+leave&mode=lexical");
    assert!(by_words.len() > 1);
    let faults = [
        (Conduct::Gone, "away"),
        (Conduct::Answers(500), "away"),
        (Conduct::Busy, "away"),
        (Conduct::CutOff, "away"),
        (Conduct::Slow(3_000), "away"),
        (Conduct::Page, "unusable"),
        (Conduct::Answers(401), "unusable"),
        (Conduct::Fewer, "unusable"),
        (Conduct::Narrow, "unusable"),
    ];
    for (number, (conduct, state)) in faults.into_iter().enumerate() {
        models.behave(conduct);
        // Each asks for another text, which is not known yet.
        let query = |at: usize| format!("/api/v1/search?q=holidays+and+leave+number{number}x{at}");
        let mut asked = 0;
        let answer = eventually(&format!("words alone: {conduct:?}"), || {
            asked += 1;
            let answer = server.get(&query(asked)).expect(200);
            notes(&answer).contains("by words alone").then_some(answer)
        });
        assert!(!answer["results"].as_array().unwrap().is_empty(), "{conduct:?}: {answer}");
        eventually(&format!("known to be {state}: {conduct:?}"), || {
            let status = server.get("/api/v1/status").expect(200);
            (status["model"]["elsewhere"]["state"] == state).then_some(())
        });
        assert_eq!(server.metric("model_away", "embedding"), 1.0, "{conduct:?}");
        models.behave(Conduct::Good);
        eventually(&format!("healed of {conduct:?}"), || {
            asked += 1;
            (notes(&server.get(&query(asked)).expect(200)) == "[]").then_some(())
        });
    }
    models.behave(Conduct::Gone);
    let semantic = server.get("/api/v1/search?q=leave+and+holidays+by+meaning&mode=semantic").expect(200);
    assert!(notes(&semantic).contains("by words alone") && semantic["total"].as_u64() > Some(0), "{semantic}");
    let page = server.get("/search?q=leave+and+holidays+once+more").text;
    assert!(page.contains("the model that compares meanings does not answer"), "{page}");
    let page = server.request("GET", "/search?q=leave+and+holidays+again", &[("accept-language", "zh")], &[]).text;
    assert!(page.contains("比较语义的模型暂时没有响应"), "{page}");
    let printed = configured(&bench, &config, &["search", "holidays"]).succeeded();
    assert!(printed.stderr().contains("searched by words alone"), "{}", printed.stderr());
    server.send("POST", "/v1/embeddings", &json!({ "input": "text" })).problem(503, "model-away");
}

#[test]
fn an_index_run_waits_for_the_model_and_loses_nothing() {
    let (whole, _models, _) = indexed(60, "");
    for fault in [Conduct::Gone, Conduct::Answers(503), Conduct::Busy, Conduct::CutOff] {
        let bench = Bench::with_documents(60);
        let models = ModelServer::start(Conduct::Good);
        let config = embedding(&models.endpoint, &format!("batch_texts = 4\nat_once = 1\n{WITH_TEXT}"));
        let path = bench.root.path().join("elsewhere.toml");
        fs::write(&path, &config).unwrap();
        // The probe is answered, and a few batches are; then it goes.
        let mut command =
            bench.command(&["--config", path.to_str().unwrap(), "index", "--commit-every", "10", &docs(&bench)]);
        let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("some batches", || (models.sent().len() > 4).then_some(()));
        models.behave(fault);
        let before = models.sent().len();
        eventually("asked again", || (models.sent().len() > before + 1).then_some(()));
        models.behave(Conduct::Good);
        Run(run.wait_with_output().unwrap()).succeeded();
        let (got, expected) = (bench.status(), whole.status());
        for number in ["documents", "chunks", "vectors"] {
            assert_eq!(got[number], expected[number], "{fault:?}");
        }
        let find =
            |bench: &Bench| configured(bench, &config, &["search", "--json", "marker017 rivers"]).succeeded().json();
        let paths = |answer: Value| {
            answer["results"].as_array().unwrap().iter().map(|it| it["path"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(paths(find(&bench)), paths(find(&whole)), "{fault:?}");
        bench.verify();
    }
}

#[test]
fn a_server_waits_says_so_stops_at_once_and_goes_on() {
    let (bench, models, config) = indexed(2, WITH_TEXT);
    models.behave(Conduct::Answers(503));
    (2..12).for_each(|number| bench.write(&format!("later-{number}.md"), &crate::support::note(number)));
    // The index is known to be of this model: it starts without it.
    let mut server = Server::configured(&bench, &config, &[]);
    let waiting = eventually("a job says what it waits for", || {
        let jobs = server.get("/api/v1/jobs").json();
        jobs["jobs"].as_array()?.iter().find_map(|job| job["waiting_for"].as_str().map(str::to_owned))
    });
    assert!(waiting.contains("does not answer: status 503"), "{waiting}");
    assert!(server.get("/status").text.contains("status 503"));
    assert!(notes(&server.get("/api/v1/search?q=marker001").expect(200)).contains("by words alone"));
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
    let server = Server::configured(&bench, &config, &[]);
    eventually("it waits again", || {
        let jobs = server.get("/api/v1/jobs").json();
        jobs["jobs"].as_array()?.iter().find(|job| job["waiting_for"].is_string()).map(drop)
    });
    models.behave(Conduct::Good);
    let server = server.ready();
    eventually("all are found", || (server.paths("q=marker011&mode=lexical") == ["later-11.md"]).then_some(()));
    let answer = eventually("meaning is back", || {
        let answer = server.get("/api/v1/search?q=marker011+of+the+set").expect(200);
        (notes(&answer) == "[]").then_some(answer)
    });
    assert!(answer["results"][0]["passages"][0]["vector"].is_object(), "{answer}");
}

#[test]
fn what_a_server_reads_while_the_model_is_away_is_found_by_its_words_and_by_its_meaning_later() {
    let (bench, models, config) = indexed(2, "");
    models.behave(Conduct::Answers(503));
    (2..12).for_each(|number| bench.write(&format!("later-{number}.md"), &crate::support::note(number)));
    let mut server = Server::configured(&bench, &config, &[]);
    eventually("found by its words", || (server.paths("q=marker011&mode=lexical") == ["later-11.md"]).then_some(()));
    assert!(notes(&server.get("/api/v1/search?q=marker001").expect(200)).contains("by words alone"));
    // Nothing of it holds up a folder that changes, a push, or the end.
    bench.write("after.md", "# After\n\nCassowaries arrive.\n");
    eventually("read beside it", || (server.paths("q=cassowaries&mode=lexical") == ["after.md"]).then_some(()));
    server.put("pushed.md", "# Pushed\n\nAn okapi arrives.\n").expect(200);
    assert_eq!(server.paths("q=okapi&mode=lexical"), ["pushed.md"]);
    let waiting = server.get("/api/v1/status").expect(200)["embedding"]["passages"].as_u64().unwrap();
    assert!(waiting >= 12, "{waiting}");
    assert_eq!(server.signal("-TERM"), Some(0));
    bench.verify();
    models.behave(Conduct::Good);
    let server = Server::configured(&bench, &config, &[]).ready();
    eventually("all vectors", || server.get("/api/v1/status").expect(200)["embedding"].is_null().then_some(()));
    let answer = server.get("/api/v1/search?q=okapi+of+the+set&mode=semantic&top=50").expect(200);
    assert_eq!(notes(&answer), "[]");
    assert!(answer["results"].as_array().unwrap().iter().any(|hit| hit["path"] == "pushed.md"), "{answer}");
}

#[test]
fn a_model_that_was_changed_is_refused() {
    let (bench, models, config) = indexed(8, "");
    let before = bench.status()["model"].clone();
    models.behave(Conduct::Another);
    bench.write("new.md", "# New\n\nSomething new about rivers.\n");
    let refused = configured(&bench, &config, &["index", &docs(&bench)]);
    refused.refused(&["stand-in is another model now", "cosine of", "quarry index --rebuild"]);
    let found = configured(&bench, &config, &["search", "--json", "marker003"]).succeeded().json();
    assert!(notes(&found).contains("by words alone") && found["results"][0]["path"] == "note-003.md", "{found}");
    let server = Server::configured(&bench, &config, &[]);
    eventually("the status says so", || {
        server.get("/api/v1/search?q=rivers").expect(200);
        let status = server.get("/api/v1/status").expect(200);
        status["model"]["elsewhere"]["reason"].as_str()?.contains("another model now").then_some(())
    });
    // It is asked again, and once it is the one that it was, all is well; but it may come back from a failure as another one.
    let mut asked = 0;
    let mut search = |server: &Server| {
        asked += 1;
        notes(&server.get(&format!("/api/v1/search?q=rivers+number{asked}")).expect(200))
    };
    models.behave(Conduct::Good);
    eventually("the same again", || (search(&server) == "[]").then_some(()));
    models.behave(Conduct::Gone);
    assert!(search(&server).contains("by words alone"));
    models.behave(Conduct::Another);
    eventually("another one came back", || {
        let answer = search(&server);
        let status = server.get("/api/v1/status").expect(200);
        assert!(answer.contains("by words alone"), "{answer}");
        (status["model"]["elsewhere"]["state"] == "unusable").then_some(())
    });
    drop(server);
    // Made anew, it is the index of the other model; and made anew again, still of that one.
    for _ in 0..2 {
        configured(&bench, &config, &["index", "--rebuild", &docs(&bench)]).succeeded();
        let after = bench.status()["model"].clone();
        assert!(after["name"] == before["name"] && after["fingerprint"] != before["fingerprint"], "{after}");
        let found = configured(&bench, &config, &["search", "--json", "new rivers"]).succeeded().json();
        assert_eq!(notes(&found), "[]");
    }
    models.behave(Conduct::Good);
    let found = configured(&bench, &config, &["search", "--json", "new rivers"]).succeeded().json();
    assert!(notes(&found).contains("by words alone"), "now the first one is a stranger");
}

#[test]
fn what_cannot_be_used_is_said_before_an_index_is_made() {
    let bench = Bench::with_documents(2);
    let models = ModelServer::start(Conduct::Good);
    let config = embedding(&models.endpoint, "query_seconds = 2");
    let index = |config: &str| configured(&bench, config, &["index", &docs(&bench)]);
    let faults: [(Conduct, &[&str]); 7] = [
        (Conduct::Gone, &["cannot use the embedding model elsewhere", "127.0.0.1:"]),
        (Conduct::Page, &["answers 200: a page for people", "check the address"]),
        (Conduct::Answers(401), &["answers 401", "the key"]),
        (Conduct::Answers(404), &["answers 404", "the name of the model"]),
        (Conduct::Fewer, &["expected 2 answers, got 1"]),
        (Conduct::Busy, &["status 429"]),
        (Conduct::CutOff, &["127.0.0.1:"]),
    ];
    for (conduct, parts) in faults {
        models.behave(conduct);
        index(&config).refused(parts);
        assert!(!bench.data().join("index.json").exists(), "{conduct:?}");
    }
    models.behave(Conduct::Good);
    index(&format!("dimension = 128\n{config}")).refused(&["its vectors have 64 values, fewer than the 128 to keep"]);
    index(&format!("model = \"nano\"\n{config}")).refused(&["there are two embedding models"]);
    index("[embedding]\nendpoint = \"http://gpu.example/v1\"\nmodel = \"m\"\n").refused(&[
        "embedding.endpoint",
        "unencrypted",
        "embedding.allow_remote_http = true",
    ]);
    let listed = configured(&bench, &config, &["models", "list"]).succeeded().stdout();
    assert!(listed.lines().any(|line| line.contains("stand-in") && line.contains("at http://127.0.0.1:")), "{listed}");
    let shown = configured(&bench, &config, &["config", "show"]).succeeded().stdout();
    assert!(shown.contains("[embedding]") && shown.contains("model = \"stand-in\""), "{shown}");
    index(&format!("dimension = 32\n{config}")).succeeded();
    assert_eq!(bench.status()["model"]["dimension"], 32);
}

#[test]
fn requests_are_cut_formed_and_signed_and_one_bad_text_fails_alone() {
    let bench = Bench::with_documents(9);
    bench.write("bad.md", "# Bad\n\nThis holds poison.\n");
    let models = ModelServer::start(Conduct::Plain);
    let key = bench.root.path().join("key");
    fs::write(&key, "sk-secret\n").unwrap();
    let more =
        "key_file = \"key\"\nbatch_texts = 8\nquery_form = \"query: {query}\"\ndocument_form = \"passage: {document}\"";
    let config = embedding(&models.endpoint, &format!("{more}\n{WITH_TEXT}"));
    configured(&bench, &config, &["index", &docs(&bench)]).succeeded();
    assert!(models.texts().iter().all(|text| text.starts_with("passage: ")));
    assert!(
        models
            .sent()
            .iter()
            .all(|sent| sent.key.as_deref() == Some("Bearer sk-secret") && sent.body["model"] == "stand-in")
    );
    assert!(
        models.sent().iter().any(|sent| sent.body.get("encoding_format").is_none()),
        "it was asked for numbers then"
    );
    configured(&bench, &config, &["search", "poison of holidays"]).succeeded();
    assert!(models.texts().contains(&"query: poison of holidays".to_owned()), "{:?}", models.texts().last());

    models.behave(Conduct::AtMost(2));
    (10..20).for_each(|number| bench.write(&format!("more-{number}.md"), &crate::support::note(number)));
    configured(&bench, &config, &["index", &docs(&bench)]).succeeded();
    assert!(bench.state("more-15.md")["indexed"].is_object());

    models.behave(Conduct::Poisoned);
    bench.write("bad.md", "# Bad\n\nThis holds more poison than before.\n");
    bench.write("good.md", "# Good\n\nThis holds none.\n");
    configured(&bench, &config, &["index", &docs(&bench)]).succeeded();
    let bad = bench.state("bad.md");
    assert!(bad["failed"]["error"].as_str().unwrap().contains("NaN or infinity"), "{bad}");
    assert!(bench.state("good.md")["indexed"].is_object());

    // Where vectors come later, it stays found by its words.
    bench.write("worse.md", "# Worse\n\nThis holds poison, too.\n");
    let run = configured(&bench, &embedding(&models.endpoint, more), &["index", &docs(&bench)]).succeeded();
    assert!(run.stderr().contains("found by their words alone"), "{}", run.stderr());
    let found = configured(&bench, &config, &["search", "--json", "--lexical", "worse"]).succeeded().json();
    assert_eq!(found["results"][0]["path"], "worse.md", "{found}");
    let status = bench.status();
    assert!(status["waiting"] == 0 && status["refused"] == 2, "nothing is waited for that cannot come: {status}");
}

#[test]
fn without_its_reranker_a_search_keeps_the_order_of_recall() {
    let bench = Bench::with_documents(12);
    let models = ModelServer::start(Conduct::Good);
    let config = format!(
        "[limits]\nrerank_ms = 20000\n[reranking]\nendpoint = \"{0}\"\nmodel = \"stand-in\"\ntimeout_seconds = 2\n\
         [answers]\nendpoint = \"{0}\"\nmodel = \"a-writer\"\n",
        models.endpoint
    );
    let server = Server::configured(&bench, &config, &[&docs(&bench)]).ready();
    let search = |words: &str| server.get(&format!("/api/v1/search?q={words}")).expect(200);
    let read = search("holidays+and+leave");
    assert!(read["reranked"].as_u64() > Some(0) && notes(&read) == "[]", "{read}");
    assert!(models.sent().iter().all(|sent| sent.path == "/v1/rerank"));
    for (conduct, words) in [
        (Conduct::Gone, "keys+and+badges"),
        (Conduct::Page, "keys+and+badges+of+notes"),
        (Conduct::Fewer, "invoices+and+payment"),
        (Conduct::Slow(5_000), "rivers+and+their+sensors"),
    ] {
        models.behave(conduct);
        let answer = search(words);
        assert_eq!(answer["rerank_state"], "away", "{conduct:?}: {answer}");
        assert!(notes(&answer).contains("the reranker does not answer"), "{answer}");
        let plain = server.get(&format!("/api/v1/search?q={words}&rerank_candidates=0")).expect(200);
        let paths = |answer: &Value| {
            answer["results"].as_array().unwrap().iter().map(|it| it["path"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(paths(&answer), paths(&plain), "{conduct:?}");
    }
    assert_eq!((server.metric("model_away", "reranker"), server.metric("model_away", "writer")), (1.0, 0.0));
    let writer = server.get("/api/v1/status").expect(200)["writer"].clone();
    assert!(writer["name"] == "a-writer" && writer["elsewhere"]["state"] == "unasked", "{writer}");
    let page = server.request("GET", "/search?q=keys+and+badges+again&close=1", &[("accept-language", "zh")], &[]).text;
    assert!(page.contains("重排模型暂时没有响应"), "{page}");
    models.behave(Conduct::Good);
    eventually("it is back", || {
        let answer = search("invoices+and+payment+of+notes");
        (answer["rerank_state"] != "away" && answer["reranked"].as_u64() > Some(0)).then_some(())
    });
}

#[test]
fn a_page_says_where_texts_go() {
    let (bench, models, config) = indexed(3, "");
    let server = Server::configured(&bench, &config, &[]).ready();
    assert!(server.get("/").text.contains("Nothing you type leaves this server."), "it is on this machine");
    drop(server);
    // The same model at an address that does not exist: nothing of it has to answer for the server to start.
    let config = config.replace(&models.endpoint, "http://gpu.invalid:9/v1") + "allow_remote_http = true\n";
    let server = Server::configured(&bench, &config, &[]).ready();
    let page = server.get("/").text;
    assert!(
        page.contains("Models on another server read what you type.") && !page.contains("leaves this server"),
        "{page}"
    );
    let answer = server.get("/api/v1/search?q=holidays").expect(200);
    assert!(notes(&answer).contains("by words alone"), "{answer}");
}
