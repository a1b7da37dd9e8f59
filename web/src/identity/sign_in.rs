//! Signing in with a name and a password.
//!
//! Promises: nothing tells whether a name exists, neither words nor time; guesses cost tokens of the name and of the
//! address, before anything is computed; who signs in gets a new token, whatever the browser brought.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderValue, InvalidHeaderValue};

use super::cookie::SESSION;
use super::sessions::Holder;
use super::userfile::{UserFileError, UserRecord};
use crate::app::App;
use crate::audit::AuditEvent;
use crate::error::Error;
use crate::guard::{self, Rates};
use crate::jobs::now;

/// Wrong passwords for one name that may come at once, and how many a second after that.
const OF_NAME: (u32, f64) = (10, 1.0 / 60.0);
/// The same, from one address.
const OF_ADDRESS: (u32, f64) = (30, 1.0 / 10.0);
/// Sign-ins by the provider that one address may begin, end, or say to be over: a whole company may come by one.
const OF_ERRANDS: (u32, f64) = (1_000, 20.0);

/// How often may be guessed.
pub(crate) struct Attempts {
    names: Rates,
    addresses: Rates,
    /// What is sent to us or to the provider by those who are not known yet.
    pub(super) errands: Rates,
}

/// Why somebody is not signed in.
pub(crate) enum Refused {
    /// Name or password are wrong: which, is not said.
    Wrong,
    /// Something else is in the way.
    Because(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Because(error)
    }
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self { names: Rates::of(OF_NAME), addresses: Rates::of(OF_ADDRESS), errands: Rates::of(OF_ERRANDS) }
    }

    /// Takes what a guess costs.
    fn take(&self, name: &str, address: &str) -> Result<(), Error> {
        self.addresses.take(address)?;
        self.names.take(name).inspect_err(|_| self.addresses.give_back(address))
    }

    /// It was no guess.
    fn give_back(&self, name: &str, address: &str) {
        self.names.give_back(name);
        self.addresses.give_back(address);
    }
}

/// Signs somebody in; the cookie for their browser.
///
/// # Errors
/// [`Refused::Wrong`]; too many guesses; the server is busy.
pub(crate) async fn sign_in(
    app: &Arc<App>,
    request: &HttpRequest,
    name: String,
    password: String,
) -> Result<HeaderValue, Refused> {
    if app.audit.refuses() {
        return Err(Refused::Because(Error::Audit));
    }
    if !app.config.auth.local_sign_in {
        return Err(Refused::Because(Error::NotFound { what: "signing in with a password" }));
    }
    let address = address(app, request);
    // As long as it may be, and not as somebody writes it: many spellings of one name are one.
    let guessed = blake3::hash(name.trim().to_lowercase().as_bytes()).to_hex().to_string();
    app.attempts.take(&guessed, &address)?;
    let permit = app.admission.enter().await.inspect_err(|_| app.attempts.give_back(&guessed, &address))?;
    let (of, entered) = (Arc::clone(app), name.clone());
    let check = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        of.people.check(&name, &password)
    });
    let Some(user) = check.await.map_err(Error::internal)? else {
        // Not the name: some type their password in its place.
        tracing::warn!(target: "access", address, "name or password are wrong");
        let known = app.people.find_as_entered(&entered).map_or_else(|| "unknown".to_owned(), |user| user.name.clone());
        app.audit.note(&event("sign-in-failed", &known, app, request));
        return Err(Refused::Wrong);
    };
    app.attempts.give_back(&guessed, &address);
    tracing::info!(target: "access", address, name = user.name, "signed in");
    app.audit.note(&event("signed-in", &user.name, app, request));
    Ok(begin(app, request, held_by(&user)).await?)
}

/// Why there is no administrator yet.
pub(crate) enum NotMade {
    /// The name or the password will not do, or the users cannot be written.
    Users(UserFileError),
    /// Something else is in the way.
    Because(Error),
}

/// Makes the first administrator, and signs them in; the cookie for their browser.
///
/// # Errors
/// The name or the password will not do; the server is busy.
pub(crate) async fn first_administrator(
    app: &Arc<App>,
    request: &HttpRequest,
    name: String,
    password: String,
) -> Result<HeaderValue, NotMade> {
    let permit = app.admission.enter().await.map_err(NotMade::Because)?;
    let of = Arc::clone(app);
    let add = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        of.people.add_administrator(&name, &password)
    });
    let user = add.await.map_err(|error| NotMade::Because(Error::internal(error)))?.map_err(NotMade::Users)?;
    app.audit.note(&event("user-added", &user.name, app, request).about("scopes", "admin"));
    begin(app, request, held_by(&user)).await.map_err(NotMade::Because)
}

fn held_by(user: &UserRecord) -> Holder {
    Holder::Local { user: user.name.clone(), bond: user.bond.clone() }
}

/// Begins a session in the place of the one that the browser had; the cookie for the browser.
///
/// # Errors
/// The system gives no random numbers; the server is stopping.
pub(super) async fn begin(app: &Arc<App>, request: &HttpRequest, holder: Holder) -> Result<HeaderValue, Error> {
    SESSION.token(request).map(|old| app.sessions.end(&old));
    let who = holder.key();
    let token = app.sessions.begin(holder, now()).map_err(Error::internal)?;
    let cookie = given(&SESSION.given(request, &token, app.sessions.longest()))?;
    save(app).await?;
    if !guard::is_secure(request) && !app.config.server.is_local() {
        tracing::warn!(
            "{who} signed in over a connection that is not encrypted as far as quarry knows: name a certificate in \
             server.tls_certificate, or put a proxy with TLS before it and name its address in auth.proxy_from",
        );
    }
    Ok(cookie)
}

/// Something that a person has done, for the audit log.
pub(super) fn event(event: &'static str, user: &str, app: &App, request: &HttpRequest) -> AuditEvent {
    let address = guard::client(request, &app.config.auth).map(|address| address.to_string());
    AuditEvent::new(event, &format!("user {user}")).by(address, guard::current_request())
}

/// Keeps the sessions for the next run.
pub(super) async fn save(app: &Arc<App>) -> Result<(), Error> {
    let app = Arc::clone(app);
    tokio::task::spawn_blocking(move || app.sessions.save()).await.map_err(Error::internal)
}

pub(super) fn given(cookie: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(cookie).map_err(|error: InvalidHeaderValue| Error::internal(error))
}

/// Where guesses come from. Whoever has one address of IPv6 has the 2^64 beside it as well.
pub(super) fn address(app: &App, request: &HttpRequest) -> String {
    match guard::client(request, &app.config.auth) {
        Some(IpAddr::V6(address)) => format!("{:?}", &address.segments()[..4]),
        Some(address) => address.to_string(),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_counted_by_name_and_by_address_and_those_who_know_pay_nothing() {
        let attempts = Attempts::new();
        for number in 0..10 {
            attempts.take("anna", &format!("10.0.0.{number}")).unwrap();
        }
        let Err(Error::Rate { retry_after }) = attempts.take("anna", "10.0.0.99") else { panic!("an eleventh guess") };
        assert!((50..=60).contains(&retry_after), "{retry_after}");
        attempts.take("bert", "10.0.0.99").unwrap();
        for number in 0..29 {
            attempts.take(&format!("name {number}"), "10.0.0.99").unwrap();
        }
        assert!(attempts.take("yet another", "10.0.0.99").is_err(), "one address guesses names");
        for _ in 0..100 {
            attempts.take("carl", "10.1.0.1").unwrap();
            attempts.give_back("carl", "10.1.0.1");
        }
    }
}
