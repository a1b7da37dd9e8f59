//! The walk through the commits of a repository, newest first, until all files that somebody wants have a date.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use gix::error::Result;
use gix::objs::{Exists as _, FindExt as _};
use gix::traverse::commit::simple::{CommitTimeOrder, Sorting};
use gix::{ObjectId, traverse::commit::Simple};

use super::objects::{Entry, Objects};
use crate::stop::Stop;

/// Commits of one walk, and how long it may take: files that were not changed for longer have no date.
const MAX_COMMITS: usize = 500_000;
const MAX_TIME: Duration = Duration::from_secs(20);

/// Paths within a repository, `/` between the parts.
type Paths = BTreeSet<Vec<u8>>;

/// The dates that are known so far, and the files without one.
struct Walk<'a> {
    objects: Objects<'a>,
    wanted: Paths,
    dates: HashMap<Vec<u8>, i64>,
}

/// The second of the newest commit below `head` that changed each of the files. After an error or when the time is over, those
/// that were found until then.
pub(super) fn dates(
    objects: Objects<'_>,
    head: ObjectId,
    wanted: Paths,
    stop: &Stop,
) -> (HashMap<Vec<u8>, i64>, Result<()>) {
    let mut walk = Walk { objects, wanted, dates: HashMap::new() };
    let outcome = walk.go(head, stop);
    (walk.dates, outcome)
}

impl Walk<'_> {
    fn go(&mut self, head: ObjectId, stop: &Stop) -> Result<()> {
        let until = Instant::now() + MAX_TIME;
        let odb = self.objects.0;
        // A shallow clone ends before the first commit does.
        let commits = Simple::filtered([head], Objects(odb), |id| Objects(odb).exists(id));
        let commits = commits.sorting(Sorting::ByCommitTime(CommitTimeOrder::NewestFirst))?;
        for commit in commits.take(MAX_COMMITS) {
            if self.wanted.is_empty() || stop.is_asked() || Instant::now() >= until {
                break;
            }
            let commit = commit?;
            // What a merge brings was changed by the commits that it merges.
            if commit.parent_ids.len() < 2 {
                let parent = commit.parent_ids.first().copied();
                self.commit(commit.id, parent)?;
            }
        }
        Ok(())
    }

    fn commit(&mut self, id: ObjectId, parent: Option<ObjectId>) -> Result<()> {
        let (mut buffer, mut earlier) = (Vec::new(), Vec::new());
        let commit = self.objects.find_commit(&id, &mut buffer)?;
        let second = commit.author()?.seconds();
        let before = match parent.filter(|parent| self.objects.exists(parent)) {
            Some(parent) => Some(self.objects.find_commit(&parent, &mut earlier)?.tree()),
            None => None,
        };
        let tree = commit.tree();
        if before == Some(tree) { Ok(()) } else { self.tree(tree, before, &[], second) }
    }

    /// Dates the files below a folder that differ from what stood there before. Goes into no folder that nothing is wanted of.
    fn tree(&mut self, id: ObjectId, before: Option<ObjectId>, folder: &[u8], second: i64) -> Result<()> {
        let earlier: HashMap<Vec<u8>, Entry> = match before {
            Some(before) => self.objects.tree(&before)?.into_iter().map(|entry| (entry.name.clone(), entry)).collect(),
            None => HashMap::new(),
        };
        for Entry { name, id, is_tree } in self.objects.tree(&id)? {
            let before = earlier.get(&name);
            if before.is_some_and(|before| before.id == id) {
                continue;
            }
            let path = [folder, &name].concat();
            if is_tree {
                let below = [&path, b"/".as_slice()].concat();
                if self.wanted.range(below.clone()..).next().is_some_and(|path| path.starts_with(&below)) {
                    let before = before.filter(|before| before.is_tree).map(|before| before.id);
                    self.tree(id, before, &below, second)?;
                }
            } else if self.wanted.remove(&path) {
                self.dates.insert(path, second);
            }
        }
        Ok(())
    }
}
