//! `quarry groups`: who of the users is in which group.

use std::process::ExitCode;

use anyhow::Result;
use web::UserFile;

use crate::audit;
use crate::cli::{GroupsArgs, GroupsCommand};
use crate::output::table;
use crate::paths;
use crate::plain::shown;
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, args: &GroupsArgs) -> Result<ExitCode> {
    let users = UserFile::of(&paths::data_dir(settings)?);
    match &args.command {
        GroupsCommand::Add { group, names } => {
            users.join(group, names)?;
            note(settings, "group-joined", group, names)?;
        }
        GroupsCommand::Remove { group, names } => {
            users.leave(group, names)?;
            note(settings, "group-left", group, names)?;
        }
        GroupsCommand::List => {}
    }
    let mut rows = table(&["group", "users"]);
    for (group, names) in users.groups()? {
        rows.add_row([shown(&group).into_owned(), shown(&names.join(", ")).into_owned()]);
    }
    println!("{rows}");
    Ok(ExitCode::SUCCESS)
}

fn note(settings: &Settings, event: &'static str, group: &str, names: &[String]) -> Result<()> {
    let users = if names.is_empty() { "everybody".to_string() } else { names.join(", ") };
    audit::note(settings, &audit::event(event).about("group", group).about("users", &users))
}
