//! `quarry models`: fetching from a stand-in hub that misbehaves in every way hubs do, offline folders, and the
//! self-check on sound and damaged models.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::gguf;
use crate::hub::{COMMIT, Manner, StandIn};
use crate::support::{Bench, Run, fixture};

const NANO: &str = "acme/Nano-Embedding";

/// The files of a fixture model, and some that nobody needs.
fn hub_files(model: &str) -> Vec<(String, Vec<u8>)> {
    let names = ["config.json", "tokenizer.json", "model.safetensors"];
    let read = |name: &str| (name.to_string(), fs::read(fixture("models").join(model).join(name)).unwrap());
    let extra = [("README.md", "# A model"), ("onnx/model.onnx", "not needed"), ("vocab.json", "{}")];
    names.into_iter().map(read).chain(extra.map(|(name, text)| (name.to_string(), text.into()))).collect()
}

fn hub(manner: Manner) -> StandIn {
    StandIn::start(NANO, hub_files("nano"), manner)
}

fn shelf(bench: &Bench) -> PathBuf {
    bench.root.path().join("models")
}

fn folder(bench: &Bench) -> PathBuf {
    shelf(bench).join(NANO)
}

fn models_command(bench: &Bench, args: &[&str]) -> Command {
    let mut command = bench.command(&["--models-dir"]);
    command.arg(shelf(bench)).arg("models").args(args);
    command
}

fn models(bench: &Bench, args: &[&str]) -> Run {
    Run(models_command(bench, args).output().unwrap())
}

fn pull(bench: &Bench, hub: &StandIn, args: &[&str]) -> Run {
    models(bench, &[&["pull", NANO, "--endpoint", &hub.endpoint], args].concat())
}

/// What is on the shelf is the fixture, file by file.
fn assert_whole(bench: &Bench) {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let same = fs::read(folder(bench).join(name)).unwrap() == fs::read(fixture("models/nano").join(name)).unwrap();
        assert!(same, "{name}");
    }
    let names = fs::read_dir(folder(bench)).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.count(), 4, "three files and the manifest");
    assert!(!has_parts(bench), "nothing unfinished is left");
}

fn has_parts(bench: &Bench) -> bool {
    fs::read_dir(shelf(bench).join(".partial")).is_ok_and(|mut entries| entries.next().is_some())
}

/// Bytes of the kept part of the weights.
fn kept(bench: &Bench) -> u64 {
    let staging = shelf(bench).join(".partial").join(NANO.replace('/', "--"));
    let entries = fs::read_dir(staging).into_iter().flatten().map(|entry| entry.unwrap());
    let mut parts = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("model.safetensors.") && name.ends_with(".part")
    });
    parts.next().map_or(0, |part| part.metadata().unwrap().len())
}

fn weights_size() -> u64 {
    fs::metadata(fixture("models/nano/model.safetensors")).unwrap().len()
}

fn copy_model(from: &str, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(fixture("models").join(from).join(name), to.join(name)).unwrap();
    }
}

fn verify(bench: &Bench, args: &[&str]) -> Value {
    let run = models(bench, &[&["verify", "--json"], args].concat());
    let report: Value = serde_json::from_str(&run.stdout()).unwrap_or_else(|_| panic!("{}", run.stderr()));
    assert_eq!(run.0.status.success(), report["passed"].as_bool().unwrap());
    report
}

fn outcome<'r>(report: &'r Value, check: &str) -> &'r str {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|it| it["name"] == check).map_or("absent", |it| it["outcome"].as_str().unwrap())
}

