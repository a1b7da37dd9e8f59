//! Tests of repositories: folders of this machine, and the server that git brings.

use std::process::Command;

use super::*;
use crate::{Limits, Mirror, SyncReport};

const LIMITS: Limits = Limits { files: 100, file_bytes: 1_000, bytes: 1 << 20, time: Duration::from_secs(60) };

/// A repository with a working tree.
struct Origin(tempfile::TempDir);

impl Origin {
    fn new() -> Self {
        let origin = Self(tempfile::tempdir().unwrap());
        origin.git(&["init", "--quiet", "--initial-branch=main"]);
        origin
    }

    fn git(&self, words: &[&str]) {
        let status = Command::new("git")
            .current_dir(self.0.path())
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@a.example", "-c", "commit.gpgsign=false"])
            .args(words)
            .env("GIT_AUTHOR_DATE", "2024-05-03T10:20:30Z")
            .env("GIT_COMMITTER_DATE", "2024-05-03T10:20:30Z")
            .status();
        assert!(status.unwrap().success(), "{words:?}");
    }

    fn commit(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            let place = self.0.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "more"]);
    }

    fn settings(&self) -> Settings {
        Settings::at(format!("git+file://{}", self.0.path().display()))
    }
}

fn sync(folder: &Path, settings: &Settings) -> Result<SyncReport, ConnectError> {
    let stop = Arc::new(AtomicBool::new(false));
    settings.check()?;
    let (_, url) = settings.parsed()?;
    let mut mirror = Mirror::open(folder, LIMITS)?;
    let mut git = Git::new(settings, url, folder, Arc::clone(&stop))?;
    mirror.sync(&mut git, &(), &stop)
}

fn text(folder: &Path, path: &str) -> Option<String> {
    fs::read_to_string(folder.join("files").join(path)).ok()
}

#[test]
fn a_branch_is_followed_by_what_changes_in_it() {
    let (origin, folder) = (Origin::new(), tempfile::tempdir().unwrap());
    origin.commit(&[
        ("README.md", "# One"),
        ("docs/a b.md", "two"),
        (".github/x.yml", "no"),
        ("big.txt", &"x".repeat(2_000)),
    ]);
    let report = sync(folder.path(), &origin.settings()).unwrap();
    assert_eq!((report.fetched, report.unwanted, report.failed), (2, 1, 1), "{report:?}");
    assert!(report.problems[0].contains("big.txt: it has more than 1000 bytes"));
    assert_eq!(text(folder.path(), "docs/a b.md").as_deref(), Some("two"), "what comes behind a large one is whole");
    fs::remove_file(origin.0.path().join("big.txt")).unwrap();
    origin.commit(&[("README.md", "# One, again")]);
    let report = sync(folder.path(), &origin.settings()).unwrap();
    assert_eq!((report.fetched, report.unchanged, report.removed), (1, 1, 0));
    fs::remove_file(origin.0.path().join("docs/a b.md")).unwrap();
    origin.commit(&[]);
    assert_eq!(sync(folder.path(), &origin.settings()).unwrap().removed, 1);
    assert_eq!(text(folder.path(), "README.md").as_deref(), Some("# One, again"));
    // History that was written anew is followed, too.
    origin.git(&["checkout", "--quiet", "--orphan", "fresh"]);
    origin.commit(&[("README.md", "# Anew")]);
    origin.git(&["branch", "--quiet", "--force", "main", "fresh"]);
    origin.git(&["checkout", "--quiet", "main"]);
    assert_eq!(sync(folder.path(), &origin.settings()).unwrap().fetched, 1);
    assert_eq!(text(folder.path(), "README.md").as_deref(), Some("# Anew"));
}

