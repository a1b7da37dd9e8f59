//! The snapshot of one commit: both indexes as they were, and who may see what of them.
//!
//! A snapshot shows nothing by itself: [`Snapshot::view`] gives what somebody sees of it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use crate::access::{self, Access, AccessRule, AccessTable, CompiledAccess, FilePermissions, SourceAccess, Viewer};
use crate::contents::Contents;
use crate::error::{Error, Result};
use crate::lexical::LexicalReader;
use crate::placement::Placement;
use crate::record::{DocumentId, IndexModel};
use crate::roster::DocumentSet;
use crate::totals::{self, IndexTotals};
use crate::view::{View, ViewKey};
use crate::{edition, layout, settings};

/// Views that are kept of a snapshot, beside that of everything. One takes some 20 bytes for each passage that it shows.
const MAX_VIEWS: usize = 32;

/// An immutable state of the index. Safe to keep while the index changes.
pub struct Snapshot {
    totals: Arc<IndexTotals>,
    shared: Arc<Shared>,
}

/// What commits leave as it is that touch no document and no access.
struct Shared {
    whole: Arc<Contents>,
    access: AccessTable,
    classes: OnceLock<Classes>,
    views: Mutex<Views>,
}

/// The views that were asked for last, each with when that was.
#[derive(Default)]
struct Views {
    known: HashMap<ViewKey, (u64, Arc<View>)>,
    clock: u64,
}

/// Documents to which the same people are let through, by their numbers in the whole.
struct Classes {
    accesses: Vec<Access>,
    of: Vec<u32>,
}

/// Who may see a document, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentAccess {
    /// What the document says of itself.
    pub own: Option<Access>,
    /// The rule of its source that counts for its path, with its place among them, from 0.
    pub rule: Option<(usize, AccessRule)>,
}

impl DocumentAccess {
    /// Whom both let through.
    pub fn together(&self) -> Access {
        let rule = self.rule.as_ref().map_or_else(Access::everyone, |(_, rule)| rule.access.clone());
        rule.and(self.own.clone().unwrap_or_default())
    }
}

/// The newest snapshot of a store, for threads that search while it writes.
#[derive(Clone)]
pub struct SnapshotHandle(Arc<RwLock<Arc<Snapshot>>>);

impl SnapshotHandle {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(snapshot))))
    }

    /// The snapshot of the last commit.
    pub fn get(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, snapshot: Snapshot) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }
}

impl Snapshot {
    /// Opens the index in the data folder for searching only: no lock is taken and nothing is written. Any number of
    /// processes may do so at once, beside one writer.
    ///
    /// # Errors
    /// [`Error::NoIndex`] if there is none, [`Error::NoTotals`] if no writer has counted it yet; [`Error::Damaged`] if a
    /// checksum is wrong.
    pub fn open(data: &Path) -> Result<Self> {
        edition::reading(data, Self::open_edition)
    }

    fn open_edition(folder: &Path) -> Result<Self> {
        let settings = settings::read(folder)?.ok_or_else(|| Error::NoIndex { path: folder.to_path_buf() })?;
        let totals = totals::known(folder)?;
        let (lexical, access) = open_with_access(folder)?;
        let vectors = layout::open_vectors_for_reading(folder, &settings.model)?;
        let placement = Placement::of(&lexical)?;
        let vectors = vectors.extend(placement.live())?;
        Ok(Self::of(totals, Contents::new(settings, lexical, vectors, placement), access))
    }

    /// A snapshot of contents that belong together.
    pub(crate) fn of(totals: IndexTotals, contents: Contents, access: AccessTable) -> Self {
        let (classes, views) = Default::default();
        Self {
            totals: Arc::new(totals),
            shared: Arc::new(Shared { whole: Arc::new(contents), access, classes, views }),
        }
    }

    /// The same passages after a commit that changed none, and nobody's access.
    pub(crate) fn counted_anew(&self, totals: IndexTotals) -> Self {
        Self { totals: Arc::new(totals), shared: Arc::clone(&self.shared) }
    }

    /// Vectors that passages have, and all that are stored: the others are of texts that were removed.
    pub fn vectors_in_use(&self) -> (u64, u64) {
        (self.shared.whole.placement.live().count(), self.totals.vectors)
    }

    /// Number of the last commit that is visible.
    pub fn sequence(&self) -> u64 {
        self.shared.whole.lexical.payload().sequence
    }

    /// The model the index was built with.
    pub fn model(&self) -> &IndexModel {
        &self.shared.whole.settings.model
    }

