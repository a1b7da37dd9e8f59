//! Carrying out the changes that one request asks for.
//!
//! In this order: everything is checked that can be without the disk, all contents become durable drafts, a place in the
//! writer's order is reserved and waited for, and then, while nobody else changes pushed files, names are checked on disk,
//! files are put in place and handed to the writer. So a request that is refused has changed nothing, and nothing that was
//! accepted earlier undoes what was put in place. What fails afterwards (a disk) is reported for each change, and what is in
//! place is always handed to the writer, also when the client has gone. Removals come before what is put.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use storage::{Access, DocumentId, FileState, LedgerEntry, Source};
use tokio::time::Instant;

use super::push::Pushed;
use crate::app::App;
use crate::engine::Engine;
use crate::error::Error;
use crate::links;
use crate::pushed::{Draft, Placing, Presence, above, check_path};
use crate::traffic::Ticket;
use crate::writer::{Committed, Placed as Handed, Turn};

/// Problems of one request that are reported together.
const REPORTED: usize = 10;
/// The last second of the year 9999, of Unix time.
const LAST_SECOND: i64 = 253_402_300_799;

/// A change of one file.
pub(super) struct Edit {
    /// What to call it in an error, such as `line 3`; empty if it is the only one.
    pub(super) label: String,
    pub(super) source: Source,
    pub(super) path: String,
    /// The new content; `None` deletes.
    pub(super) content: Option<Content>,
}

/// What a file is to hold.
pub(super) struct Content {
    pub(super) text: Text,
    /// Time of its last change, seconds of Unix time; now if it is left out.
    pub(super) modified: Option<i64>,
    /// Its address in the system that it comes from.
    pub(super) url: Option<String>,
    /// Who may see it; as it was said before if it is left out.
    pub(super) access: Option<Access>,
}

/// Where the content is.
pub(super) enum Text {
    Memory(Vec<u8>),
    Draft(Draft),
}

/// The changes of one request, with the memory that their texts take.
pub(super) struct Edits {
    pub(super) list: Vec<Edit>,
    pub(super) room: Option<Ticket>,
}

/// What became of a change.
pub(super) struct Outcome {
    pub(super) item: Pushed,
    /// Why the server could not do it, if it is the server's fault.
    pub(super) undone: Option<Error>,
}

/// Checked changes.
struct Plan {
    lines: Vec<Line>,
    _room: Option<Ticket>,
}

struct Line {
    label: String,
    source: Source,
    path: String,
    act: Act,
}

enum Act {
    Put(Content),
    Remove(Presence),
    /// A later change of the same path has the last word.
    Replaced {
        by: String,
    },
    Failed(Error),
}

/// The plan once it is in place, and what the writer has of it.
struct Placed {
    lines: Vec<Line>,
    handed: Vec<Handed>,
}

/// Carries changes out for a client, has them committed, and waits for that as long as a request may take.
///
/// # Errors
/// What was wrong with them, and then nothing has changed.
pub(super) async fn carry_out(app: &Arc<App>, client: String, edits: Edits) -> Result<Vec<Outcome>, Error> {
    let patience = Instant::now() + app.patience() * 4 / 5;
    let plan = Plan::of(edits)?;
    let wanted = plan.wanted();
    let plan = on_disk(app, move |app| plan.drafted(app, &client)).await?;
    // From here on, nothing that was accepted earlier undoes it.
    let turn = app.engine()?.writer.reserve(wanted)?.cleared(patience).await?;
    let placed = on_disk(app, move |app| plan.placed(app.engine()?, turn)).await?;
    Ok(placed.committed(patience).await)
}

/// Does work on the disk once there is room for it. It goes on to its end also if nobody waits any more.
async fn on_disk<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&App) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let keeping = app.in_time(app.traffic.keep()).await?;
    let keeper = Arc::clone(app);
    let done = tokio::task::spawn_blocking(move || {
        let _keeping = keeping;
        work(&keeper)
    });
    done.await.map_err(|error| Error::internal(format!("a change of documents panicked: {error}")))?
}