#[test]
fn a_branch_and_a_folder_may_be_named() {
    let (origin, folder) = (Origin::new(), tempfile::tempdir().unwrap());
    origin.commit(&[("docs/a.md", "old"), ("src/b.rs", "fn b() {}")]);
    origin.git(&["checkout", "--quiet", "-b", "next"]);
    origin.commit(&[("docs/a.md", "new")]);
    origin.git(&["checkout", "--quiet", "main"]);
    let settings = Settings { branch: Some("next".into()), folder: Some("docs/".into()), ..origin.settings() };
    assert_eq!(sync(folder.path(), &settings).unwrap().fetched, 1);
    assert_eq!((text(folder.path(), "docs/a.md").as_deref(), text(folder.path(), "src/b.rs")), (Some("new"), None));
    let none = Settings { folder: Some("wiki".into()), ..settings.clone() };
    let error = sync(folder.path(), &none).unwrap_err().to_string();
    assert!(error.contains("folder: expected a folder of the repository"), "{error}");
    let none = Settings { branch: Some("none".into()), ..settings };
    let error = sync(folder.path(), &none).unwrap_err().to_string();
    assert!(error.contains("git: ") && error.contains("none"), "{error}");
    assert_eq!(text(folder.path(), "docs/a.md").as_deref(), Some("new"), "what was there is kept");
}

#[test]
fn links_and_hooks_of_a_repository_do_nothing() {
    let (origin, folder) = (Origin::new(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink("/etc/passwd", origin.0.path().join("passwd.md")).unwrap();
    origin.commit(&[("a.md", "one"), (".gitattributes", "* filter=evil text eol=crlf")]);
    let report = sync(folder.path(), &origin.settings()).unwrap();
    assert_eq!(report.fetched, 1);
    assert_eq!((text(folder.path(), "a.md").as_deref(), text(folder.path(), "passwd.md")), (Some("one"), None));
}

#[test]
fn the_program_is_told_no_secret_by_its_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "hunter2").unwrap();
    let settings = Settings {
        allow_private: true,
        user: Some("me".into()),
        password_file: Some(secret),
        ..Settings::at("git+https://localhost:9/a.git")
    };
    let (_, url) = settings.parsed().unwrap();
    let git = Git::new(&settings, url, folder.path(), Arc::default()).unwrap();
    let command = git.command(&["fetch"], Of::Repository);
    let arguments: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    assert!(!arguments.join(" ").contains("bWU6aHVudGVyMg"), "{arguments:?}");
    let told: Vec<String> = git.environment.iter().map(|(_, value)| value.clone()).collect();
    assert!(told.contains(&"Authorization: Basic bWU6aHVudGVyMg==".to_owned()));
    assert!(told.contains(&"http.https://localhost:9/a.git.extraHeader".to_owned()));
    assert!(told.iter().any(|value| value.starts_with("localhost:9:")), "{told:?}");
    let refused = Settings { allow_private: false, ..settings.clone() };
    let (_, url) = refused.parsed().unwrap();
    assert!(matches!(Git::new(&refused, url, folder.path(), Arc::default()).err(), Some(ConnectError::Private { .. })));
    let error = sync(folder.path(), &settings).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("bWU6"), "{error:?}");
}

/// `git daemon`, until the test ends.
struct Daemon(std::process::Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_is_asked_by_its_protocol() {
    let (origin, folder) = (Origin::new(), tempfile::tempdir().unwrap());
    origin.commit(&[("a.md", "one")]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let root = origin.0.path().display().to_string();
    // By its own name: `git daemon` would leave it running.
    let programs = Command::new("git").arg("--exec-path").output().unwrap().stdout;
    let daemon = Command::new(Path::new(String::from_utf8(programs).unwrap().trim()).join("git-daemon"))
        .args(["--reuseaddr", "--export-all", "--listen=127.0.0.1"])
        .arg(format!("--port={port}"))
        .arg(format!("--base-path={root}"))
        .arg(&root)
        .stderr(Stdio::null())
        .spawn();
    let _daemon = Daemon(daemon.unwrap());
    let settings = Settings { allow_private: true, ..Settings::at(format!("git://127.0.0.1:{port}/.git")) };
    let is_up = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    (0..200).take_while(|_| !is_up()).for_each(|_| std::thread::sleep(Duration::from_millis(50)));
    let report = sync(folder.path(), &settings).unwrap();
    assert_eq!((report.fetched, text(folder.path(), "a.md").as_deref()), (1, Some("one")));
    assert_eq!(sync(folder.path(), &settings).unwrap().unchanged, 1);
}