#[test]
fn a_model_is_fetched_used_checked_and_removed() {
    let (bench, hub) = (Bench::with_documents(3), hub(Manner::Good));
    let run = pull(&bench, &hub, &[]).succeeded();
    assert!(run.stdout().contains("is complete"), "{}", run.stdout());
    assert_whole(&bench);
    let asked: Vec<String> = hub.requests().into_iter().map(|request| request.target).collect();
    assert!(asked.iter().all(|target| !target.contains("onnx") && !target.contains("README")), "{asked:?}");
    let by_commit = format!("/{NANO}/resolve/{COMMIT}/config.json");
    assert!(asked.contains(&by_commit), "files are asked for at the commit of the list: {asked:?}");
    let manifest: Value = serde_json::from_slice(&fs::read(folder(&bench).join("quarry-model.json")).unwrap()).unwrap();
    assert_eq!((manifest["commit"].as_str(), manifest["revision"].as_str()), (Some(COMMIT), Some("main")));
    let checked: Vec<&str> =
        manifest["files"].as_array().unwrap().iter().map(|f| f["checked"].as_str().unwrap()).collect();
    assert_eq!(checked, ["git sha1", "git sha1", "sha256"]);

    let again = pull(&bench, &hub, &[]).succeeded();
    assert!(again.stdout().contains("complete already"), "{}", again.stdout());
    assert_eq!(hub.requests_of("model.safetensors").len(), 2, "the redirect and the file, once");

    let path = models(&bench, &["path", NANO]).succeeded().stdout();
    assert_eq!(Path::new(path.trim()), folder(&bench));
    let list: Value = serde_json::from_str(&models(&bench, &["list", "--json"]).succeeded().stdout()).unwrap();
    let row = list["models"].as_array().unwrap().iter().find(|row| row["name"] == NANO).unwrap();
    assert!(row["present"] == true && row["bytes"].as_u64().unwrap() > weights_size(), "{row}");
    assert!(models(&bench, &["list"]).succeeded().stdout().contains("qwen3-reranker-8b"));

    let report = verify(&bench, &[NANO]);
    for check in ["files", "weights", "golden", "batch", "precision"] {
        assert_eq!(outcome(&report, check), "pass", "{report:#}");
    }
    models(&bench, &["remove", NANO]).succeeded();
    assert!(!folder(&bench).exists() && !shelf(&bench).join("acme").exists());
    models(&bench, &["path", NANO]).refused(&["not on this machine", "models pull acme/Nano-Embedding"]);
    models(&bench, &["remove", NANO]).refused(&["not on this machine"]);
}

#[test]
fn a_cut_connection_is_continued_in_the_same_run() {
    let (bench, hub) = (Bench::new(), hub(Manner::CutsOnce));
    pull(&bench, &hub, &[]).succeeded();
    assert_whole(&bench);
    let starts: Vec<Option<usize>> = hub.requests_of("cdn/model.safetensors").iter().map(|it| it.from).collect();
    assert_eq!(starts, [None, Some(weights_size() as usize / 2)]);
}

#[test]
fn a_cut_download_is_kept_and_the_next_pull_continues() {
    let (bench, hub) = (Bench::new(), hub(Manner::CutsAlways));
    pull(&bench, &hub, &["--retries", "0"]).refused(&["cut off after", "kept", "same command continues"]);
    assert_eq!(kept(&bench), weights_size() / 2);
    assert!(!folder(&bench).exists(), "a model that is not whole is not on the shelf");
    models(&bench, &["path", NANO]).refused(&["not on this machine"]);
    // A hub that is down costs nothing of it.
    hub.behave(Manner::Answers(500));
    pull(&bench, &hub, &["--retries", "0"]).refused(&["500", "try again later"]);
    assert_eq!(kept(&bench), weights_size() / 2);
    hub.behave(Manner::Good);
    pull(&bench, &hub, &[]).succeeded();
    assert_whole(&bench);
    let last = hub.requests_of("cdn/model.safetensors").pop().unwrap();
    assert_eq!(last.from, Some(weights_size() as usize / 2));
    assert_eq!(hub.requests_of("config.json").len(), 1, "a finished file is not fetched again");
}

#[test]
fn a_part_that_does_not_fit_is_fetched_anew() {
    let (bench, hub) = (Bench::new(), hub(Manner::CutsAlways));
    pull(&bench, &hub, &["--retries", "0"]).refused(&["cut off"]);
    let staging = shelf(&bench).join(".partial").join(NANO.replace('/', "--"));
    let entries = fs::read_dir(&staging).unwrap().map(|entry| entry.unwrap().path());
    let part = entries.into_iter().find(|path| path.extension().is_some_and(|end| end == "part")).unwrap();
    let mut bytes = fs::read(&part).unwrap();
    bytes[1000] ^= 1;
    fs::write(&part, bytes).unwrap();
    hub.behave(Manner::Good);
    pull(&bench, &hub, &[]).succeeded();
    assert_whole(&bench);
}

