//! Tests against a stand-in of a mail server: folders, numbers, what is gone, and what is no mail server.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::mirror::{Limits, Mirror, SyncReport};

const LIMITS: Limits = Limits { files: 100, file_bytes: 1 << 20, bytes: 1 << 24, time: Duration::from_secs(60) };

/// A folder: its attributes, its validity, and its messages by number.
#[derive(Default, Clone)]
struct Box {
    attributes: &'static str,
    validity: u32,
    messages: BTreeMap<u32, String>,
}

#[derive(Default)]
struct State {
    folders: BTreeMap<&'static str, Box>,
    asked: Vec<String>,
    greeting: Option<&'static str>,
    /// What is answered to commands that begin so, in the place of all else.
    instead: Vec<(&'static str, &'static str)>,
    /// Whether the connection is closed before the next message is sent.
    breaks: bool,
}

struct Server {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    fn start(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, state }
    }

    fn settings(&self, path: &str, secret: &Path) -> Settings {
        Settings {
            user: Some("anna".to_owned()),
            password_file: Some(secret.to_path_buf()),
            allow_private: true,
            pause_ms: 0,
            ..Settings::at(format!("imap://{}{path}", self.address))
        }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    let greeting = state.lock().unwrap().greeting.unwrap_or("* OK ready");
    write!(stream, "{greeting}\r\n").ok()?;
    let mut selected = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let (tag, command) = line.trim_end().split_once(' ')?;
        if command == "AUTHENTICATE PLAIN" {
            write!(stream, "+ \r\n").ok()?;
            let mut login = String::new();
            reader.read_line(&mut login).ok()?;
            // NUL anna NUL hunter2
            let is_anna = login.trim() == "AGFubmEAaHVudGVyMg==";
            let said = if is_anna { "OK in" } else { "NO [AUTHENTICATIONFAILED] who is that" };
            write!(stream, "{tag} {said}\r\n").ok()?;
            continue;
        }
        let reply = answer(&mut state.lock().unwrap(), tag, command, &mut selected)?;
        stream.write_all(reply.as_bytes()).ok()?;
    }
}

fn answer(state: &mut State, tag: &str, command: &str, selected: &mut String) -> Option<String> {
    state.asked.push(command.to_owned());
    if let Some((_, said)) = state.instead.iter().find(|(begins, _)| command.starts_with(begins)) {
        return Some(format!("{tag} {said}\r\n"));
    }
    let mut told = String::new();
    if command.starts_with("LIST") {
        for (name, folder) in &state.folders {
            told.push_str(&format!("* LIST ({}) \"/\" \"{name}\"\r\n", folder.attributes));
        }
    } else if let Some(name) = command.strip_prefix("EXAMINE ") {
        *selected = name.trim_matches('"').to_owned();
        let folder = &state.folders[selected.as_str()];
        told = format!("* {} EXISTS\r\n* OK [UIDVALIDITY {}] valid\r\n", folder.messages.len(), folder.validity);
    } else if let Some(rest) = command.strip_prefix("UID FETCH ") {
        let folder = &state.folders[selected.as_str()];
        if rest.starts_with("1:*") {
            for (at, (uid, text)) in folder.messages.iter().enumerate() {
                let flags = if text.contains("thrown away") { "\\Seen \\Deleted" } else { "\\Seen" };
                told.push_str(&format!(
                    "* {} FETCH (UID {uid} FLAGS ({flags}) INTERNALDATE \" 4-Mar-2021 06:06:07 +0100\" RFC822.SIZE {})\r\n",
                    at + 1,
                    text.len()
                ));
            }
        } else if std::mem::take(&mut state.breaks) {
            return None;
        } else if let Some(text) = rest.split_once(' ').and_then(|(uid, _)| folder.messages.get(&uid.parse().ok()?)) {
            let uid = rest.split_once(' ')?.0;
            told = format!("* 1 FETCH (UID {uid} BODY[] {{{}}}\r\n{text})\r\n", text.len());
        }
    }
    Some(format!("{told}{tag} OK done\r\n"))
}

fn mail(subject: &str) -> String {
    format!("Subject: {subject}\r\nFrom: a@b.example\r\n\r\nOf {{7}} bogs.\r\n")
}

fn mailbox() -> State {
    let folder = |attributes, messages: &[(u32, &str)]| Box {
        attributes,
        validity: 7,
        messages: messages.iter().map(|(uid, subject)| (*uid, mail(subject))).collect(),
    };
    let folders = BTreeMap::from([
        ("INBOX", folder("\\HasNoChildren", &[(3, "Leave"), (8, "Badges"), (9, "thrown away")])),
        ("Entw&APw-rfe/..", folder("\\HasNoChildren", &[(1, "Plan")])),
        ("Trash", folder("\\HasNoChildren \\Trash", &[(1, "Old")])),
        ("Shared", folder("\\Noselect", &[])),
    ]);
    State { folders, ..State::default() }
}

fn secret(folder: &Path) -> std::path::PathBuf {
    let secret = folder.join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    secret
}

fn sync(folder: &Path, settings: &Settings) -> Result<SyncReport, ConnectError> {
    settings.check()?;
    let (_, url) = settings.parsed()?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut mailbox = Mailbox::new(settings, &url, Arc::clone(&stop))?;
    Mirror::open(folder, LIMITS)?.sync(&mut mailbox, &(), &stop)
}

