//! `quarry keys`: make, list and revoke the keys of the API.

use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::{Span, Timestamp};
use web::{KeyFile, KeyRecord, Scope};

use crate::cli::{KeyScope, KeysArgs, KeysCommand};
use crate::output::{self, table};
use crate::paths;
use crate::plain::shown;
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, args: &KeysArgs) -> Result<ExitCode> {
    let keys = KeyFile::of(&paths::data_dir(settings)?);
    match &args.command {
        KeysCommand::Create { name, scopes, days } => create(&keys, name, scopes, *days)?,
        KeysCommand::List => {
            let records = keys.records()?;
            list(&records);
            warn_if_closed(&keys, &records)?;
        }
        KeysCommand::Revoke { id } => {
            let record = keys.revoke(id)?;
            println!("revoked key {} ({})", record.id, record.name);
            warn_if_closed(&keys, &keys.records()?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn create(keys: &KeyFile, name: &str, scopes: &[KeyScope], days: Option<u32>) -> Result<()> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        bail!("a key needs a name that says what it is for, such as `intranet`");
    }
    let expires = days.map(|days| Timestamp::now().checked_add(Span::new().hours(i64::from(days) * 24))).transpose()?;
    let scopes = scopes.iter().map(|scope| scope.into_scope()).collect();
    let made = keys.create(name.trim(), scopes, expires.map(Timestamp::as_second))?;
    eprintln!("This is the only time that the key is shown; send it as `Authorization: Bearer KEY`.");
    println!("{}", made.key);
    Ok(())
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
    let mut rows = table(&["id", "name", "scopes", "made", "expires", "state"]);
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
            output::time(record.created),
            record.expires.map_or_else(|| "never".to_string(), output::time),
            state,
        ]);
    }
    println!("{rows}");
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