#[test]
fn a_server_without_ranges_is_asked_for_all_of_it_again() {
    let (bench, hub) = (Bench::new(), hub(Manner::IgnoresRanges));
    pull(&bench, &hub, &[]).succeeded();
    assert_whole(&bench);
}

#[test]
fn a_damaged_download_is_refused_and_deleted() {
    let (bench, hub) = (Bench::new(), hub(Manner::Corrupts));
    pull(&bench, &hub, &[]).refused(&["model.safetensors arrived damaged", "expected sha256", "deleted"]);
    assert!(!folder(&bench).exists());
    assert_eq!(kept(&bench), 0);
    hub.behave(Manner::Good);
    pull(&bench, &hub, &[]).succeeded();
    assert_whole(&bench);
}

#[test]
fn plain_mirrors_serve_too() {
    for manner in [Manner::Plain, Manner::NoLength] {
        let (bench, hub) = (Bench::new(), hub(manner));
        let run = pull(&bench, &hub, &[]).succeeded();
        assert!(run.stderr().contains("no checksum for 3 files"), "{}", run.stderr());
        assert_whole(&bench);
        let asked = hub.requests_of("model.safetensors").len();
        let again = pull(&bench, &hub, &[]).succeeded();
        assert!(again.stdout().contains("complete already"), "{}", again.stdout());
        assert!(hub.requests_of("model.safetensors").len() <= asked + 2, "asked about, not fetched");
    }
}

#[test]
fn a_cut_that_no_length_betrays_is_noticed_by_the_files_themselves() {
    let (bench, hub) = (Bench::new(), hub(Manner::CutsUnseen));
    pull(&bench, &hub, &[]).refused(&["no whole model", "is no JSON"]);
    assert!(!folder(&bench).exists());
    hub.behave(Manner::Plain);
    pull(&bench, &hub, &[]).succeeded();
    assert_whole(&bench);
}