    /// What somebody sees of it.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn view(&self, viewer: &Viewer) -> Result<Arc<View>> {
        if viewer.sees_everything() {
            return Ok(Arc::new(View::of_everything(Arc::clone(&self.totals), Arc::clone(&self.shared.whole))));
        }
        let admitted = self.admitted(viewer)?;
        let key = self.key_of(&admitted, viewer)?;
        let views = || self.shared.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = views().look_up(key) {
            return Ok(view);
        }
        let documents = self.documents_of(&admitted, viewer)?;
        let view = Arc::new(View::of_some(self.shared.whole.within(&documents)?, key)?);
        views().keep(key, &view);
        Ok(view)
    }

    /// What somebody sees who sees everything.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn whole(&self) -> Result<Arc<View>> {
        self.view(&Viewer::of_everything())
    }

    /// For each class, whether it is open to the viewer.
    fn admitted(&self, viewer: &Viewer) -> Result<Vec<bool>> {
        let Some((principals, _)) = viewer.open_to() else { return Ok(Vec::new()) };
        Ok(self.classes()?.accesses.iter().map(|access| access.admits(principals)).collect())
    }

    /// The documents of the classes that are open to the viewer, in the sources that it is limited to.
    fn documents_of(&self, admitted: &[bool], viewer: &Viewer) -> Result<DocumentSet> {
        let (classes, roster) = (self.classes()?, self.shared.whole.roster()?);
        let facets = self.shared.whole.facets()?;
        let within = viewer.open_to().and_then(|(_, within)| within);
        let mut documents = DocumentSet::default();
        for (number, class) in (0u32..).zip(&classes.of) {
            let is_within = || {
                let Some(within) = within else { return true };
                let filed = roster.first().get(number as usize).and_then(|passage| facets.of(*passage));
                filed.is_some_and(|filed| within.contains(filed.source))
            };
            if admitted.get(*class as usize) == Some(&true) && is_within() {
                documents.insert(number);
            }
        }
        Ok(documents)
    }

    /// Equal for all to whom the same accesses are open, in the same sources.
    fn key_of(&self, admitted: &[bool], viewer: &Viewer) -> Result<ViewKey> {
        let accesses = self.classes()?.accesses.iter().zip(admitted).filter(|(_, admitted)| **admitted);
        let accesses: BTreeSet<&Access> = accesses.map(|(access, _)| access).collect();
        let within = viewer.open_to().and_then(|(_, within)| within);
        // Plain data: encoding it into memory cannot fail.
        let told = postcard::to_extend(&(accesses, within), Vec::new()).expect("plain data encodes");
        let mut head = [0; 16];
        head.copy_from_slice(&blake3::hash(&told).as_bytes()[..16]);
        Ok(ViewKey(Some(head)))
    }

    /// Who may see a document, and by what; `None` if it is not in this snapshot. For those who look after the index.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn access_of(&self, id: DocumentId) -> Result<Option<DocumentAccess>> {
        let Some(document) = self.whole()?.document(id)?.into_iter().next().map(|passage| passage.document) else {
            return Ok(None);
        };
        let table = &self.shared.access;
        let rule = table.source(&document.source).and_then(|source| {
            let place = source.rule_for(&document.path)?;
            Some((place, source.rules().get(place)?.clone()))
        });
        Ok(Some(DocumentAccess { own: table.own_in(&document.source, id.group()).cloned(), rule }))
    }

    /// The names of which rules are kept, whether there is such a source or not, for those who look after the index.
    pub fn ruled_sources(&self) -> impl Iterator<Item = &str> {
        let of_files = self.shared.access.sources_of_files().map(|(name, _)| name.as_str());
        self.shared.access.sources().map(|(name, _)| name.as_str()).chain(of_files)
    }

    /// What the files of a source say of who may see them, for those who look after the index.
    pub fn file_permissions(&self, name: &str) -> Option<FilePermissions> {
        self.shared.access.files(name)
    }

    /// The rules of a source, for those who look after the index; `None` where nothing was said.
    pub fn source_access(&self, name: &str) -> Option<&SourceAccess> {
        self.shared.access.source(name)
    }

    /// Whether the rules of a source let somebody through to what is no document in a file of which they see some: nothing
    /// else says who may see it, but what the file says, which they are let through by.
    pub fn rules_admit(&self, viewer: &Viewer, source: &str, paths: &[String]) -> bool {
        let Some((principals, within)) = viewer.open_to() else { return true };
        if within.is_some_and(|within| !within.contains(source)) {
            return false;
        }
        let Some(rules) = self.shared.access.source(source).map(SourceAccess::compiled) else { return true };
        paths.iter().all(|path| rules.access(rules.rule_for(path)).admits(principals))
    }

    fn classes(&self) -> Result<&Classes> {
        if let Some(classes) = self.shared.classes.get() {
            return Ok(classes);
        }
        let classes = Classes::of(&self.shared.whole, &self.shared.access)?;
        Ok(self.shared.classes.get_or_init(|| classes))
    }
}

