//! A session with a mail server: who asks, which folders there are, which messages are in one, and one of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use imap_proto::{AttributeValue, MailboxDatum, NameAttribute, Response, ResponseCode};
use url::Url;

use super::folder::Folder;
use super::wire::{Way, Wire};
use crate::error::{ConnectError, shown};
use crate::login::secret;
use crate::pace::Pace;
use crate::settings::Settings;

/// Bytes of an answer that is no message.
const MOST: u64 = 1 << 20;
/// Bytes of an answer around a message.
const AROUND: u64 = 64 << 10;
/// Answers to one command that are no messages.
const MOST_ANSWERS: usize = 100_000;
/// Answers to one command that are listened to.
const ENDLESS: usize = 10_000_000;

/// A session, which is begun when something is asked, and anew when it broke.
pub(super) struct Session {
    way: Way,
    user: Option<String>,
    password: Option<String>,
    pace: Pace,
    stop: Arc<AtomicBool>,
    open: Option<Open>,
}

/// A connection on which somebody is known.
struct Open {
    wire: Wire,
    commands: u64,
    /// The folder that is looked at, and its validity.
    selected: Option<(String, u32)>,
}

/// A message of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) uid: u32,
    pub(super) bytes: u64,
    pub(super) date: Option<i64>,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) validity: u32,
    pub(super) found: Vec<Found>,
    /// Why it is not all of it, where that is so.
    pub(super) left_out: Option<String>,
}

/// How a command ended.
enum Ended {
    Ok,
    No(String),
}

impl Session {
    /// A session with the server of an address.
    ///
    /// # Errors
    /// A file of the settings does not hold what it should.
    pub(super) fn new(settings: &Settings, url: &Url, stop: Arc<AtomicBool>) -> Result<Self, ConnectError> {
        let (file, variable) = (settings.password_file.as_deref(), settings.password_env.as_deref());
        let password = match &settings.user {
            Some(_) => Some(secret(("password_file", file), ("password_env", variable))?),
            None => None,
        };
        let pace = Pace::new(settings.pause());
        Ok(Self { way: Way::new(settings, url)?, user: settings.user.clone(), password, pace, stop, open: None })
    }

    pub(super) fn nonsense(&self, reason: String) -> ConnectError {
        ConnectError::Nonsense { host: self.way.host.clone(), reason }
    }

    /// The folders that hold messages.
    ///
    /// # Errors
    /// They are not told.
    pub(super) fn folders(&mut self) -> Result<Vec<Folder>, ConnectError> {
        self.within(|open, _| {
            let mut folders = Vec::new();
            let ended = open.run("LIST \"\" \"*\"", MOST, |answer| {
                if let Response::MailboxData(MailboxDatum::List(list)) = answer {
                    let is = |wanted: &NameAttribute<'_>| list.name_attributes.contains(wanted);
                    let is_aside =
                        [NameAttribute::Trash, NameAttribute::Junk, NameAttribute::Drafts, NameAttribute::All];
                    let name = unquoted(&list.name);
                    if !is(&NameAttribute::NoSelect) && !name.contains(char::is_control) {
                        let delimiter = list.delimiter.as_deref().map(unquoted);
                        folders.push(Folder::new(&name, delimiter.as_deref(), is_aside.iter().any(is)));
                    }
                }
            })?;
            Ok((ended, folders))
        })
    }

    /// The messages of a folder.
    ///
    /// # Errors
    /// They are not told.
    pub(super) fn list(&mut self, folder: &Folder, most: usize) -> Result<Listed, ConnectError> {
        self.within(|open, host| {
            let validity = match open.look_at(folder, host)? {
                Ok(validity) => validity,
                Err(said) if is_busy(&said) => return Ok((Ended::No(said), Listed::default())),
                // What may not be looked at is not gone.
                Err(said) => {
                    let left_out = Some(format!("{:?} cannot be looked at ({})", folder.path, shown(&said)));
                    return Ok((Ended::Ok, Listed { left_out, ..Listed::default() }));
                }
            };
            let mut listed = Listed { validity, ..Listed::default() };
            let mut seen = BTreeSet::new();
            let (ended, unread) =
                open.run_all("UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)", MOST, most, |answer| {
                    let Response::Fetch(_, values) = answer else { return };
                    if let Some(found) = found(values).filter(|found| seen.insert(found.uid)) {
                        listed.found.push(found);
                    }
                })?;
            if unread > 0 {
                listed.left_out = Some(format!(
                    "{unread} messages of {:?} were not told of in a way that is understood, or were too many",
                    folder.path
                ));
            }
            Ok((ended, listed))
        })
    }

