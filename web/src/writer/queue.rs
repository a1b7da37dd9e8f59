//! The queue of what is asked of the writer and not done yet: who waits for what, in which order it may be done, and
//! whose turn it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use storage::{FilePermissions, LedgerEntry, Source, SourceAccess};
use tokio::sync::oneshot;

use super::Look;
use super::backup::PinOrder;
use super::condition::{Condition, Failure};
use super::journal::EntryId;
use super::order::{Order, PlaceId, Stage};
use super::syncs::Syncs;
use super::timetable::Timetable;
use super::turns::{Kind, Turns};

/// Files of one commit of changes.
const MAX_PATHS: usize = 1_000;

/// What became of the files of a change: their ledger lines, without those that are gone; or why nothing did.
pub(crate) type Committed = Result<Vec<LedgerEntry>, Failure>;

/// Who may see a source from now on, and who waits for that.
pub(super) struct AccessOrder {
    pub(super) source: String,
    pub(super) news: AccessNews,
    pub(super) reply: oneshot::Sender<()>,
}

/// What is said of who may see a source.
pub(crate) enum AccessNews {
    /// These rules, or none.
    Rules(Option<SourceAccess>),
    /// What its files say, or that they say nothing.
    Files(Option<FilePermissions>),
}

/// Everything that waits.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) order: Order,
    pub(super) changes: BTreeMap<PlaceId, Change>,
    pub(super) runs: BTreeMap<PlaceId, Run>,
    /// What is fetched for passes over mirrored sources.
    pub(super) syncs: Syncs,
    /// What is said of who may see sources: before all else.
    pub(super) accesses: Vec<AccessOrder>,
    /// Backups that wait for the data folder to be pinned: behind those, before all else.
    pub(super) pins: Vec<PinOrder>,
    pub(super) turns: Turns,
    pub(super) timetable: Timetable,
    /// Where each source was found, for runs that nobody asked for.
    pub(super) known: BTreeMap<String, Source>,
    /// Sources named at start that were never indexed and are not yet.
    pub(super) awaited: BTreeSet<String>,
    pub(super) condition: Condition,
    /// When vectors are made that are still to come.
    pub(super) backlog: Option<Instant>,
    /// The job of that, as long as vectors are to come.
    pub(super) backlog_job: Option<u64>,
    /// What stands in the journal while somebody holds that up.
    pub(super) backlog_paused: Option<EntryId>,
    /// About how long that takes.
    pub(super) seconds_left: Option<f64>,
    pub(super) stopping: bool,
}

/// Files of a source that are put or removed, and who waits for the commit.
pub(super) struct Change {
    pub(super) job: u64,
    pub(super) source: Source,
    pub(super) paths: Vec<String>,
    /// Told when the files may be put in place.
    pub(super) clear: Option<oneshot::Sender<()>>,
    /// Told what became of it.
    pub(super) reply: Option<oneshot::Sender<Committed>>,
    /// How often it failed.
    pub(super) tries: u32,
    /// Whether these are files that a sync has brought which goes on: nobody waits for them, and its pass looks at them again.
    pub(super) is_interim: bool,
}

/// Work on a whole source.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) job: u64,
    pub(super) source: Source,
    pub(super) task: Task,
    pub(super) origin: Origin,
    /// Its line in the journal, if it was acknowledged.
    pub(super) entry: Option<EntryId>,
    /// How often it failed.
    pub(super) tries: u32,
    /// What is to become of it once it has stopped, where somebody stops it.
    pub(super) halt: Option<Halt>,
    /// What came of fetching, where its source is a mirror and that is done.
    pub(super) synced: Option<Synced>,
}

/// What came of fetching before a pass.
#[derive(Debug, Clone)]
pub(super) struct Synced {
    /// Whether nothing came and nothing went.
    pub(super) is_idle: bool,
    pub(super) words: String,
    /// Why it could not be made to its end; the pass goes over what is there.
    pub(super) error: Option<String>,
}

/// How somebody stops a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// Until it is let go on.
    Pause,
    /// For good.
    Cancel,
}

/// Why a run takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Somebody asked for it, or the server started.
    Asked,
    /// The folder changed, or it is time.
    Timetable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Index(Look),
    Remove,
    /// Every checksum and cross-reference of the index is checked.
    Verify,
    /// The space of what was removed is given back.
    Compact,
}

/// A part of the work.
#[derive(Debug)]
pub(super) enum Step {
    /// Changes of one source, to be committed together.
    Changes(Vec<PlaceId>),
    /// A removal.
    Removal(PlaceId),
    /// A pass over a source.
    Pass(PlaceId),
    /// The index is made anew without what was removed.
    Compaction(PlaceId),
    /// What is said of who may see sources.
    Accesses,
    /// The data folder is pinned for backups.
    Pins,
    /// Vectors that are still to come.
    Backlog,
}

impl Step {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Changes(_) | Self::Accesses | Self::Pins => Kind::Change,
            Self::Removal(_) => Kind::Removal,
            Self::Pass(_) | Self::Compaction(_) | Self::Backlog => Kind::Pass,
        }
    }
}

/// What the name of a source is going to mean once everything that was accepted is done.
pub(super) enum Planned {
    /// What it means now.
    Unchanged,
    /// That source.
    Is(Source),
    /// Nothing: it is being removed.
    Gone,
}

