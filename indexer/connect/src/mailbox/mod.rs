//! A mailbox: the messages of an account on a mail server (IMAP4rev1, RFC 3501), each a file as it was sent.
//!
//! A message never changes, and is known by its folder, the folder's validity and its number in it (`UIDVALIDITY`, `UID`): what is
//! there already is not asked for again, and a folder whose numbers mean others now is fetched anew. Nothing is changed on the
//! server: folders are looked at and not opened for writing, and messages do not become read.

mod folder;
mod session;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use storage::{Access, AccessList, Principal, PrincipalKind};
use url::Url;

use self::folder::Folder;
use self::session::{Found, Session};
use crate::connector::{Connector, Fetched, Known, Remote};
use crate::error::ConnectError;
use crate::pace::live_through;
use crate::settings::{MailReaders, Settings};

/// Messages that are named for each file that may be kept.
const NAMED: usize = 4;

/// A mailbox.
pub(crate) struct Mailbox {
    session: Session,
    /// Whom its messages are open to.
    access: Access,
    /// The folder that is meant, with what lies below it.
    within: Option<String>,
    /// Folders that are still to be listed; `None` until it is known which there are.
    folders: Option<VecDeque<Folder>>,
    ready: VecDeque<Message>,
    /// What was named last.
    current: Option<Message>,
    named: usize,
    most_named: usize,
    left_out: Option<String>,
    stop: Arc<AtomicBool>,
}

/// A message that was listed.
#[derive(Debug, Clone)]
struct Message {
    folder: Folder,
    validity: u32,
    found: Found,
}

impl Mailbox {
    /// The mailbox at an address: that of the server, or of a folder there.
    ///
    /// # Errors
    /// A file of the settings does not hold what it should.
    pub(crate) fn new(settings: &Settings, url: &Url, stop: Arc<AtomicBool>) -> Result<Self, ConnectError> {
        Ok(Self {
            session: Session::new(settings, url, Arc::clone(&stop))?,
            access: access(settings),
            within: folder::within(url),
            folders: None,
            ready: VecDeque::new(),
            current: None,
            named: 0,
            most_named: settings.max_files.saturating_mul(NAMED),
            left_out: None,
            stop,
        })
    }

    /// Finds out which folders there are.
    fn begin(&mut self) -> Result<(), ConnectError> {
        let session = &mut self.session;
        let all = live_through(&self.stop, || session.folders())?;
        let within = self.within.as_deref();
        let wanted: VecDeque<Folder> = all.iter().filter(|folder| folder.is_wanted(within)).cloned().collect();
        if wanted.is_empty() {
            let names: Vec<&str> = all.iter().map(|folder| folder.path.as_str()).take(20).collect();
            return Err(self.session.nonsense(format!(
                "there is no folder {:?}; there are: {}",
                within.unwrap_or_default(),
                names.join(", ")
            )));
        }
        self.folders = Some(wanted);
        Ok(())
    }

    fn list(&mut self, folder: &Folder) -> Result<(), ConnectError> {
        let (session, most) = (&mut self.session, self.most_named);
        let listed = live_through(&self.stop, || session.list(folder, most))?;
        if let Some(why) = listed.left_out {
            self.left_out.get_or_insert(why);
        }
        let validity = listed.validity;
        self.ready.extend(listed.found.into_iter().map(|found| Message { folder: folder.clone(), validity, found }));
        Ok(())
    }
}

/// Whom the messages of a mailbox are open to, beside what is said of the source: a name that is none here is nobody's.
fn access(settings: &Settings) -> Access {
    match settings.mail_readers {
        MailReaders::Source => Access::everyone(),
        MailReaders::Owner => {
            // A name with `#` would be that of somebody at a provider of identities.
            let name = settings.user.as_deref().filter(|name| !name.contains('#'));
            let owner = name.and_then(|name| Principal::named(PrincipalKind::User, name).ok());
            Access::of([AccessList { allow: owner.into_iter().collect(), ..AccessList::default() }])
        }
    }
}

impl Connector for Mailbox {
    fn next(&mut self) -> Result<Option<Remote>, ConnectError> {
        if self.folders.is_none() {
            self.begin()?;
        }
        loop {
            if let Some(message) = self.ready.pop_front() {
                self.named += 1;
                self.current = Some(message.clone());
                return Ok(Some(Remote { access: Some(self.access.clone()), ..message.remote() }));
            }
            if self.named >= self.most_named {
                let most = self.most_named;
                self.left_out
                    .get_or_insert_with(|| format!("more than {most} messages were listed ({NAMED} x max_files)"));
                return Ok(None);
            }
            let Some(folder) = self.folders.as_mut().and_then(VecDeque::pop_front) else { return Ok(None) };
            self.list(&folder)?;
        }
    }

    fn fetch(&mut self, remote: &Remote, _: Option<&Known>, most: u64) -> Result<Fetched, ConnectError> {
        let Some(Message { folder, validity, found }) = self.current.take() else {
            return Err(self.session.nonsense(format!("{} was not named", remote.id)));
        };
        if found.bytes > most {
            return Err(ConnectError::TooLarge { most });
        }
        let session = &mut self.session;
        let bytes = live_through(&self.stop, || session.message(&folder, validity, found.uid, most))?;
        Ok(match bytes {
            Some(bytes) => Fetched::Content { bytes, remote: remote.clone() },
            None => Fetched::Gone,
        })
    }

    fn left_out(&self) -> Option<String> {
        self.left_out.clone()
    }
}

impl Message {
    fn remote(&self) -> Remote {
        let Self { folder, validity, found } = self;
        // In the manner of RFC 5092.
        let id = format!("{};UIDVALIDITY={validity}/;UID={}", folder.path, found.uid);
        let name = format!("{}/{}.eml", folder.place, found.uid);
        Remote { date: found.date, ..Remote::new(id, name).of_version(found.bytes.to_string()) }
    }
}

#[cfg(test)]
mod tests;