impl Plan {
    /// Checks paths, and changes against each other.
    fn of(edits: Edits) -> Result<Self, Error> {
        let Edits { list, room } = edits;
        let mut last = HashMap::new();
        for (number, edit) in list.iter().enumerate() {
            last.insert((edit.source.name.clone(), edit.path.clone()), number);
        }
        let labels: Vec<String> = list.iter().map(|edit| edit.label.clone()).collect();
        let mut lines = Vec::new();
        let mut problems = Vec::new();
        for (number, Edit { label, source, path, content }) in list.into_iter().enumerate() {
            let modified = content.as_ref().and_then(|content| content.modified);
            let url = content.as_ref().and_then(|content| content.url.as_deref());
            let checked = check_path(&path).and_then(|()| check_modified(modified)).and_then(|()| check_url(url));
            problems.extend(checked.err().map(|error| labelled(&label, error)));
            let by = last.get(&(source.name.clone(), path.clone())).copied().unwrap_or(number);
            let act = match content {
                _ if by != number => Act::Replaced { by: labels[by].clone() },
                Some(content) => Act::Put(content),
                None => Act::Remove(Presence::There),
            };
            lines.push(Line { label, source, path, act });
        }
        problems.extend(clashes(&lines));
        match together(problems) {
            Some(error) => Err(error),
            None => Ok(Self { lines, _room: room }),
        }
    }

    /// The paths that it changes, by source.
    fn wanted(&self) -> Vec<(Source, Vec<String>)> {
        let mut sources: BTreeMap<&str, (Source, Vec<String>)> = BTreeMap::new();
        for Line { source, path, .. } in self.lines.iter().filter(|line| !matches!(line.act, Act::Replaced { .. })) {
            sources.entry(&source.name).or_insert_with(|| (source.clone(), Vec::new())).1.push(path.clone());
        }
        sources.into_values().collect()
    }

    /// Makes every content durable, none of them in place.
    fn drafted(mut self, app: &App, client: &str) -> Result<Self, Error> {
        let pushed = &app.engine()?.pushed;
        for line in &mut self.lines {
            let Act::Put(content) = &mut line.act else { continue };
            if let Text::Memory(text) = &content.text {
                let mut draft = pushed.draft(app.traffic.unfinished.take(client, 0)?)?;
                draft.append(text)?;
                content.text = Text::Draft(draft);
            }
            if let Text::Draft(draft) = &mut content.text {
                draft.finish(content.modified)?;
            }
        }
        Ok(self)
    }

    /// Puts everything in place and hands it to the writer.
    fn placed(mut self, engine: &Engine, turn: Turn) -> Result<Placed, Error> {
        let mut placing = engine.pushed.lock();
        self.check_names(&placing)?;
        self.close(&mut placing)?;
        self.lines
            .iter_mut()
            .filter(|line| matches!(line.act, Act::Remove(_)))
            .for_each(|line| line.place(&mut placing));
        self.lines.iter_mut().filter(|line| matches!(line.act, Act::Put(_))).for_each(|line| line.place(&mut placing));
        let synced = placing.sync();
        // Also what could not be put in place: the writer finds it as it was.
        let handed = turn.commit();
        if let Err(error) = synced {
            tracing::error!("pushed documents are in place, and may not be after a power loss: {error}");
            let in_place = self.lines.iter_mut().filter(|line| line.is_in_place());
            in_place.for_each(|line| line.act = Act::Failed(Error::internal(&error)));
        }
        Ok(Placed { lines: self.lines, handed })
    }

    /// Closes what others are going to see than before, until its new text is in place.
    fn close(&self, placing: &mut Placing) -> Result<(), Error> {
        let closing = self.lines.iter().filter_map(|Line { source, path, act, .. }| match act {
            Act::Put(Content { access: Some(access), .. }) => Some((source, path.clone(), access.clone())),
            _ => None,
        });
        placing.close(closing.collect())
    }

    /// Checks names against what lies on disk.
    fn check_names(&mut self, placing: &Placing) -> Result<(), Error> {
        let is_removal = |line: &&Line| matches!(line.act, Act::Remove(_));
        let goes: HashSet<(String, String)> =
            self.lines.iter().filter(is_removal).map(|line| (line.source.name.clone(), line.path.clone())).collect();
        let mut problems = Vec::new();
        for line in &mut self.lines {
            let Line { label, source, path, act } = line;
            let checked = match act {
                Act::Put(_) => {
                    placing.check_put(source, path, &|path| goes.contains(&(source.name.clone(), path.to_string())))
                }
                Act::Remove(presence) => placing.check_remove(source, path).map(|found| *presence = found),
                Act::Replaced { .. } | Act::Failed(_) => Ok(()),
            };
            problems.extend(checked.err().map(|error| labelled(label, error)));
        }
        together(problems).map_or(Ok(()), Err)
    }
}