impl Queue {
    /// What the thread does next.
    pub(super) fn next(&mut self) -> Option<Step> {
        if !self.accesses.is_empty() {
            return Some(Step::Accesses);
        }
        if !self.pins.is_empty() {
            return Some(Step::Pins);
        }
        let order = &self.order;
        let next = self.turns.next(|kind| order.next(kind).is_some())?;
        self.take(next)
    }

    /// What the thread does beside a pass that is under way, if it is the turn of something else.
    pub(super) fn next_beside_pass(&mut self) -> Option<Step> {
        if !self.accesses.is_empty() {
            return Some(Step::Accesses);
        }
        if !self.pins.is_empty() {
            return Some(Step::Pins);
        }
        let order = &self.order;
        let waits = |kind: Kind| kind == Kind::Pass || order.next(kind).is_some();
        let next = self.turns.next(waits)?;
        (next != Kind::Pass).then(|| self.take(next)).flatten()
    }

    fn take(&mut self, kind: Kind) -> Option<Step> {
        let first = self.order.next(kind)?;
        self.order.set(first, Stage::Runs);
        Some(match kind {
            Kind::Removal => Step::Removal(first),
            Kind::Pass if self.runs.get(&first).is_some_and(|run| run.task == Task::Compact) => Step::Compaction(first),
            Kind::Pass => Step::Pass(first),
            Kind::Change => Step::Changes(self.with_others(first)),
        })
    }

    /// A change and those of the same source that one commit can take with it.
    fn with_others(&mut self, first: PlaceId) -> Vec<PlaceId> {
        let mut taken = vec![first];
        if self.order.takes_long(first) {
            return taken;
        }
        let source = self.changes.get(&first).map(|change| change.source.clone());
        let mut paths = self.changes.get(&first).map_or(0, |change| change.paths.len());
        while let Some(next) = self.order.next(Kind::Change) {
            let fits = |change: &&Change| Some(&change.source) == source.as_ref() && !self.order.takes_long(next);
            let Some(change) = self.changes.get(&next).filter(fits) else { break };
            paths += change.paths.len();
            if paths > MAX_PATHS {
                break;
            }
            self.order.set(next, Stage::Runs);
            taken.push(next);
        }
        taken
    }

    /// Whether a source waits to be brought up to date, or it is time to.
    pub(super) fn pass_waits(&self, now: Instant) -> bool {
        self.order.next(Kind::Pass).is_some() || self.timetable.next().is_some_and(|(_, due)| due <= now)
    }

    /// Whether somebody waits for the writer beside what it is doing.
    pub(super) fn others_wait(&self) -> bool {
        Kind::ALL.into_iter().any(|kind| self.order.next(kind).is_some())
    }

    /// Tells those whose files may now be put in place. Whoever has gone gives the place away.
    pub(super) fn clear(&mut self) {
        loop {
            let cleared = self.order.clear();
            if cleared.is_empty() {
                return;
            }
            for id in cleared {
                let clear = self.changes.get_mut(&id).and_then(|change| change.clear.take());
                if clear.is_some_and(|clear| clear.send(()).is_err()) {
                    self.order.done(id);
                    self.changes.remove(&id);
                }
            }
        }
    }

    /// What a name is going to mean.
    pub(super) fn planned(&self, name: &str) -> Planned {
        let Some((id, kind, _)) = self.order.of(name).next_back() else { return Planned::Unchanged };
        let of_change = self.changes.get(&id).map(|change| &change.source);
        match (kind, of_change.or_else(|| self.runs.get(&id).map(|run| &run.source))) {
            (Kind::Removal, _) => Planned::Gone,
            (_, Some(source)) => Planned::Is(source.clone()),
            (_, None) => Planned::Unchanged,
        }
    }

    /// When the thread has to look again though nobody calls it.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.condition.retry() {
            Some(retry) => Some(retry),
            None => {
                let due = self.timetable.next().map(|(_, due)| due);
                due.into_iter().chain(self.backlog()).min()
            }
        }
    }

    /// When vectors are made next, unless that is paused.
    pub(super) fn backlog(&self) -> Option<Instant> {
        self.backlog.filter(|_| self.backlog_paused.is_none())
    }

    /// The place of a run by its job.
    pub(super) fn place_of(&self, job: u64) -> Option<PlaceId> {
        self.runs.iter().find(|(_, run)| run.job == job).map(|(id, _)| *id)
    }

    pub(super) fn job(&self, id: PlaceId) -> Option<u64> {
        let of_change = self.changes.get(&id).map(|change| change.job);
        of_change.or_else(|| self.runs.get(&id).map(|run| run.job))
    }

    /// Counts a failure of work: how many there were, of which source, and whether it is a removal.
    pub(super) fn failed(&mut self, id: PlaceId) -> Option<(u32, Source, bool)> {
        if let Some(change) = self.changes.get_mut(&id) {
            change.tries += 1;
            return Some((change.tries, change.source.clone(), false));
        }
        let run = self.runs.get_mut(&id)?;
        run.tries += 1;
        Some((run.tries, run.source.clone(), run.task == Task::Remove))
    }
}