    /// A message; `None` where it is not there any more.
    ///
    /// # Errors
    /// It cannot be had.
    pub(super) fn message(
        &mut self,
        folder: &Folder,
        validity: u32,
        uid: u32,
        most: u64,
    ) -> Result<Option<Vec<u8>>, ConnectError> {
        self.within(|open, host| {
            match open.look_at(folder, host)? {
                // Its number means another now; the next sync lists that.
                Ok(now) if now != validity => return Ok((Ended::Ok, None)),
                Ok(_) => {}
                Err(said) => return Ok((Ended::No(said), None)),
            }
            let mut message = None;
            let command = format!("UID FETCH {uid} (UID BODY.PEEK[])");
            let (ended, unread) = open.run_all(&command, most.saturating_add(AROUND), MOST_ANSWERS, |answer| {
                let Response::Fetch(_, values) = answer else { return };
                let is_it = values.iter().any(|value| matches!(value, AttributeValue::Uid(found) if *found == uid));
                for value in values.iter().filter(|_| is_it) {
                    if let AttributeValue::BodySection { section: None, data: Some(data), .. } = value {
                        message = Some(data.to_vec());
                    }
                }
            })?;
            if message.is_none() && unread > 0 {
                let reason = "it sends the message in a way that is not understood".to_owned();
                return Err(ConnectError::Nonsense { host: host.to_owned(), reason });
            }
            Ok((ended, message))
        })
    }

    /// Asks something on an open connection, which is given up where it broke.
    fn within<T>(
        &mut self,
        ask: impl FnOnce(&mut Open, &str) -> Result<(Ended, T), ConnectError>,
    ) -> Result<T, ConnectError> {
        self.pace.wait(&self.stop)?;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        // What went wrong in the middle leaves a connection on which nothing can be told apart any more.
        let (ended, told) = ask(&mut open, &self.way.host)?;
        self.open = Some(open);
        match ended {
            Ended::Ok => Ok(told),
            Ended::No(said) if is_busy(&said) => Err(ConnectError::Failed {
                host: self.way.host.clone(),
                reason: format!("it answers {}", shown(&said)),
                after: None,
            }),
            Ended::No(said) => Err(self.nonsense(format!("it answers {}", shown(&said)))),
        }
    }

    /// Connects, and says who asks.
    fn begin(&self) -> Result<Open, ConnectError> {
        let mut open = Open { wire: self.way.connect(&self.stop)?, commands: 0, selected: None };
        let greeting = open.wire.answer(MOST)?;
        let greeting = String::from_utf8_lossy(&greeting).into_owned();
        let is_known = greeting.starts_with("* PREAUTH");
        if !is_known && !greeting.starts_with("* OK") {
            return Err(match is_busy(&greeting) || greeting.starts_with("* BYE") {
                true => ConnectError::Failed {
                    host: self.way.host.clone(),
                    reason: format!("it answers {}", shown(&greeting)),
                    after: None,
                },
                false => self.nonsense(format!(
                    "expected the greeting of a mail server (IMAP), got {:?}; check host and port",
                    shown(&greeting)
                )),
            });
        }
        if self.way.wants_command() {
            if is_known {
                return Err(self.nonsense("it cannot be encrypted; give an address that begins with imaps".to_owned()));
            }
            match open.run("STARTTLS", MOST, |_| ())? {
                Ended::Ok => open.wire = self.way.encrypt(open.wire)?,
                Ended::No(said) => {
                    return Err(self.nonsense(format!(
                        "it does not encrypt here ({}); give an address that begins with imaps",
                        shown(&said)
                    )));
                }
            }
        }
        if !is_known {
            self.sign_in(&mut open)?;
        }
        Ok(open)
    }