#[test]
fn mail_is_its_owners_unless_it_is_said_to_be_the_sources() {
    let of = |user: &str, mail_readers| {
        let access = super::access(&Settings { user: Some(user.to_owned()), mail_readers, ..Settings::default() });
        (access.is_open(), access.is_closed(), access.lists().flat_map(|list| list.entries()).collect::<Vec<_>>())
    };
    assert_eq!(of("anna@mail.example", MailReaders::Owner), (false, false, vec!["user:anna@mail.example".to_owned()]));
    assert!(of("https://id.example#boss", MailReaders::Owner).1, "nobody's");
    assert!(of("anna", MailReaders::Source).0);
    // What is open to the owner alone is told with every message.
    let (server, folder) = (Server::start(mailbox()), tempfile::tempdir().unwrap());
    let settings = server.settings("", &secret(folder.path()));
    let mut mailbox = Mailbox::new(&settings, &settings.parsed().unwrap().1, Arc::new(AtomicBool::new(false))).unwrap();
    let remote = mailbox.next().unwrap().unwrap();
    assert_eq!(remote.access, Some(super::access(&settings)));
    assert!(!remote.access.unwrap().is_open());
}

#[test]
fn messages_come_once_and_go_when_they_are_gone() {
    let (server, folder) = (Server::start(mailbox()), tempfile::tempdir().unwrap());
    let settings = server.settings("", &secret(folder.path()));
    let report = sync(folder.path(), &settings).unwrap();
    assert_eq!((report.fetched, report.failed, report.left_out), (3, 0, None));
    let file = folder.path().join("files/INBOX/3.eml");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), mail("Leave"));
    let modified = std::fs::metadata(file).unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_614_834_367);
    assert!(folder.path().join("files/Entwürfe/_._/1.eml").exists());
    let asked = server.asked();
    assert!(
        asked.iter().all(|asked| !asked.starts_with("SELECT") && !asked.contains(" BODY[]")),
        "nothing becomes read"
    );
    assert!(!asked.iter().any(|asked| asked.contains("Trash")));

    let mut state = server.state.lock().unwrap();
    let inbox = state.folders.get_mut("INBOX").unwrap();
    inbox.messages.remove(&3);
    inbox.messages.insert(12, mail("New"));
    // The connection breaks once: it is begun anew.
    state.breaks = true;
    drop(state);
    let report = sync(folder.path(), &settings).unwrap();
    assert_eq!((report.fetched, report.unchanged, report.removed, report.failed), (1, 2, 1, 0));
    // The numbers mean others now.
    server.state.lock().unwrap().folders.get_mut("INBOX").unwrap().validity = 8;
    let report = sync(folder.path(), &settings).unwrap();
    assert_eq!((report.fetched, report.unchanged, report.removed), (2, 1, 2));
    // One folder alone, and what is put aside where it is named.
    let other = tempfile::tempdir().unwrap();
    let trash = server.settings("/Trash", &secret(other.path()));
    assert_eq!(sync(other.path(), &trash).unwrap().fetched, 1);
}

#[test]
fn what_cannot_be_told_takes_nothing_for_gone() {
    let (server, folder) = (Server::start(mailbox()), tempfile::tempdir().unwrap());
    let secret = secret(folder.path());
    let settings = server.settings("", &secret);
    sync(folder.path(), &settings).unwrap();
    let count = || std::fs::read_dir(folder.path().join("files/INBOX")).unwrap().count();
    server.state.lock().unwrap().instead = vec![("EXAMINE \"INBOX\"", "NO [NOPERM] not yours")];
    let report = sync(folder.path(), &settings).unwrap();
    assert!(report.left_out.unwrap().contains("\"INBOX\" cannot be looked at") && count() == 2);
    for (instead, words) in
        [(("LIST", "BAD what"), "it answers BAD what"), (("LIST", "NO [UNAVAILABLE] later"), "4 attempts")]
    {
        server.state.lock().unwrap().instead = vec![instead];
        let error = sync(folder.path(), &settings).unwrap_err().to_string();
        assert!(error.contains(words) && count() == 2, "{words}: {error}");
    }
    server.state.lock().unwrap().instead.clear();
    let error = sync(folder.path(), &server.settings("/Nonesuch", &secret)).unwrap_err().to_string();
    assert!(error.contains("no folder \"Nonesuch\"; there are: ") && error.contains("Entwürfe"), "{error}");
    std::fs::write(&secret, "hunter3\n").unwrap();
    let error = sync(folder.path(), &settings).unwrap_err().to_string();
    assert!(error.contains("does not let \"anna\" in") && !error.contains("hunter3"), "{error}");
    let nobody = Settings { user: None, password_file: None, ..settings.clone() };
    assert!(sync(folder.path(), &nobody).unwrap_err().to_string().contains("expected user and password_file"));
    server.state.lock().unwrap().greeting = Some("HTTP/1.1 400 Bad Request");
    let error = sync(folder.path(), &settings).unwrap_err().to_string();
    assert!(error.contains("expected the greeting of a mail server"), "{error}");
    // It does not speak TLS.
    let secure = Settings { url: settings.url.replace("imap:", "imaps:"), ..settings };
    std::fs::write(&secret, "hunter2\n").unwrap();
    let error = sync(folder.path(), &secure).unwrap_err().to_string();
    assert!(error.contains("cannot be talked to encrypted"), "{error}");
    assert_eq!(count(), 2);
}

#[test]
fn large_messages_cost_themselves() {
    let (server, folder) = (Server::start(mailbox()), tempfile::tempdir().unwrap());
    let mut state = server.state.lock().unwrap();
    state.folders.get_mut("INBOX").unwrap().messages.insert(10, "x".repeat(2 << 20));
    drop(state);
    let report = sync(folder.path(), &server.settings("/inbox", &secret(folder.path()))).unwrap();
    assert_eq!((report.fetched, report.failed), (2, 1));
    assert!(report.problems[0].contains("more than 1048576 bytes"), "{:?}", report.problems);
}
