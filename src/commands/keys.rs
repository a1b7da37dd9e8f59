//! `quarry keys`: make, list and revoke the keys of the API.

use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::{Span, Timestamp};
use web::{AuditEvent, KeyFile, KeyHolder, KeyRecord, Scope};

use crate::audit;
use crate::cli::{KeyScope, KeysArgs, KeysCommand};
use crate::output::{self, table};
use crate::paths;
use crate::plain::shown;
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, args: &KeysArgs) -> Result<ExitCode> {
    let keys = KeyFile::of(&paths::data_dir(settings)?);
    match &args.command {
        KeysCommand::Create { name, scopes, days, user, groups, sources } => {
            let made = create(&keys, name, scopes, *days, KeyHolder::named(user.as_deref(), groups, sources)?)?;
            audit::note(settings, &event("key-made", &made))?;
        }
        KeysCommand::List => {
            let records = keys.records()?;
            list(&records);
            warn_if_closed(&keys, &records)?;
        }
        KeysCommand::Revoke { id } => {
            let record = keys.revoke(id)?;
            println!("revoked key {} ({})", record.id, record.name);
            audit::note(settings, &event("key-revoked", &record))?;
            warn_if_closed(&keys, &keys.records()?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn create(keys: &KeyFile, name: &str, scopes: &[KeyScope], days: Option<u32>, holder: KeyHolder) -> Result<KeyRecord> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        bail!("a key needs a name that says what it is for, such as `intranet`");
    }
    let expires = days.map(|days| Timestamp::now().checked_add(Span::new().hours(i64::from(days) * 24))).transpose()?;
    let scopes = scopes.iter().map(|scope| scope.into_scope()).collect();
    let made = keys.create(name.trim(), scopes, expires.map(Timestamp::as_second), holder)?;
    eprintln!("This is the only time that the key is shown; send it as `Authorization: Bearer KEY`.");
    println!("{}", made.key);
    Ok(made.record)
}

fn event(event: &'static str, key: &KeyRecord) -> AuditEvent {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    let event = audit::event(event).about("key", &key.id).about("name", &key.name).about("scopes", &scopes.join(", "));
    event.about("key_asks_as", &as_whom(key))
}

/// Says so where nobody is let in any more.
fn warn_if_closed(keys: &KeyFile, records: &[KeyRecord]) -> Result<()> {
    let now = Timestamp::now().as_second();
    if keys.are_required()? && !records.iter().any(|record| record.is_valid(now)) {
        eprintln!(
            "No key is valid any more, and there were keys: a server over this index lets nobody in until one is made with \
             `quarry keys create NAME --scope search`."
        );
    }
    Ok(())
}

fn list(records: &[KeyRecord]) {
    let mut rows = table(&["id", "name", "scopes", "as", "sources", "made", "expires", "state"]);
    let now = Timestamp::now().as_second();
    for record in records {
        let scopes: Vec<&str> = record.scopes.iter().map(|scope| scope.name()).collect();
        let state = match record {
            KeyRecord { revoked: Some(second), .. } => format!("revoked {}", output::time(*second)),
            record if !record.is_valid(now) => "expired".to_string(),
            _ => "valid".to_string(),
        };
        rows.add_row([
            record.id.clone(),
            shown(&record.name).into_owned(),
            scopes.join(", "),
            as_whom(record),
            record.holder.sources.as_ref().map_or_else(|| "all".to_string(), |all| shown(&all.join(", ")).into_owned()),
            output::time(record.created),
            record.expires.map_or_else(|| "never".to_string(), output::time),
            state,
        ]);
    }
    println!("{rows}");
}

/// As whom a key asks: an administrator's sees everything.
fn as_whom(record: &KeyRecord) -> String {
    let all =
        record.holder.user.iter().chain(&record.holder.groups).map(|principal| shown(principal.as_str()).into_owned());
    match (all.collect::<Vec<_>>().join(", "), record.scopes.contains(&Scope::Admin)) {
        (nobody, false) if nobody.is_empty() => "everyone".to_string(),
        (nobody, true) if nobody.is_empty() => "everything".to_string(),
        (names, _) => names,
    }
}

impl KeyScope {
    fn into_scope(self) -> Scope {
        match self {
            Self::Search => Scope::Search,
            Self::Index => Scope::Index,
            Self::Admin => Scope::Admin,
        }
    }
}