#[test]
fn a_sharded_model_comes_whole_from_any_hub() {
    let golden = fixture("golden/embed-sharded");
    let names = [
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    let mut files: Vec<_> = names.map(|name| (name.to_string(), fs::read(golden.join(name)).unwrap())).into();
    files.push(("tokenizer.json".to_string(), fs::read(fixture("models/tiny-reranker/tokenizer.json")).unwrap()));
    for manner in [Manner::Good, Manner::Plain] {
        let (bench, hub) = (Bench::new(), StandIn::start(NANO, files.clone(), manner));
        pull(&bench, &hub, &[]).succeeded();
        for name in names {
            assert_eq!(fs::read(folder(&bench).join(name)).unwrap(), fs::read(golden.join(name)).unwrap(), "{name}");
        }
    }
}

#[test]
fn a_gguf_variant_is_fetched_and_checked() {
    let bytes = gguf::from_folder(&fixture("models/tiny-reranker"));
    let files = vec![
        ("Tiny-Reranker-F32.gguf".to_string(), bytes.clone()),
        ("Tiny-Reranker-Q8_0.gguf".to_string(), b"GGUF, cut".to_vec()),
    ];
    let name = "acme/Tiny-Reranker-GGUF";
    for manner in [Manner::Good, Manner::Plain] {
        let (bench, hub) = (Bench::new(), StandIn::start(name, files.clone(), manner));
        let pull = |variant: &str| models(&bench, &["pull", &format!("{name}{variant}"), "--endpoint", &hub.endpoint]);
        pull("").refused(&["VARIANT"]);
        pull(":Q4_K_M").refused(&["Q4_K_M"]);
        pull(":Q8_0").refused(&["no whole model"]);
        pull(":F32").succeeded();
        let path = models(&bench, &["path", &format!("{name}:f32")]).succeeded().stdout();
        assert_eq!(fs::read(path.trim()).unwrap(), bytes);
        models(&bench, &["path", &format!("{name}:Q8_0")]).refused(&["not on this machine"]);
        // A tokenizer.json beside the file goes before the one in it, which this small file lacks.
        let folder = shelf(&bench).join(name);
        fs::copy(fixture("models/tiny-reranker/tokenizer.json"), folder.join("tokenizer.json")).unwrap();
        let report = verify(&bench, &[name]);
        assert_eq!((report["passed"].as_bool(), outcome(&report, "files")), (Some(true), "pass"), "{report:#}");
        models(&bench, &["remove", &format!("{name}:F32")]).succeeded();
        assert!(!folder.exists());
    }
}

#[test]
fn refusals_say_what_to_do() {
    let (bench, hub) = (Bench::new(), hub(Manner::Answers(401)));
    pull(&bench, &hub, &[]).refused(&["401", "no such repository", "HF_TOKEN"]);
    hub.behave(Manner::Answers(404));
    pull(&bench, &hub, &[]).refused(&["config.json", "check the name"]);
    hub.behave(Manner::Answers(503));
    pull(&bench, &hub, &["--retries", "0"]).refused(&["503"]);
    hub.behave(Manner::Good);
    models(&bench, &["pull", "acme/other", "--endpoint", &hub.endpoint]).refused(&["has no", "acme/other"]);
    models(&bench, &["pull", "qwen9"]).refused(&["unknown model", "qwen3-embedding-0.6b"]);
    models(&bench, &["pull", "nano"]).refused(&["inside this binary"]);
    models(&bench, &["pull", NANO, "--endpoint", "localhost"]).refused(&["web address"]);
    assert!(!has_parts(&bench) && !folder(&bench).exists());
}

#[test]
fn the_token_and_the_revision_reach_the_hub() {
    let (bench, hub) = (Bench::new(), hub(Manner::Good));
    let mut command = models_command(&bench, &["pull", NANO, "--revision", "v1.0"]);
    let run = command.env("HF_TOKEN", "hf_secret").env("HF_ENDPOINT", &hub.endpoint).output().unwrap();
    Run(run).succeeded();
    let requests = hub.requests();
    assert!(requests[0].target.contains("/revision/v1.0"), "{}", requests[0].target);
    // The hub gets the token, the host that it redirects to does not.
    for request in &requests {
        let expected = (!request.target.starts_with("/cdn/")).then_some("Bearer hf_secret");
        assert_eq!(request.token.as_deref(), expected, "{}", request.target);
    }
    assert!(requests.iter().any(|request| request.target.starts_with("/cdn/")));
    models(&bench, &["path", &format!("{NANO}@v1.0")]).succeeded();
    models(&bench, &["path", &format!("{NANO}@v2.0")]).refused(&["holds revision v1.0", "models pull"]);
}

#[test]
fn without_a_network_the_files_and_their_place_are_named() {
    let bench = Bench::new();
    // A port where nothing listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let place = shelf(&bench).join("Qwen/Qwen3-Embedding-0.6B").display().to_string();
    let base = format!("{endpoint}/Qwen/Qwen3-Embedding-0.6B/resolve/main");
    let files = ["config.json", "tokenizer.json", "model.safetensors"].map(|file| format!("{base}/{file}"));
    let message: Vec<&str> = files.iter().map(String::as_str).chain(["cannot reach", &place, "--endpoint"]).collect();
    models(&bench, &["pull", "qwen3-embedding-0.6b", "--endpoint", &endpoint]).refused(&message);
}

#[test]
fn searches_never_fetch_and_say_what_to_do() {
    let bench = Bench::with_documents(1);
    let (docs, shelf) = (bench.docs().display().to_string(), shelf(&bench).display().to_string());
    let run = bench.run(&["--models-dir", &shelf, "--model", "qwen3-embedding-4b", "index", &docs]);
    let command = format!("quarry --models-dir {shelf} models pull qwen3-embedding-4b");
    run.refused(&["not on this machine", &command, "config.json", "Qwen/Qwen3-Embedding-4B"]);
    let run = bench.run(&["--models-dir", &shelf, "--reranker", "Qwen/Qwen3-Reranker-0.6B", "index", &docs]);
    run.succeeded();
    let run = bench.run(&["--models-dir", &shelf, "--reranker", "Qwen/Qwen3-Reranker-0.6B", "search", "rivers"]);
    run.refused(&["models pull qwen3-reranker-0.6b"]);
    bench.run(&["--model", "./no/such", "index", &docs]).refused(&["no such folder or file"]);
}

#[test]
fn a_folder_copied_by_hand_is_a_model_by_name() {
    let bench = Bench::with_documents(5);
    copy_model("nano", &shelf(&bench).join("Qwen/Qwen3-Embedding-0.6B"));
    copy_model("tiny-reranker", &shelf(&bench).join("Qwen/Qwen3-Reranker-0.6B"));
    let (docs, shelf) = (bench.docs().display().to_string(), shelf(&bench).display().to_string());
    let named = ["--models-dir", &shelf, "--model", "qwen3-embedding-0.6b", "--reranker", "qwen3-reranker-0.6b"];
    bench.run(&[&named[..], &["index", &docs]].concat()).succeeded();
    let run = bench.run(&[&named[..], &["search", "--json", "marker003"]].concat()).succeeded();
    let answer: Value = serde_json::from_str(&run.stdout()).unwrap();
    assert_eq!(answer["results"][0]["path"], "note-003.md", "{answer:#}");
    // What a person put there is not written over.
    models(&bench, &["pull", "qwen3-embedding-0.6b", "--endpoint", "http://127.0.0.1:9"]).refused(&["cannot reach"]);
    let hub = StandIn::start("Qwen/Qwen3-Embedding-0.6B", hub_files("nano"), Manner::Good);
    let run = models(&bench, &["pull", "qwen3-embedding-0.6b", "--endpoint", &hub.endpoint]);
    run.refused(&["put by hand", "models verify", "models remove"]);
}

#[test]
fn a_path_wins_over_a_name_and_says_so() {
    let bench = Bench::with_documents(1);
    copy_model("nano", &bench.root.path().join("nano"));
    let mut command = bench.command(&["--model", "nano", "index"]);
    let run = Run(command.arg(bench.docs()).current_dir(bench.root.path()).output().unwrap()).succeeded();
    assert!(run.stderr().contains("taken as the path ./nano"), "{}", run.stderr());
    let run = bench.run(&["--model", "nano", "search", "rivers"]).succeeded();
    assert!(!run.stderr().contains("note:"), "{}", run.stderr());
}

#[test]
fn a_full_disk_names_the_file_and_the_bytes() {
    let (bench, hub) = (Bench::new(), hub(Manner::Good));
    // No file may grow beyond 4 MiB: a write then fails as it does on a full disk.
    let pull = models_command(&bench, &["pull", NANO, "--endpoint", &hub.endpoint]);
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -f 4096; trap '' XFSZ; exec \"$@\"", "bash"]).arg(pull.get_program());
    let run = Run(command.args(pull.get_args()).output().unwrap());
    let missing = format!("{} more bytes are needed", weights_size() - (4 << 20));
    run.refused(&["cannot write", "model.safetensors", &missing, "--models-dir"]);
    assert_eq!(kept(&bench), 4 << 20);
    models(&bench, &["pull", NANO, "--endpoint", &hub.endpoint]).succeeded();
    assert_whole(&bench);
}