    fn sign_in(&self, open: &mut Open) -> Result<(), ConnectError> {
        let (Some(user), Some(password)) = (&self.user, &self.password) else {
            return Err(self.nonsense("it wants to know who asks; give user and password_file".to_owned()));
        };
        // Takes every letter in names and passwords, unlike LOGIN.
        let line = STANDARD.encode(format!("\0{user}\0{password}"));
        let said = match open.run_answering("AUTHENTICATE PLAIN", &line)? {
            Ended::Ok => return Ok(()),
            Ended::No(said) => said,
        };
        let plain = |text: &str| text.chars().all(|c| c.is_ascii() && !c.is_control());
        let is_unknown = !said.to_ascii_uppercase().contains("AUTHENTICATIONFAILED");
        let said = if is_unknown && plain(user) && plain(password) {
            match open.run(&format!("LOGIN {} {}", quoted(user), quoted(password)), MOST, |_| ())? {
                Ended::Ok => return Ok(()),
                Ended::No(said) => said,
            }
        } else {
            said
        };
        let host = self.way.host.clone();
        if is_busy(&said) {
            return Err(ConnectError::Failed { host, reason: format!("it answers {}", shown(&said)), after: None });
        }
        let said = shown(&said.replace(password.as_str(), ".."));
        Err(self.nonsense(format!(
            "it does not let {user:?} in ({said}); look whether the password still holds: many servers want one for programs (app \
             password) and that IMAP is switched on for the account"
        )))
    }
}

impl Open {
    /// Looks at a folder, and tells its validity; or what was said in its place.
    fn look_at(&mut self, folder: &Folder, host: &str) -> Result<Result<u32, String>, ConnectError> {
        if let Some((_, validity)) = self.selected.as_ref().filter(|(name, _)| *name == folder.name) {
            return Ok(Ok(*validity));
        }
        self.selected = None;
        let mut validity = None;
        let ended = self.run(&format!("EXAMINE {}", quoted(&folder.name)), MOST, |answer| {
            if let Response::Data { outcome, .. } = answer
                && let Some(ResponseCode::UidValidity(said)) = outcome.code
            {
                validity = Some(said);
            }
        })?;
        if let Ended::No(said) = ended {
            return Ok(Err(said));
        }
        let Some(validity) = validity else {
            let reason =
                format!("it does not say since when the numbers of messages in {:?} hold (UIDVALIDITY)", folder.path);
            return Err(ConnectError::Nonsense { host: host.to_owned(), reason });
        };
        self.selected = Some((folder.name.clone(), validity));
        Ok(Ok(validity))
    }

