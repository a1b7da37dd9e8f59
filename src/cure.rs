//! The cure of an error: what helps, with the commands and flags that libraries do not know.

use std::error::Error;

use connect::ConnectError;
use indexer::IndexError;
use searcher::{Counted, RequestError, SearchError};
use storage::{BackupError, chain};
use web::{RunningServerError, ServeError};

/// An error with its causes and, where there is one, its cure: in one line, unless what it quotes has several.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let causes = chain(error.as_ref());
    match error.chain().find_map(cure) {
        Some(cure) => format!("{causes}; {cure}"),
        None => causes,
    }
}

fn cure(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = cause.downcast_ref::<storage::Error>() {
        return of_store(error);
    }
    if let Some(error) = cause.downcast_ref::<qwen3::Error>() {
        return of_model(error);
    }
    if let Some(error) = cause.downcast_ref::<BackupError>() {
        return of_backup(error);
    }
    if let Some(ConnectError::Private { .. }) = cause.downcast_ref::<ConnectError>() {
        return Some("on the command line that is --allow-private");
    }
    // These pass on what the store or a model said, as if it were their own.
    match cause.downcast_ref::<IndexError>() {
        Some(IndexError::Storage(error)) => return of_store(error),
        Some(IndexError::Model(error)) => return of_model(error),
        Some(IndexError::SuddenlyEmpty { .. } | IndexError::ManyGone { .. }) => {
            return Some("if they were really deleted, run `quarry index --accept-deletions` with this folder");
        }
        _ => {}
    }
    match cause.downcast_ref::<SearchError>() {
        Some(SearchError::Storage(error)) => return of_store(error),
        Some(SearchError::Model(error)) => return of_model(error),
        _ => {}
    }
    if let Some(RequestError::OverLimit { what: Counted::Results, .. }) = cause.downcast_ref::<RequestError>() {
        return Some("ask for fewer with --top and --offset");
    }
    match cause.downcast_ref::<RunningServerError>() {
        Some(RunningServerError::Unreachable { .. }) => {
            return Some("run the command as the user that the server runs as");
        }
        Some(RunningServerError::NoAnswer(_)) => {
            return Some("see whether it still runs, and run the same command again");
        }
        Some(RunningServerError::Unreadable(_)) => {
            return Some("start the server again, with the quarry of this command");
        }
        _ => {}
    }
    match cause.downcast_ref::<ServeError>()? {
        ServeError::Open(error) => cure(error.as_ref()),
        ServeError::Bind { .. } => Some("choose another address with --listen"),
        ServeError::Socket { .. } => {
            Some("stop what uses it, remove it, or choose another auth.proxy_socket in quarry.toml")
        }
        ServeError::Tls(_) => Some("name other files in server.tls_certificate and server.tls_key of quarry.toml"),
        ServeError::Unprotected { .. } => Some(
            "add somebody with `quarry users add NAME --admin`, create a key with `quarry keys create NAME --scope search`, or \
             name a trusted proxy in quarry.toml ([auth] proxy_header, proxy_from); with set_up in [auth], a link to make the \
             first administrator is printed instead",
        ),
        _ => None,
    }
}

fn of_store(error: &storage::Error) -> Option<&'static str> {
    use storage::Error as E;
    if error.is_damage() {
        return Some("run `quarry verify --repair`");
    }
    match error {
        E::Locked { .. } => Some("wait until it is done, or choose another one with --data-dir"),
        E::Follows { .. } => Some(
            "make the change where the backups are made; `quarry serve --follow DIR` brings it here, and without its follows.json, \
             with no server running, the folder is an index of its own",
        ),
        E::NoIndex { .. } => Some("make one with `quarry index FOLDER`"),
        E::NothingReplaced { .. } => Some("`quarry index --rebuild` keeps what it replaces"),
        E::NoTotals { .. } => Some("run `quarry index` once, as the user whose index it is"),
        E::Format { found, expected, .. } if found > expected => {
            Some("it was written by a newer quarry: use that one, or index into a new folder with --data-dir")
        }
        E::Format { .. } => Some("it is too old to be brought forward: make it anew with `quarry index --rebuild`"),
        E::Outdated { .. } => Some("run `quarry index` or `quarry serve`"),
        E::NotUpgradable { .. } => Some("make it anew with `quarry index --rebuild`"),
        E::Model { .. } => {
            Some("name the index's model with --model, choose another --data-dir, or run `quarry index --rebuild`")
        }
        E::SourceRoot { .. } => Some("choose another name with --name"),
        other => other.system().as_ref().and_then(of_system),
    }
}

fn of_backup(error: &BackupError) -> Option<&'static str> {
    use BackupError as E;
    match error {
        E::Store(error) => of_store(error),
        E::Destination { source, .. } if storage::is_full(source) => Some(
            "free some space there, or keep fewer backups with --keep, and run the same command again; the index is as it was",
        ),
        E::Destination { source, .. } => match source.kind() {
            std::io::ErrorKind::PermissionDenied => Some("check the permissions there; the index is as it was"),
            std::io::ErrorKind::NotFound => {
                Some("check that it is mounted and that the folder which it lies in exists; the index is as it was")
            }
            _ => Some("check that it can be reached, and run the same command again; the index is as it was"),
        },
        E::NotARepository { .. } | E::Inside { .. } => Some("name another folder"),
        E::Format { .. } => Some("use the quarry that wrote them, or name another folder"),
        E::InUse { .. } => Some("wait until it is done"),
        E::NoBackup { .. } => Some("`quarry backup DEST --list` shows what is there, `quarry backup DEST` makes one"),
        E::Damaged { .. } | E::Unsound { .. } => Some(
            "`quarry backup DEST --verify` says which backups are damaged; take another one with `quarry restore SRC --at TIME`",
        ),
        E::NotEmpty { .. } => Some("name another one with --data-dir, or move away what is in it"),
        E::Stopped => None,
    }
}

fn of_system(answer: &std::io::Error) -> Option<&'static str> {
    match answer.kind() {
        _ if storage::is_full(answer) => {
            Some("free some space and run the same command again, nothing that was committed is lost")
        }
        std::io::ErrorKind::PermissionDenied => Some("check the permissions, or choose another folder with --data-dir"),
        _ => None,
    }
}

fn of_model(error: &qwen3::Error) -> Option<&'static str> {
    match error {
        qwen3::Error::Unusable { .. } => Some(
            "[embedding] and [reranking] in quarry.toml name it; an index is made anew with `quarry index --rebuild`",
        ),
        qwen3::Error::Device { .. } => Some("name another device with --device, or another precision with --precision"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use anyhow::Context as _;

    use super::*;

    fn denied() -> storage::Error {
        storage::Error::Io { action: "open", path: PathBuf::from("/x"), source: io::Error::from_raw_os_error(13) }
    }

    #[test]
    fn a_cause_is_told_once_with_its_cure_behind_it() {
        let plain = "cannot open /x: Permission denied (os error 13); check the permissions, or choose another folder \
                     with --data-dir";
        assert_eq!(told(&denied().into()), plain);
        let searched = SearchError::Storage(denied());
        assert_eq!(told(&searched.into()), plain, "a room that passes it on adds nothing");
        let within = Err::<(), _>(IndexError::Storage(denied())).context("docs").unwrap_err();
        assert_eq!(told(&within), format!("docs: {plain}"));
        let opened =
            ServeError::Open(anyhow::Error::from(denied()).reallocate_into_boxed_dyn_error_without_backtrace());
        assert_eq!(told(&opened.into()), plain);
        assert_eq!(told(&anyhow::anyhow!("nothing is known of this")), "nothing is known of this");
    }
}
