//! `quarry users`: people who sign in with a password.

use std::io::{IsTerminal as _, Read as _, stdin};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use web::{Scope, UserFile, UserRecord};

use crate::audit;
use crate::cli::{PasswordArgs, UsersArgs, UsersCommand, YesOrNo};
use crate::output::{self, table};
use crate::paths;
use crate::plain::shown;
use crate::settings::Settings;

/// Bytes of standard input that can be a password.
const MAX_INPUT: u64 = 4_096;

pub(crate) fn run(settings: &Settings, args: &UsersArgs) -> Result<ExitCode> {
    let users = UserFile::of(&paths::data_dir(settings)?);
    let note = |event, user: &UserRecord| {
        let groups: Vec<&str> = user.groups.iter().map(String::as_str).collect();
        let scopes: Vec<&str> = user.scopes.iter().map(|scope| scope.name()).collect();
        let event = audit::event(event).about("user", &user.name).about("scopes", &scopes.join(", "));
        audit::note(settings, &event.about("groups", &groups.join(", ")))
    };
    match &args.command {
        UsersCommand::Add { name, admin, groups, password } => {
            let added =
                users.add(name, &read(*password)?, scopes(if *admin { YesOrNo::Yes } else { YesOrNo::No }), groups)?;
            println!("added {}", shown(&added.name));
            note("user-added", &added)?;
        }
        UsersCommand::Passwd { name, password } => {
            let changed = users.set_password(name, &read(*password)?)?;
            println!("changed the password of {}", shown(&changed.name));
            note("password-changed", &changed)?;
        }
        UsersCommand::Set { name, admin } => {
            let changed = users.set_scopes(name, scopes(*admin))?;
            let may = if *admin == YesOrNo::Yes { "do everything" } else { "search, and do nothing else" };
            println!("{} may {may}", shown(&changed.name));
            note("user-changed", &changed)?;
        }
        UsersCommand::Disable { name } => {
            let disabled = users.set_disabled(name, Some(Timestamp::now().as_second()))?;
            println!("disabled {}", shown(&disabled.name));
            note("user-disabled", &disabled)?;
        }
        UsersCommand::Enable { name } => {
            let enabled = users.set_disabled(name, None)?;
            println!("enabled {}", shown(&enabled.name));
            note("user-enabled", &enabled)?;
        }
        UsersCommand::Remove { name } => {
            let removed = users.remove(name)?;
            println!("removed {}", shown(&removed.name));
            note("user-removed", &removed)?;
        }
        UsersCommand::List => list(&users.records()?),
    }
    warn_if_closed(&users)?;
    Ok(ExitCode::SUCCESS)
}

fn scopes(of: YesOrNo) -> Vec<Scope> {
    vec![if of == YesOrNo::Yes { Scope::Admin } else { Scope::Search }]
}

/// A password from where nobody looks on: never from the command line, which others on the machine can read.
fn read(args: PasswordArgs) -> Result<String> {
    if args.password_stdin {
        let mut text = String::new();
        stdin().take(MAX_INPUT).read_to_string(&mut text).context("cannot read the password from standard input")?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(line.strip_suffix('\r').unwrap_or(line).to_string());
    }
    if !stdin().is_terminal() {
        bail!("there is no terminal to ask for the password; give it on standard input with --password-stdin");
    }
    let ask = |prompt: &str| rpassword::prompt_password(prompt).context("cannot read the password from the terminal");
    let password = ask("Password: ")?;
    if ask("The same again: ")? != password {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(password)
}

/// Says so where nobody can sign in any more.
fn warn_if_closed(users: &UserFile) -> Result<()> {
    if users.are_required()? && users.records()?.iter().all(|user| user.disabled.is_some()) {
        eprintln!(
            "Nobody may sign in any more, and there were users: a server over this index lets in only those with a key until \
             somebody is added with `quarry users add` or enabled."
        );
    }
    Ok(())
}

fn list(users: &[UserRecord]) {
    let mut rows = table(&["name", "scopes", "groups", "added", "state"]);
    for user in users {
        let scopes: Vec<&str> = user.scopes.iter().map(|scope| scope.name()).collect();
        let groups: Vec<&str> = user.groups.iter().map(String::as_str).collect();
        rows.add_row([
            shown(&user.name).into_owned(),
            scopes.join(", "),
            shown(&groups.join(", ")).into_owned(),
            output::time(user.created),
            user.disabled.map_or_else(|| "able".to_string(), |second| format!("disabled {}", output::time(second))),
        ]);
    }
    println!("{rows}");
}
