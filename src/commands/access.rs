//! `quarry access`: who may see what, and why.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use storage::{
    Access, AccessRule, DocumentAccess, DocumentId, FilePermissions, Filter, Principal, Snapshot, SourceAccess, Store,
    View, model_of,
};

use super::search::principals_of;
use crate::audit;
use crate::cli::{AccessArgs, AccessCommand};
use crate::output::table;
use crate::paths;
use crate::plain::shown;
use crate::server::Server;
use crate::settings::Settings;
use crate::turn::in_turn;

/// Documents that are read at once.
const PAGE: usize = 500;

pub(crate) fn run(settings: &Settings, args: &AccessArgs) -> Result<ExitCode> {
    let folder = paths::data_dir(settings)?;
    match &args.command {
        AccessCommand::List => list(&Snapshot::open(&folder)?)?,
        AccessCommand::Set { source, entries, paths } => {
            if set(&folder, source, entries, paths.as_deref())? == By::Server {
                return Ok(ExitCode::SUCCESS);
            }
            let event = audit::event("access-changed").about("source", source).about("access", &entries.join(", "));
            audit::note(settings, &event.about("paths", paths.as_deref().unwrap_or("all")))?;
        }
        AccessCommand::Open { source } => {
            if open(&folder, source)? == By::Command {
                let event = audit::event("access-changed").about("source", source).about("access", "everyone");
                audit::note(settings, &event)?;
            }
        }
        AccessCommand::Explain { document, seen_as } => explain(&Snapshot::open(&folder)?, document, seen_as)?,
        AccessCommand::Check { source } => check(&Snapshot::open(&folder)?, source)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(snapshot: &Snapshot) -> Result<()> {
    let mut rows = table(&["source", "paths", "who may see it"]);
    let whole = snapshot.whole()?;
    let there = whole.sources().into_iter().map(|source| source.name.as_str());
    // Rules wait for a source that is not there yet, and stay for one that comes back.
    let names: BTreeSet<&str> = there.chain(snapshot.ruled_sources()).collect();
    for source in names {
        let rules = snapshot.source_access(source).map(SourceAccess::rules).unwrap_or_default();
        if let Some(permissions) = snapshot.file_permissions(source) {
            let said = match permissions {
                FilePermissions::Posix => "as the file system says (posix)",
                FilePermissions::Owner => "the owner of each file (owner)",
            };
            rows.add_row([shown(source).into_owned(), "all".into(), said.into()]);
        } else if rules.is_empty() {
            rows.add_row([shown(source).into_owned(), "all".into(), "whoever may search".into()]);
        }
        for AccessRule { paths, access } in rules {
            let paths = paths.as_deref().unwrap_or("all");
            rows.add_row([shown(source).into_owned(), shown(paths).into_owned(), in_words(access)]);
        }
    }
    println!("{rows}");
    Ok(())
}

/// Who has written what was said into the index, and into the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Command,
    Server,
}

fn set(folder: &Path, source: &str, entries: &[String], paths: Option<&str>) -> Result<By> {
    let rule = AccessRule { paths: paths.map(str::to_owned), access: Access::parse(entries)? };
    let with_known = |known: Option<&SourceAccess>| {
        let known = known.map(SourceAccess::rules).unwrap_or_default().iter();
        // What is said again of the same paths takes the place of what was said before.
        let others = known.filter(|known| paths.is_some() && known.paths.as_deref() != paths).cloned();
        SourceAccess::of(others.chain([rule.clone()]))
    };
    if let Some(server) = Server::of(folder)? {
        let rules = with_known(Snapshot::open(folder)?.source_access(source))?;
        server.set_access(source, &body_of(Some(&rules)))?;
        return Ok(By::Server);
    }
    let mut store = opened(folder, source)?;
    let rules = with_known(store.source_access(source))?;
    store.set_source_access(source, Some(rules))?;
    store.close()?;
    Ok(By::Command)
}

/// Rules as the server takes them.
fn body_of(rules: Option<&SourceAccess>) -> Value {
    let rules = rules.map(SourceAccess::rules).unwrap_or_default().iter();
    let rule = |rule: &AccessRule| {
        let lists: Vec<Vec<String>> = rule.access.lists().map(|list| list.entries()).collect();
        // No list at all lets everybody through; written down, it would let nobody.
        let access = if lists.is_empty() { json!(["everyone"]) } else { json!(lists) };
        json!({ "paths": rule.paths, "access": access })
    };
    rules.map(rule).collect()
}

/// Takes all rules of a source away.
fn open(folder: &Path, source: &str) -> Result<By> {
    if let Some(server) = Server::of(folder)? {
        server.set_access(source, &body_of(None))?;
        return Ok(By::Server);
    }
    let mut store = opened(folder, source)?;
    store.set_source_access(source, None)?;
    store.close()?;
    Ok(By::Command)
}

/// The index, opened for writing. Nothing is embedded: any model will do that it was made with.
fn opened(folder: &Path, source: &str) -> Result<Store> {
    let model = model_of(folder)?;
    let store = in_turn(folder, || Store::open(folder, &model))?;
    if store.sources().iter().all(|known| known.name != source) {
        let names: Vec<&str> = store.sources().iter().map(|known| known.name.as_str()).collect();
        eprintln!(
            "There is no source {source:?} yet (there are: {}); what was said holds once there is one.",
            names.join(", ")
        );
    }
    Ok(store)
}

fn explain(snapshot: &Snapshot, document: &str, seen_as: &[String]) -> Result<()> {
    let id = id_of(&*snapshot.whole()?, document)?;
    let missing = || format!("there is no document {document:?}; name it by its source and path, or its id");
    let access = snapshot.access_of(id)?.with_context(missing)?;
    println!("{}", shown(document));
    println!("  its source: {}", rule_in_words(&access));
    println!("  itself:     {}", access.own.as_ref().map_or("says nothing: open".to_owned(), in_words));
    println!("  together:   {}", in_words(&access.together()));
    if seen_as.is_empty() {
        return Ok(());
    }
    let principals = principals_of(seen_as)?;
    let together = access.together();
    let stopping = together.lists().find(|list| !list.admits(&principals));
    let who: Vec<&str> = principals.iter().map(Principal::as_str).collect();
    match stopping {
        None => println!("  {} may see it", who.join(", ")),
        Some(list) => println!("  {} may not see it: not let through by {}", who.join(", "), entries(&list.entries())),
    }
    Ok(())
}

/// The id of a document that is named by its source and path, or by itself.
fn id_of(view: &View, document: &str) -> Result<DocumentId> {
    let by_path = view.sources().into_iter().find_map(|source| {
        let path = document.strip_prefix(source.name.as_str())?.strip_prefix('/')?;
        Some(DocumentId::of(&source.name, path))
    });
    let by_path = by_path.filter(|id| view.places(*id).is_ok_and(|places| !places.is_empty()));
    by_path.or_else(|| DocumentId::parse(document)).with_context(|| {
        format!("there is no document {document:?}; expected its source and path, as in wiki/leave.md, or its id")
    })
}

fn rule_in_words(access: &DocumentAccess) -> String {
    match &access.rule {
        None => "says nothing: open".to_owned(),
        Some((place, AccessRule { paths, access })) => {
            let paths = paths.as_deref().map_or("all of it".to_owned(), |paths| format!("paths {paths}"));
            format!("{} (rule {}, for {})", in_words(access), place + 1, shown(&paths))
        }
    }
}

fn check(snapshot: &Snapshot, source: &str) -> Result<()> {
    let whole = snapshot.whole()?;
    whole.source(source).with_context(|| format!("there is no source {source:?}"))?;
    let filter = Filter { sources: vec![source.to_owned()], ..Filter::default() };
    let (mut after, mut counts) = (None, [0usize; 3]);
    loop {
        let page = whole.documents(&filter, after, PAGE)?;
        for document in &page.documents {
            let access =
                snapshot.access_of(document.id())?.map(|access| access.together()).unwrap_or_else(Access::nobody);
            let (kind, word) = match (access.is_closed(), access.is_open()) {
                (true, _) => (0, "nobody"),
                (_, true) => (1, "everybody"),
                _ => (2, ""),
            };
            counts[kind] += 1;
            if !word.is_empty() {
                println!("{word}\t{}", shown(&document.path));
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let [nobody, everybody, some] = counts;
    println!(
        "{source}: {nobody} documents that nobody but administrators can see, {everybody} that whoever may search can see, {some} that some can see"
    );
    Ok(())
}

fn in_words(access: &Access) -> String {
    if access.is_open() {
        return "whoever may search".to_owned();
    }
    if access.is_closed() {
        return "nobody but administrators".to_owned();
    }
    let lists: Vec<String> = access.lists().map(|list| entries(&list.entries())).collect();
    lists.join(" and ")
}

fn entries(entries: &[String]) -> String {
    let all: Vec<_> = entries.iter().map(|entry| shown(entry).into_owned()).collect();
    format!("[{}]", all.join(", "))
}