    fn run(&mut self, command: &str, most: u64, hear: impl FnMut(&Response<'_>)) -> Result<Ended, ConnectError> {
        self.run_all(command, most, MOST_ANSWERS, hear).map(|(ended, _)| ended)
    }

    /// Runs a command; how it ended, and how many of the messages it told of were not understood or too many.
    fn run_all(
        &mut self,
        command: &str,
        most: u64,
        most_heard: usize,
        hear: impl FnMut(&Response<'_>),
    ) -> Result<(Ended, usize), ConnectError> {
        let tag = self.send(command)?;
        self.hear(&tag, most, most_heard, hear)
    }

    /// Runs a command that asks something in between.
    fn run_answering(&mut self, command: &str, line: &str) -> Result<Ended, ConnectError> {
        let tag = self.send(command)?;
        loop {
            let answer = self.wire.answer(MOST)?;
            if answer.starts_with(b"+") {
                self.wire.send(line)?;
                return self.hear(&tag, MOST, MOST_ANSWERS, |_| ()).map(|(ended, _)| ended);
            }
            if let Some(ended) = ended(&answer, &tag) {
                return Ok(ended);
            }
        }
    }

    fn send(&mut self, command: &str) -> Result<String, ConnectError> {
        self.commands += 1;
        let tag = format!("q{}", self.commands);
        self.wire.send(&format!("{tag} {command}"))?;
        Ok(tag)
    }

    fn hear(
        &mut self,
        tag: &str,
        most: u64,
        most_heard: usize,
        mut hear: impl FnMut(&Response<'_>),
    ) -> Result<(Ended, usize), ConnectError> {
        let (mut heard, mut unread) = (0, 0);
        loop {
            let answer = self.wire.answer(most)?;
            if let Some(ended) = ended(&answer, tag) {
                return Ok((ended, unread));
            }
            heard += 1;
            if heard > ENDLESS {
                return Err(self.wire.nonsense(format!("it answers a question with more than {ENDLESS} lines")));
            }
            match Response::parse(&answer) {
                Ok((_, response)) if heard <= most_heard => hear(&response),
                // What is not understood says nothing of messages, or one of them is missing.
                _ if is_of_message(&answer) => unread += 1,
                _ => {}
            }
        }
    }
}

/// How a command ended, if an answer says that.
fn ended(answer: &[u8], tag: &str) -> Option<Ended> {
    let text = String::from_utf8_lossy(answer.strip_prefix(tag.as_bytes())?.strip_prefix(b" ")?);
    let said = text.trim_end();
    let is_ok = said.get(..2).is_some_and(|status| status.eq_ignore_ascii_case("OK"));
    Some(if is_ok { Ended::Ok } else { Ended::No(said.to_owned()) })
}

/// Whether an answer tells of a message: `* 12 FETCH (..`.
fn is_of_message(answer: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&answer[..answer.len().min(40)]).to_ascii_uppercase();
    let mut words = start.split_whitespace();
    words.next() == Some("*")
        && words.next().is_some_and(|number| number.parse::<u32>().is_ok())
        && words.next() == Some("FETCH")
}

/// Whether it may be another answer a moment later (RFC 5530).
fn is_busy(said: &str) -> bool {
    let said = said.to_ascii_uppercase();
    ["[UNAVAILABLE]", "[INUSE]", "[SERVERBUG]", "[THROTTLED]", "[LIMIT]"].iter().any(|code| said.contains(code))
}

/// What is told of a message, unless somebody has marked it for deletion.
fn found(values: &[AttributeValue<'_>]) -> Option<Found> {
    let (mut uid, mut bytes, mut date) = (None, 0, None);
    for value in values {
        match value {
            AttributeValue::Uid(number) => uid = Some(*number),
            AttributeValue::Rfc822Size(size) => bytes = u64::from(*size),
            AttributeValue::InternalDate(moment) => date = second(moment),
            AttributeValue::Flags(flags) if flags.iter().any(|flag| flag.eq_ignore_ascii_case("\\Deleted")) => {
                return None;
            }
            _ => {}
        }
    }
    uid.map(|uid| Found { uid, bytes, date })
}

/// The second of Unix time of a moment such as `17-Jul-1996 02:44:25 -0700`.
fn second(moment: &str) -> Option<i64> {
    let time = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", moment.trim()).ok()?;
    time.to_timestamp().ok().map(jiff::Timestamp::as_second)
}

/// A text as an argument of a command.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What stood in quotes, as it is meant.
fn unquoted(text: &str) -> String {
    let mut meant = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        meant.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    meant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_understood() {
        assert_eq!(second("17-Jul-1996 02:44:25 -0700"), Some(837_596_665));
        assert_eq!(second(" 1-Jan-1970 00:00:05 +0000"), Some(5));
        assert_eq!(second("yesterday"), None);
        for name in ["INBOX", "a\"b", "c\\d", "e f"] {
            let said = quoted(name);
            assert_eq!(unquoted(&said[1..said.len() - 1]), name);
        }
        assert!(matches!(ended(b"q1 OK done\r\n", "q1"), Some(Ended::Ok)));
        assert!(matches!(ended(b"q1 NO [ALERT] no\r\n", "q1"), Some(Ended::No(said)) if said == "NO [ALERT] no"));
        assert!(ended(b"q11 OK done\r\n", "q1").is_none() && ended(b"* OK done\r\n", "q1").is_none());
        assert!(is_of_message(b"* 12 FETCH (UID") && !is_of_message(b"* OK FETCH 12"));
    }
}