impl Line {
    fn place(&mut self, placing: &mut Placing) {
        let placed = match &self.act {
            Act::Put(Content { text: Text::Draft(draft), url, .. }) => {
                placing.put(&self.source, &self.path, draft, url.as_deref())
            }
            Act::Put(Content { text: Text::Memory(_), .. }) => Err(Error::internal("a content without a draft")),
            Act::Remove(_) => placing.remove(&self.source, &self.path),
            Act::Replaced { .. } | Act::Failed(_) => Ok(()),
        };
        if let Err(error) = placed {
            error.log();
            self.act = Act::Failed(error);
        }
    }

    fn is_in_place(&self) -> bool {
        matches!(self.act, Act::Put(_) | Act::Remove(_))
    }

    /// What became of it, with the ledger's lines if its source is committed.
    fn outcome(self, job: u64, committed: Option<&Committed>) -> Outcome {
        let entry = |entries: &[LedgerEntry]| entries.iter().find(|entry| entry.path == self.path).cloned();
        let (state, reason, passages, undone) = match (self.act, committed) {
            (Act::Failed(error), _) => ("failed", error.problem().detail, 0, Some(error)),
            (Act::Replaced { by }, _) => ("replaced", format!("{by} changes the same document and counts"), 0, None),
            (_, None) => ("queued", String::new(), 0, None),
            (_, Some(Err(why))) => ("failed", why.words.clone(), 0, Some(Error::Unwritable(why.clone()))),
            (act, Some(Ok(entries))) => match (entry(entries), act) {
                (Some(entry), _) => (entry.state.label(), FileState::reason(&entry.state), entry.chunks, None),
                (None, Act::Remove(Presence::Missing)) => {
                    ("deleted", "there was no such document".to_string(), 0, None)
                }
                (None, _) => ("deleted", String::new(), 0, None),
            },
        };
        let id = DocumentId::of(&self.source.name, &self.path).to_string();
        Outcome { item: Pushed { id, source: self.source.name, path: self.path, state, reason, passages, job }, undone }
    }
}

impl Placed {
    /// Waits for all commits until the time is over.
    async fn committed(self, patience: Instant) -> Vec<Outcome> {
        let mut known = BTreeMap::new();
        for Handed { source, job, answer } in self.handed {
            let committed = match tokio::time::timeout_at(patience, answer).await {
                Ok(Ok(committed)) => Some(committed),
                // The writer ended without it: it is found at the next start.
                Ok(Err(_)) | Err(_) => None,
            };
            known.insert(source.name, (job, committed));
        }
        let outcome = |line: Line| {
            let (job, committed) = known.get(&line.source.name).map_or((0, None), |(job, done)| (*job, done.as_ref()));
            let job = if matches!(line.act, Act::Failed(_)) { 0 } else { job };
            line.outcome(job, committed)
        };
        self.lines.into_iter().map(outcome).collect()
    }
}

/// Documents that would lie inside of one another.
fn clashes(lines: &[Line]) -> Vec<Error> {
    let puts = || lines.iter().filter(|line| matches!(line.act, Act::Put(_)));
    let names: HashMap<(&str, &str), &str> =
        puts().map(|line| ((line.source.name.as_str(), line.path.as_str()), line.label.as_str())).collect();
    let clash = |line: &Line| {
        let (above, label) =
            above(&line.path).find_map(|above| Some((above, names.get(&(&line.source.name, above))?)))?;
        let detail = format!(
            "{}: {label} puts a document at {above}; a folder and a document cannot have the same name",
            line.path
        );
        Some(labelled(&line.label, Error::Conflict { detail }))
    };
    puts().filter_map(clash).collect()
}

fn check_modified(modified: Option<i64>) -> Result<(), Error> {
    match modified {
        Some(seconds) if seconds > LAST_SECOND => {
            Err(Error::bad(format!("modified: expected seconds of Unix time, at most {LAST_SECOND}, got {seconds}")))
        }
        _ => Ok(()),
    }
}

fn check_url(url: Option<&str>) -> Result<(), Error> {
    url.and_then(links::fault).map_or(Ok(()), |fault| Err(Error::bad(format!("url: {fault}"))))
}

/// An error of one change, with what the change is called before it.
pub(super) fn labelled(label: &str, error: Error) -> Error {
    if label.is_empty() {
        return error;
    }
    let labelled = |detail: String| format!("{label}: {detail}");
    match error {
        Error::BadRequest { detail } => Error::BadRequest { detail: labelled(detail) },
        Error::Conflict { detail } => Error::Conflict { detail: labelled(detail) },
        Error::NotWhole { detail } => Error::NotWhole { detail: labelled(detail) },
        other => other,
    }
}

