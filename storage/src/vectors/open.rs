//! Opening the folder of a vector index: what counts, what is left over, what is broken.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{VectorError, VectorResult};
use super::index::Access;
use super::manifest::{Entry, Manifest};
use super::segment::Segment;
use crate::durable::DRAFT;
use crate::vectorfile::VectorReader;

const SEGMENT: &str = "segment";
const QUARANTINE: &str = "quarantine";
/// How often a reader looks again when a writer replaces segments at the same moment.
const RETRIES: usize = 5;

/// What was found when an index was opened.
#[derive(Debug, Default)]
pub(crate) struct OpenReport {
    /// Files that cannot be used; their vectors are searched in the tail until they are sealed again.
    pub(crate) broken: Vec<BrokenFile>,
    /// Leftovers of an interrupted writer that were removed.
    pub(crate) removed: Vec<PathBuf>,
}

/// A file of the index that cannot be used.
#[derive(Debug)]
pub(crate) struct BrokenFile {
    /// The file as it was named.
    pub(crate) path: PathBuf,
    /// Where a writer put it aside, unless it was missing.
    pub(crate) quarantine: Option<PathBuf>,
    /// What is wrong with it.
    pub(crate) reason: VectorError,
}

/// The usable part of a folder.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) next: u64,
    pub(crate) report: OpenReport,
}

/// The name of the segment file with a number.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:06}.{SEGMENT}")
}

/// Opens everything the manifest lists; a writer also clears up.
pub(crate) fn open(dir: &Path, reader: &VectorReader, access: Access) -> VectorResult<Opened> {
    match access {
        Access::Writer => open_to_write(dir, reader),
        Access::Reader => open_to_read(dir, reader),
    }
}

fn open_to_write(dir: &Path, reader: &VectorReader) -> VectorResult<Opened> {
    fs::create_dir_all(dir).map_err(VectorError::io("create", dir))?;
    let mut opened = load(dir, reader)?;
    for broken in &mut opened.report.broken {
        let aside = quarantine_name(&broken.path);
        match fs::rename(&broken.path, &aside) {
            Ok(()) => broken.quarantine = Some(aside),
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => {}
            Err(reason) => return Err(VectorError::io("put aside", &broken.path)(reason)),
        }
    }
    let names: Vec<_> = opened.segments.iter().filter_map(|segment| segment.path().file_name()).collect();
    let mut removed = Vec::new();
    for path in listing(dir)? {
        let is_ours = [DRAFT, SEGMENT].map(OsStr::new).contains(&path.extension().unwrap_or_default());
        if is_ours && !path.file_name().is_some_and(|name| names.contains(&name)) {
            fs::remove_file(&path).map_err(VectorError::io("remove", &path))?;
            removed.push(path);
        }
    }
    opened.report.removed = removed;
    // A manifest that was lost must not lead to a number that a quarantined file has.
    opened.next = opened.next.max(highest_number(dir)? + 1);
    Ok(opened)
}

/// A writer may replace the manifest and remove old segments between our two looks: then look again.
fn open_to_read(dir: &Path, reader: &VectorReader) -> VectorResult<Opened> {
    let is_gone = |broken: &BrokenFile| matches!(&broken.reason, VectorError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound);
    for _ in 0..RETRIES {
        let opened = load(dir, reader)?;
        if !opened.report.broken.iter().any(is_gone) {
            return Ok(opened);
        }
    }
    load(dir, reader)
}

fn load(dir: &Path, reader: &VectorReader) -> VectorResult<Opened> {
    let mut opened = Opened::default();
    let manifest = match Manifest::load(dir) {
        Ok(manifest) => manifest,
        Err(reason @ VectorError::Corrupt { .. }) => {
            opened.report.broken.push(broken(Manifest::path(dir), reason));
            Manifest::default()
        }
        Err(reason) => return Err(reason),
    };
    opened.next = manifest.next;
    for entry in &manifest.segments {
        let path = dir.join(&entry.file);
        match open_segment(&path, entry, reader) {
            Ok(segment) => opened.segments.push(Arc::new(segment)),
            Err(reason) => opened.report.broken.push(broken(path, reason)),
        }
    }
    Ok(opened)
}

fn open_segment(path: &Path, entry: &Entry, reader: &VectorReader) -> VectorResult<Segment> {
    let segment = Segment::open(path)?;
    let header = segment.header();
    let view = reader.view_of(header.end)?;
    if header.identity() != entry.identity {
        return Err(VectorError::corrupt(path, "it is not the segment that the manifest lists"));
    }
    if header.dim as usize != view.dim() || header.fingerprint != *view.fingerprint() {
        return Err(VectorError::corrupt(path, "it was built from the vectors of another model"));
    }
    Ok(segment)
}

fn broken(path: PathBuf, reason: VectorError) -> BrokenFile {
    BrokenFile { path, quarantine: None, reason }
}

fn quarantine_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(QUARANTINE);
    name.into()
}

fn listing(dir: &Path) -> VectorResult<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).map_err(VectorError::io("list", dir))?;
    entries.map(|entry| entry.map(|found| found.path()).map_err(VectorError::io("list", dir))).collect()
}

fn highest_number(dir: &Path) -> VectorResult<u64> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.split('.').next()?.parse::<u64>().ok();
    Ok(listing(dir)?.iter().filter_map(number).max().unwrap_or(0))
}
