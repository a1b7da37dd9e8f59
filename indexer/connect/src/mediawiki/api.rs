//! A wiki's `api.php`: one question, one answer, as an account where one was given.
//!
//! Where an account was given each question says so (`assert=user`): a session that has ended is an error and not a shorter
//! list, which would take what only the account sees for gone. A wiki that is busy (`maxlag`), or was asked too often, is waited
//! for as it wishes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::Value;
use url::{Url, form_urlencoded};

use super::discovery;
use crate::error::{ConnectError, shown};
use crate::http::{Answer, Ask, Client, host_of, refused};
use crate::json::{json_of, text};
use crate::login::secret;
use crate::settings::Settings;

/// Seconds that the copies of the wiki's database may lag behind it for it to be asked at all.
const MAX_LAG: &str = "5";
/// The pause for a wiki that does not say how long it wants to be left alone.
const PAUSE: Duration = Duration::from_secs(5);
/// Bytes of an answer to a login.
const MAX_LOGIN: u64 = 1 << 20;
/// Where a page for people came in the place of an answer.
const PAGE_CURE: &str = "look whether the address is that of its api.php, whether its interface for programs is switched on, and \
                         whether something in front of it asks people to sign in (header_file)";

/// The interface that a wiki has for programs.
pub(super) struct Api {
    client: Client,
    url: Url,
    account: Option<Account>,
    /// Whether each question is asked as somebody.
    is_somebody: bool,
}

/// A name and its password.
struct Account {
    user: String,
    password: String,
}

/// What came of a question.
pub(super) enum Called {
    Told(Value),
    Fault(Fault),
}

/// What the wiki says is wrong with a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: String,
    info: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown(&self.code), shown(&self.info))
    }
}

impl Api {
    /// The wiki at an address.
    ///
    /// # Errors
    /// A file of the settings does not hold what it should.
    pub(super) fn new(settings: &Settings, mut url: Url, stop: Arc<AtomicBool>) -> Result<Self, ConnectError> {
        url.set_query(None);
        url.set_fragment(None);
        let account = match &settings.user {
            None => None,
            Some(user) => {
                let (file, variable) = (settings.password_file.as_deref(), settings.password_env.as_deref());
                let password = secret(("password_file", file), ("password_env", variable))?;
                Some(Account { user: user.clone(), password })
            }
        };
        let is_somebody = account.is_some() || settings.token_file.is_some() || settings.token_env.is_some();
        // The password is told once, when the account signs in.
        let unknown = Settings { user: None, password_file: None, password_env: None, ..settings.clone() };
        let client = Client::new(&unknown, &url, stop)?;
        Ok(Self { client, url, account, is_somebody })
    }

    /// Finds the way in, and signs in.
    ///
    /// # Errors
    /// There is none, or the account is not known.
    pub(super) fn begin(&mut self) -> Result<(), ConnectError> {
        if !self.url.path().ends_with("/api.php") {
            self.url = discovery::find(&mut self.client, &self.url)?;
        }
        self.sign_in()
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn nonsense(&self, reason: String) -> ConnectError {
        ConnectError::Nonsense { host: host_of(&self.url), reason }
    }

    /// What to do about a fault.
    pub(super) fn refusal(&self, fault: &Fault) -> ConnectError {
        let cure = match fault.code.as_str() {
            "readapidenied" | "permissiondenied" if self.is_somebody => "let the account read the wiki",
            "readapidenied" | "permissiondenied" => {
                "it is not open to everybody; give user (NAME@BOT, as Special:BotPasswords shows it) with password_file, or token_file"
            }
            "assertuserfailed" | "assertnameduserfailed" | "mwoauth-invalid-authorization" | "badtoken" => {
                "it does not know who asks; look whether the password or token still holds"
            }
            "apidisabled" | "unknown_action" => "its interface for programs is switched off, in whole or in part",
            _ => "look what its administrators say to that",
        };
        self.nonsense(format!("it answers {fault}; {cure}"))
    }

    /// What is told to a question, which must have an answer.
    ///
    /// # Errors
    /// It has none.
    pub(super) fn wanted(&mut self, pairs: &[(&str, &str)], most: u64) -> Result<Value, ConnectError> {
        match self.call(pairs, most)? {
            Called::Told(told) => Ok(told),
            Called::Fault(fault) => Err(self.refusal(&fault)),
        }
    }

    /// What comes of a question.
    ///
    /// # Errors
    /// The wiki cannot be asked.
    pub(super) fn call(&mut self, pairs: &[(&str, &str)], most: u64) -> Result<Called, ConnectError> {
        let called = self.once(pairs, most)?;
        match called {
            // Its session is over.
            Called::Fault(Fault { code, .. }) if code.starts_with("assert") && self.account.is_some() => {
                self.sign_in()?;
                self.once(pairs, most)
            }
            called => Ok(called),
        }
    }

    /// A file of the wiki, asked for as the account that asks.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) fn get(&mut self, url: &Url, most: u64) -> Result<Answer, ConnectError> {
        self.client.get(url, most)
    }