/// The first problem, with the others of its kind.
pub(super) fn together(problems: Vec<Error>) -> Option<Error> {
    let kind = std::mem::discriminant(problems.first()?);
    let (same, rest): (Vec<Error>, Vec<Error>) =
        problems.into_iter().partition(|error| std::mem::discriminant(error) == kind);
    let mut details: Vec<String> = same.iter().take(REPORTED).map(ToString::to_string).collect();
    let untold = same.len() - details.len() + rest.len();
    if untold > 0 {
        details.push(format!("and {untold} more"));
    }
    let detail = details.join("; ");
    Some(match same.into_iter().next()? {
        Error::BadRequest { .. } => Error::BadRequest { detail },
        Error::Conflict { .. } => Error::Conflict { detail },
        Error::NotWhole { .. } => Error::NotWhole { detail },
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::Failure;

    fn edit(label: &str, path: &str, text: Option<&str>) -> Edit {
        let source = Source { name: "api".to_string(), root: "/nowhere".into() };
        let content =
            text.map(|text| Content { text: Text::Memory(text.into()), modified: None, url: None, access: None });
        Edit { label: label.to_string(), source, path: path.to_string(), content }
    }

    fn full() -> Error {
        Error::Unwritable(Failure::disk(&std::io::Error::from(std::io::ErrorKind::StorageFull)))
    }

    fn plan(edits: Vec<Edit>) -> Result<Plan, Error> {
        Plan::of(Edits { list: edits, room: None })
    }

    #[test]
    fn all_problems_are_told_before_anything_is_done() {
        let bad = plan(vec![
            edit("line 1", "a.md", Some("x")),
            edit("line 2", "../b.md", Some("x")),
            edit("line 3", "c/", None),
        ]);
        let detail = bad.err().unwrap().to_string();
        assert!(detail.starts_with("line 2: path") && detail.contains("; line 3: path"), "{detail}");
        let clash = plan(vec![edit("line 1", "a", Some("x")), edit("line 2", "a/b/c.md", Some("x"))]);
        let error = clash.err().unwrap();
        assert!(
            matches!(&error, Error::Conflict { detail } if detail.contains("line 1 puts a document at a;")),
            "{error}"
        );
        let many = (0..50).map(|number| edit(&format!("line {number}"), "", None)).collect();
        assert!(plan(many).err().unwrap().to_string().ends_with("and 40 more"));
        let mut late = edit("", "a.md", Some("x"));
        late.content.as_mut().unwrap().modified = Some(i64::MAX);
        assert!(plan(vec![late]).err().unwrap().to_string().starts_with("modified: "));
    }

    #[test]
    fn the_last_change_of_a_path_counts_and_removals_make_room() {
        let plan = plan(vec![
            edit("line 1", "a.md", Some("first")),
            edit("line 2", "a.md", None),
            edit("line 3", "a.md", Some("last")),
            edit("line 4", "b", None),
            edit("line 5", "b/c.md", Some("x")),
        ]);
        let acts: Vec<&str> = plan
            .unwrap()
            .lines
            .iter()
            .map(|line| match &line.act {
                Act::Put(_) => "put",
                Act::Remove(_) => "remove",
                Act::Replaced { by } => {
                    if by == "line 3" {
                        "replaced"
                    } else {
                        "?"
                    }
                }
                Act::Failed(_) => "failed",
            })
            .collect();
        assert_eq!(acts, ["replaced", "replaced", "put", "remove", "put"]);
    }

    #[test]
    fn what_the_server_could_not_do_is_told_of_that_line_alone() {
        let line = |act| {
            let Edit { label, source, path, .. } = edit("line 1", "a.md", None);
            Line { label, source, path, act }
        };
        let committed: Committed = Ok(Vec::new());
        let Outcome { item, undone } = line(Act::Failed(full())).outcome(0, Some(&committed));
        assert_eq!(item.state, "failed");
        assert!(item.reason.contains("the disk refused"), "{}", item.reason);
        assert!(matches!(undone, Some(Error::Unwritable(_))));
        let Outcome { item, undone } = line(Act::Remove(Presence::There)).outcome(7, Some(&committed));
        assert_eq!((item.state, item.job, undone.is_none()), ("deleted", 7, true));
        let failed: Committed = Err(Failure::other("the index failed"));
        let Outcome { item, undone } = line(Act::Remove(Presence::There)).outcome(7, Some(&failed));
        assert_eq!((item.state, item.reason.as_str(), undone.is_some()), ("failed", "the index failed", true));
        assert_eq!(line(Act::Remove(Presence::There)).outcome(7, None).item.state, "queued");
    }
}