#[test]
fn two_pulls_of_a_model_do_not_mix() {
    let (bench, hub) = (Bench::new(), hub(Manner::Good));
    let staging = shelf(&bench).join(".partial").join(NANO.replace('/', "--"));
    fs::create_dir_all(&staging).unwrap();
    let lock = fs::File::create(staging.join("lock")).unwrap();
    lock.lock().unwrap();
    pull(&bench, &hub, &[]).refused(&["another pull of this model runs"]);
    drop(lock);
    pull(&bench, &hub, &[]).succeeded();
    assert_whole(&bench);
}

#[test]
fn another_revision_replaces_the_folder_whole() {
    let (bench, hub) = (Bench::new(), hub(Manner::Good));
    pull(&bench, &hub, &[]).succeeded();
    let mut files = hub_files("nano");
    files[0].1.push(b'\n');
    let newer = StandIn::start(NANO, files.clone(), Manner::Good);
    pull(&bench, &newer, &["--revision", "v2"]).succeeded();
    assert_eq!(fs::read(folder(&bench).join("config.json")).unwrap(), files[0].1);
    models(&bench, &["path", &format!("{NANO}@v2")]).succeeded();
    assert!(!has_parts(&bench));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let (bench, hub) = (Bench::new(), hub(Manner::Good));
    fs::write(shelf(&bench), "a file where the folder should be").unwrap();
    pull(&bench, &hub, &[]).refused(&["cannot make the folder", "--models-dir"]);
}