    fn once(&mut self, pairs: &[(&str, &str)], most: u64) -> Result<Called, ConnectError> {
        let mut pairs = pairs.to_vec();
        pairs.push(("maxlag", MAX_LAG));
        if self.is_somebody {
            pairs.push(("assert", "user"));
        }
        self.send(&pairs, None, most)
    }

    /// Sends a question, with what must not stand in an address as its body.
    fn send(&mut self, pairs: &[(&str, &str)], body: Option<&str>, most: u64) -> Result<Called, ConnectError> {
        let mut url = self.url.clone();
        url.query_pairs_mut().extend_pairs(pairs).extend_pairs([("format", "json"), ("formatversion", "2")]);
        let headers = body.map(|_| ("content-type", "application/x-www-form-urlencoded")).into_iter().collect();
        let ask = Ask { method: body.map(|_| "POST"), headers, body: body.unwrap_or_default() };
        let bare = &self.url;
        let is_wanted = |status: u16, _: &_| (200..300).contains(&status);
        self.client.ask_judged(&url, &ask, most, is_wanted, |answer| judged(bare, &answer))
    }

    /// Signs in, if there is an account.
    fn sign_in(&mut self) -> Result<(), ConnectError> {
        let Some(Account { user, password }) = &self.account else { return Ok(()) };
        let (user, password) = (user.clone(), password.clone());
        let asked = [("action", "query"), ("meta", "tokens"), ("type", "login")];
        let told = match self.send(&asked, None, MAX_LOGIN)? {
            Called::Told(told) => told,
            Called::Fault(fault) => return Err(self.refusal(&fault)),
        };
        let Some(token) = text(&told, &["query", "tokens", "logintoken"]) else {
            return Err(self.nonsense("it gives no token to sign in with; expected MediaWiki 1.27 or newer".to_owned()));
        };
        let form: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("lgname", user.as_str()), ("lgpassword", &password), ("lgtoken", token)])
            .finish();
        let said = match self.send(&[("action", "login")], Some(&form), MAX_LOGIN)? {
            Called::Told(told) if text(&told, &["login", "result"]) == Some("Success") => return Ok(()),
            Called::Told(told) => {
                let reason = text(&told, &["login", "reason"]).or_else(|| text(&told, &["login", "result"]));
                reason.unwrap_or("no result").to_owned()
            }
            Called::Fault(fault) => fault.to_string(),
        };
        Err(self.nonsense(format!(
            "it does not let {user:?} in ({}); expected a bot password: user is NAME@BOT, as Special:BotPasswords shows it",
            shown(&said.replace(&password, ".."))
        )))
    }
}

/// What an answer says.
fn judged(url: &Url, answer: &Answer) -> Result<Called, ConnectError> {
    if !answer.is_success() {
        return Err(refused(url, answer.status));
    }
    let told = json_of(url, answer, "MediaWiki's api.php", PAGE_CURE)?;
    let Some(error) = told.get("error") else { return Ok(Called::Told(told)) };
    let said = |name: &str| text(error, &[name]).unwrap_or_default().to_owned();
    let fault = Fault { code: said("code"), info: said("info") };
    let is_busy = matches!(fault.code.as_str(), "maxlag" | "ratelimited" | "readonly" | "timeout");
    if is_busy || fault.code.starts_with("internal_api_error") {
        let after = answer.pause().or(is_busy.then_some(PAUSE));
        return Err(ConnectError::Failed { host: host_of(url), reason: fault.to_string(), after });
    }
    Ok(Called::Fault(fault))
}