impl Views {
    fn look_up(&mut self, key: ViewKey) -> Option<Arc<View>> {
        self.clock += 1;
        let (last, view) = self.known.get_mut(&key)?;
        *last = self.clock;
        Some(Arc::clone(view))
    }

    fn keep(&mut self, key: ViewKey, view: &Arc<View>) {
        self.clock += 1;
        if self.known.len() >= MAX_VIEWS {
            let oldest = self.known.iter().min_by_key(|(_, (last, _))| *last).map(|(key, _)| *key);
            oldest.and_then(|oldest| self.known.remove(&oldest));
        }
        self.known.insert(key, (self.clock, Arc::clone(view)));
    }
}

impl Classes {
    /// What documents say of themselves and what the rule says that counts for them, together: equal ones are one class.
    fn of(contents: &Contents, table: &AccessTable) -> Result<Self> {
        let (roster, facets) = (contents.roster()?, contents.facets()?);
        let compiled: HashMap<&str, _> =
            table.sources().map(|(name, rules)| (name.as_str(), (rules.has_patterns(), rules.compiled()))).collect();
        let by_path = rules_by_path(contents, &compiled)?;
        let mut accesses: Vec<Access> = Vec::new();
        let mut numbers: HashMap<Access, u32> = HashMap::new();
        // Most documents have what others have: no access is put together twice.
        let mut known: HashMap<(Option<u32>, &str, Option<usize>), u32> = HashMap::new();
        let mut of = Vec::with_capacity(roster.len());
        for (number, (group, passage)) in (0u32..).zip(roster.groups().iter().zip(roster.first())) {
            let own = table.class(*group);
            let filed =
                facets.of(*passage).ok_or_else(|| Error::damaged("the lexical index", "a chunk has no source"))?;
            let rules = compiled.get(filed.source);
            let rule = match rules {
                None => None,
                Some((false, rules)) => rules.rule_for(""),
                Some((true, _)) => by_path.get(&number).copied(),
            };
            let class = match known.get(&(own, filed.source, rule)) {
                Some(class) => *class,
                None => {
                    let of_rule = rules.map_or_else(Access::everyone, |(_, rules)| rules.access(rule));
                    let access = of_rule.and(table.own_in(filed.source, *group).cloned().unwrap_or_default());
                    let next = accesses.len() as u32;
                    let class = *numbers.entry(access.clone()).or_insert(next);
                    if class == next {
                        accesses.push(access);
                    }
                    known.insert((own, filed.source, rule), class);
                    class
                }
            };
            of.push(class);
        }
        Ok(Self { accesses, of })
    }
}

/// The rules that count for the documents of sources whose rules go by path, by the documents' numbers. Paths are read from
/// the list of terms: each once, and no document is unpacked.
fn rules_by_path(contents: &Contents, compiled: &HashMap<&str, (bool, CompiledAccess)>) -> Result<HashMap<u32, usize>> {
    let mut counting = HashMap::new();
    if !compiled.values().any(|(has_patterns, _)| *has_patterns) {
        return Ok(counting);
    }
    let (roster, facets) = (contents.roster()?, contents.facets()?);
    contents.lexical.for_each_path(|path, passage| {
        // Dead passages have no number.
        let Ok(number) = roster.number(passage) else { return };
        if roster.first().get(number as usize) != Some(&passage) {
            return;
        }
        let rules = facets.of(passage).and_then(|filed| compiled.get(filed.source));
        let rule = rules.filter(|(has_patterns, _)| *has_patterns).and_then(|(_, rules)| rules.rule_for(path));
        counting.extend(rule.map(|rule| (number, rule)));
    })?;
    Ok(counting)
}

/// The lexical index with the accesses that belong to it. A writer may put others in their place meanwhile: then both are
/// read once more.
fn open_with_access(folder: &Path) -> Result<(LexicalReader, AccessTable)> {
    let mut last = None;
    loop {
        let lexical = LexicalReader::open(&layout::lexical(folder))?;
        let commit = lexical.payload().access;
        if let Some(access) = access::file::read(folder, commit)? {
            return Ok((lexical, access));
        }
        if last.replace(commit) == Some(commit) {
            return Err(Error::damaged("access", format!("{commit}.bin, which says who may see what, is missing")));
        }
    }
}