#[test]
fn the_bundled_model_and_a_reranker_pass_the_self_check() {
    let bench = Bench::new();
    let report = verify(&bench, &[]);
    assert_eq!((report["passed"].as_bool(), report["kind"].as_str()), (Some(true), Some("embedding")), "{report:#}");
    assert_eq!((outcome(&report, "files"), outcome(&report, "golden")), ("skipped", "pass"));
    let reranker = fixture("models/tiny-reranker").display().to_string();
    let report = verify(&bench, &[&reranker]);
    assert_eq!((report["passed"].as_bool(), report["kind"].as_str()), (Some(true), Some("reranker")), "{report:#}");
    assert_eq!((outcome(&report, "batch"), outcome(&report, "golden")), ("pass", "skipped"));
    let text = models(&bench, &["verify", "--skip", "golden,precision"]).succeeded().stdout();
    assert!(text.contains("pass") && text.contains("left out by --skip"), "{text}");
}

#[test]
fn the_kind_of_a_model_is_asked_for_where_nothing_tells_it() {
    let bench = Bench::new();
    let model = bench.root.path().join("some-model");
    copy_model("tiny-reranker", &model);
    let model = model.display().to_string();
    models(&bench, &["verify", &model]).refused(&["--kind"]);
    assert_eq!(verify(&bench, &[&model, "--kind", "reranker"])["passed"], true);
}

#[test]
fn damage_fails_the_self_check() {
    let (bench, hub) = (Bench::new(), hub(Manner::Good));
    pull(&bench, &hub, &[]).succeeded();
    let weights = folder(&bench).join("model.safetensors");
    let sound = fs::read(&weights).unwrap();
    let mut flipped = sound.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&weights, flipped).unwrap();
    let report = verify(&bench, &[NANO]);
    assert_eq!((report["passed"].as_bool(), outcome(&report, "files")), (Some(false), "fail"), "{report:#}");
    fs::write(&weights, &sound[..sound.len() / 2]).unwrap();
    let report = verify(&bench, &[NANO]);
    assert_eq!(outcome(&report, "open"), "fail", "{report:#}");
    assert!(models(&bench, &["verify", NANO]).0.status.code() == Some(1));
}

#[test]
fn other_results_than_the_published_fail_the_self_check() {
    let bench = Bench::new();
    let model = bench.root.path().join("nano-embedding");
    copy_model("nano", &model);
    // Two words of the tokenizer change places: a sound model, but not the one whose results are known.
    let tokenizer = fs::read_to_string(model.join("tokenizer.json")).unwrap();
    let key = |word: &str| format!("\"Ġ{word}\":");
    assert!(tokenizer.contains(&key("gravity")) && tokenizer.contains(&key("capital")));
    let swapped = tokenizer.replace(&key("gravity"), &key("@@@")).replace(&key("capital"), &key("gravity"));
    fs::write(model.join("tokenizer.json"), swapped.replace(&key("@@@"), &key("capital"))).unwrap();
    let report = verify(&bench, &[&model.display().to_string()]);
    assert_eq!((report["passed"].as_bool(), outcome(&report, "golden")), (Some(false), "fail"), "{report:#}");
    let report = verify(&bench, &[&model.display().to_string(), "--skip", "golden"]);
    assert_eq!(report["passed"], true, "{report:#}");
}

#[test]
fn a_weight_that_is_no_number_fails_the_self_check() {
    let bench = Bench::new();
    let model = bench.root.path().join("tiny-reranker");
    copy_model("tiny-reranker", &model);
    let path = model.join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let header_length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + header_length]).unwrap();
    let norm = &header["model.norm.weight"];
    assert_eq!(norm["dtype"], "F32", "{header}");
    let at = 8 + header_length + norm["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let report = verify(&bench, &[&model.display().to_string()]);
    assert_eq!((report["passed"].as_bool(), outcome(&report, "weights")), (Some(false), "fail"), "{report:#}");
    assert!(report.to_string().contains("1 of 64 values of model.norm.weight"), "{report:#}");
}
