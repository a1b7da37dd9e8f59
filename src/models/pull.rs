//! Fetching a model: which files, into a folder beside the shelf, checked, opened once, and moved in whole.
//!
//! Promise: a model's folder on the shelf holds all its files or is not there; a pull that is cut off at any moment
//! continues with the next one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::de::IgnoredAny;
use storage::rename_durably;

use super::hub::{Checksum, Hub, Listing, RemoteFile, Unreachable};
use super::manifest::{MANIFEST, Manifest, Recorded};
use super::meter::Meter;
use super::name::Repository;
use super::shelf::Shelf;
use super::transfer::Transfer;
use crate::output;

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// What a model that writes says of itself, where it does.
const CHAT: [&str; 3] = ["generation_config.json", "tokenizer_config.json", "chat_template.jinja"];

/// What a pull did.
pub(crate) struct Pulled {
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Manifest,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Fetched,
    /// Every file was here already.
    UpToDate,
}

/// Brings a model onto the shelf, or up to date.
///
/// # Errors
/// Everything that networks, servers and disks do; each message says what to do about it.
pub(crate) fn pull(hub: &Hub, repository: &Repository, shelf: &Shelf, retries: u32) -> Result<Pulled> {
    let revision = repository.revision.clone().unwrap_or_else(|| hub.default_revision().to_string());
    let plan = Plan::make(hub, repository, &revision).map_err(|error| {
        let help = error.is::<Unreachable>().then(|| by_hand(hub, repository, &revision, shelf));
        help.map_or_else(|| anyhow!("cannot fetch {repository}: {error:#}"), |help| anyhow!("{error:#}\n{help}"))
    })?;
    let folder = shelf.folder(repository);
    let here = Manifest::read(&folder)?;
    if let Some(mut manifest) = here.filter(|manifest| plan.is_met_by(manifest, &folder)) {
        if manifest.revision != revision {
            // The same contents under another name.
            (manifest.revision, manifest.commit) = (revision, plan.commit);
            manifest.write(&folder)?;
        }
        return Ok(Pulled { folder, manifest, outcome: Outcome::UpToDate });
    }
    refuse_foreign(repository, &folder)?;
    let staging = Staging::open(shelf.staging(repository))?;
    plan.check_space(&staging.root)?;
    let meter = Meter::new();
    let recorded = plan.fetch(hub, repository, &staging, retries, &meter);
    meter.finish();
    let mut manifest = Manifest {
        repository: repository.id(),
        revision,
        commit: plan.commit.clone(),
        endpoint: hub.endpoint().to_string(),
        files: recorded?,
    };
    if let Err(error) = check_model(&staging.model) {
        plan.discard_unchecked(&staging)?;
        return Err(error);
    }
    if repository.is_gguf() {
        add_files(&staging, &folder, &mut manifest)?;
    } else {
        manifest.write(&staging.model)?;
        replace_folder(&staging, &folder)?;
    }
    staging.remove()?;
    Ok(Pulled { folder, manifest, outcome: Outcome::Fetched })
}

/// How to do without the hub: the very files and where they go.
fn by_hand(hub: &Hub, repository: &Repository, revision: &str, shelf: &Shelf) -> String {
    let files = repository.expected_files();
    let addresses: Vec<String> =
        files.iter().map(|file| format!("\n  {}", hub.url(repository, revision, file))).collect();
    format!(
        "fetch from a mirror with --endpoint URL; or, on a machine with a network, fetch{}{}\nand put them into\n  {}",
        addresses.concat(),
        repository.expected_besides(),
        shelf.folder(repository).display()
    )
}

/// The files to fetch.
struct Plan {
    commit: Option<String>,
    /// What the files are asked by: the commit where it is known, so that a branch that moves meanwhile mixes nothing.
    revision: String,
    files: Vec<RemoteFile>,
}

impl Plan {
    fn make(hub: &Hub, repository: &Repository, revision: &str) -> Result<Self> {
        let (commit, files) = match hub.listing(repository, revision)? {
            Some(Listing { commit, files }) => (commit, needed(repository, files)?),
            None => (None, probed(hub, repository, revision)?),
        };
        Ok(Self { revision: commit.clone().unwrap_or_else(|| revision.to_string()), commit, files })
    }

    /// Whether a folder has all the files in these contents, judged by the record and the lengths.
    fn is_met_by(&self, manifest: &Manifest, folder: &Path) -> bool {
        let length = |name: &str| fs::metadata(folder.join(name)).map(|data| data.len()).ok();
        self.files.iter().all(|file| {
            let recorded = manifest.files.iter().find(|recorded| recorded.name == file.name);
            let same = |recorded: &&Recorded| file.identity.is_some() && recorded.identity == file.identity;
            recorded.filter(same).is_some_and(|recorded| length(&recorded.name) == Some(recorded.size))
        })
    }

    /// Deletes what may be at fault when the whole is no model: files that no checksum vouches for.
    fn discard_unchecked(&self, staging: &Staging) -> Result<()> {
        for file in self.files.iter().filter(|file| file.checksum == Checksum::None) {
            let path = staging.model.join(&file.name);
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    fn total(&self) -> u64 {
        self.files.iter().filter_map(|file| file.size).sum()
    }

    /// Refuses before the first byte what the disk cannot hold.
    fn check_space(&self, staging: &Path) -> Result<()> {
        let fetched = folder_size(staging) + folder_size(&staging.join("model"));
        let needed = self.total().saturating_sub(fetched);
        match free_space(staging) {
            Some(free) if free < needed => bail!(
                "no space for the model: {needed} bytes ({}) are needed in {}, {free} ({}) are free; make room, or name \
                 another folder with --models-dir",
                output::size(needed),
                staging.display(),
                output::size(free)
            ),
            _ => Ok(()),
        }
    }

    fn fetch(
        &self,
        hub: &Hub,
        repository: &Repository,
        staging: &Staging,
        retries: u32,
        meter: &Meter,
    ) -> Result<Vec<Recorded>> {
        staging.keep_only(&self.files)?;
        let transfer = |file| Transfer {
            hub,
            repository,
            revision: &self.revision,
            file,
            parts: &staging.root,
            folder: &staging.model,
            retries,
        };
        self.files.iter().map(|file| transfer(file).run(meter)).collect()
    }
}

/// The needed files of the hub's list. Nothing else is fetched, and no name of the list is a path.
fn needed(repository: &Repository, files: Vec<RemoteFile>) -> Result<Vec<RemoteFile>> {
    if repository.is_gguf() {
        return needed_gguf(repository, files);
    }
    let has = |name: &str| files.iter().any(|file| file.name == name);
    let sharded = !has(WEIGHTS) && has(INDEX);
    let wanted = |name: &str| {
        matches!(name, CONFIG | TOKENIZER)
            || CHAT.contains(&name)
            || if sharded { name == INDEX || is_shard(name) } else { name == WEIGHTS }
    };
    let missing = [CONFIG, TOKENIZER, if sharded { INDEX } else { WEIGHTS }].into_iter().find(|name| !has(name));
    if let Some(missing) = missing {
        bail!("{repository} has no {missing}; expected a Qwen3 model in safetensors, or a GGUF variant (:VARIANT)");
    }
    Ok(files.into_iter().filter(|file| wanted(&file.name)).collect())
}

fn needed_gguf(repository: &Repository, files: Vec<RemoteFile>) -> Result<Vec<RemoteFile>> {
    let all: Vec<RemoteFile> = files
        .into_iter()
        .filter(|file| file.name.to_ascii_lowercase().ends_with(".gguf") && !file.name.contains(['/', '\\']))
        .collect();
    let names: Vec<String> = all.iter().map(|file| file.name.clone()).collect();
    let mut wanted: Vec<RemoteFile> = all.into_iter().filter(|file| repository.takes_gguf(&file.name)).collect();
    if wanted.len() == 1 {
        return Ok(vec![wanted.remove(0)]);
    }
    let names = if names.is_empty() { "no GGUF file".to_string() } else { names.join(", ") };
    bail!("{} holds {names}; name one variant: {}:VARIANT, for example :Q8_0", repository.id(), repository.id())
}

/// The needed files of a server without a list, found by asking for each.
fn probed(hub: &Hub, repository: &Repository, revision: &str) -> Result<Vec<RemoteFile>> {
    let probe = |file: &str| hub.probe(repository, revision, file);
    let not_found = |file: &str| {
        anyhow!(
            "{} has no {}; check the name, the revision, the variant and the endpoint",
            hub.endpoint(),
            hub.url(repository, revision, file)
        )
    };
    let required = |file: &str| probe(file)?.ok_or_else(|| not_found(file));
    if repository.is_gguf() {
        if repository.variant.is_none() {
            bail!(
                "{} lists no files; name the variant: {}:VARIANT, for example :Q8_0",
                hub.endpoint(),
                repository.id()
            );
        }
        return Ok(vec![required(&repository.expected_gguf())?]);
    }
    let mut files = vec![required(CONFIG)?, required(TOKENIZER)?];
    if let Some(weights) = probe(WEIGHTS)? {
        files.push(weights);
        return Ok(files);
    }
    let index = probe(INDEX)?.ok_or_else(|| not_found(WEIGHTS))?;
    for shard in shards_of(hub, repository, revision)? {
        files.push(required(&shard)?);
    }
    files.push(index);
    Ok(files)
}

/// The shards that an index on the server names.
fn shards_of(hub: &Hub, repository: &Repository, revision: &str) -> Result<Vec<String>> {
    let url = hub.url(repository, revision, INDEX);
    let mut answer = hub.get(repository, &url, 0)?;
    let text = answer.body.read_to_string().with_context(|| format!("cannot read {url}"))?;
    let index: serde_json::Value = serde_json::from_str(&text).with_context(|| format!("{url} is no JSON"))?;
    let map = index["weight_map"].as_object().with_context(|| format!("{url} has no weight_map"))?;
    let mut shards: Vec<String> = map.values().filter_map(|name| Some(name.as_str()?.to_string())).collect();
    shards.sort();
    shards.dedup();
    match shards.iter().find(|name| !is_shard(name)) {
        Some(odd) => bail!("{url} names the shard {odd:?}; expected model-00001-of-00002.safetensors and so on"),
        None => Ok(shards),
    }
}

/// `model-00001-of-00004.safetensors`
fn is_shard(name: &str) -> bool {
    let middle = name.strip_prefix("model-").and_then(|rest| rest.strip_suffix(".safetensors"));
    let numbers = middle.and_then(|middle| middle.split_once("-of-"));
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    numbers.is_some_and(|(number, count)| is_number(number) && is_number(count))
}

/// A folder that no pull has made is never overwritten.
fn refuse_foreign(repository: &Repository, folder: &Path) -> Result<()> {
    if repository.is_gguf() || !folder.exists() || folder.join(MANIFEST).exists() {
        return Ok(());
    }
    bail!(
        "{} is there, put by hand; `quarry models verify {}` checks it, `quarry models remove {}` makes way for a pull",
        folder.display(),
        repository.argument(),
        repository.argument()
    )
}

/// The folder of an unfinished pull: parts, marks of finished files, and below `model` the finished files.
struct Staging {
    root: PathBuf,
    model: PathBuf,
    /// Held while the pull runs: two at once would write the same part.
    lock: File,
}

impl Staging {
    fn open(root: PathBuf) -> Result<Self> {
        let model = root.join("model");
        let name = || {
            format!("cannot make the folder {}; allow writing, or name another one with --models-dir", model.display())
        };
        fs::create_dir_all(&model).with_context(name)?;
        let lock = File::create(root.join("lock")).with_context(name)?;
        if lock.try_lock().is_err() {
            bail!("another pull of this model runs (it holds {})", root.join("lock").display());
        }
        Ok(Self { root, model, lock })
    }

    /// Files of another revision have no place in the model.
    fn keep_only(&self, files: &[RemoteFile]) -> Result<()> {
        let name = || format!("cannot read {}", self.model.display());
        for entry in fs::read_dir(&self.model).with_context(name)? {
            let path = entry.with_context(name)?.path();
            if !files.iter().any(|file| path.file_name().is_some_and(|name| *name == *file.name)) {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.root).with_context(|| format!("cannot remove {}", self.root.display()))?;
        drop(self.lock);
        Ok(())
    }
}

/// Whether what arrived is a model at all; for servers without checksums this is what notices a cut file.
fn check_model(folder: &Path) -> Result<()> {
    let name = || format!("what was fetched into {} is no whole model", folder.display());
    let entries = fs::read_dir(folder).with_context(name)?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_some_and(|end| end == "json") {
            check_json(&path).with_context(name)?;
        }
    }
    let opened = super::model_path(folder).and_then(|path| super::open_files(&path));
    opened.map(drop).with_context(name)
}

fn check_json(path: &Path) -> Result<()> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parsed: serde_json::Result<IgnoredAny> = serde_json::from_slice(&text);
    parsed.map(drop).with_context(|| format!("{} is no JSON", path.display()))
}

/// Moves the finished folder onto the shelf, in place of an older one.
fn replace_folder(staging: &Staging, folder: &Path) -> Result<()> {
    let name = || format!("cannot move the model to {}", folder.display());
    let parent = folder.parent().context("a model's folder has a parent")?;
    fs::create_dir_all(parent).with_context(name)?;
    if folder.exists() {
        let replaced = staging.root.join("replaced");
        if replaced.exists() {
            fs::remove_dir_all(&replaced).with_context(name)?;
        }
        fs::rename(folder, replaced).with_context(name)?;
    }
    rename_durably(&staging.model, folder).with_context(name)
}

/// Adds the one file of a GGUF variant to the folder that the variants share, and to its record.
fn add_files(staging: &Staging, folder: &Path, manifest: &mut Manifest) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for file in &manifest.files {
        let to = folder.join(&file.name);
        fs::rename(staging.model.join(&file.name), &to).with_context(|| format!("cannot move {}", to.display()))?;
    }
    if let Some(earlier) = Manifest::read(folder)? {
        let still_there = |file: &Recorded| folder.join(&file.name).exists();
        let others = earlier.files.into_iter().filter(|file| !manifest.files.iter().any(|new| new.name == file.name));
        let others: Vec<Recorded> = others.filter(still_there).collect();
        manifest.files.extend(others);
    }
    // Writing it makes the renames durable, too.
    manifest.write(folder)
}

fn folder_size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok()?.metadata().ok());
    entries.filter(|data| data.is_file()).map(|data| data.len()).sum()
}

/// Bytes that a file in this folder may still take; none where the system does not say.
#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(folder).ok()?;
    space.f_bavail.checked_mul(space.f_frsize)
}

#[cfg(not(unix))]
fn free_space(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<RemoteFile> {
        let file = |name: &&str| RemoteFile {
            name: (*name).to_string(),
            size: None,
            checksum: Checksum::None,
            identity: None,
        };
        names.iter().map(file).collect()
    }

    fn taken(repository: &str, names: &[&str]) -> Result<Vec<String>> {
        let repository = Repository::parse(repository).unwrap();
        Ok(needed(&repository, files(names))?.into_iter().map(|file| file.name).collect())
    }

    #[test]
    fn only_the_needed_files_are_taken() {
        let all = ["README.md", "config.json", "tokenizer.json", "model.safetensors", "onnx/model.onnx", "vocab.json"];
        assert_eq!(taken("a/m", &all).unwrap(), ["config.json", "tokenizer.json", "model.safetensors"]);
        let shards = [CONFIG, TOKENIZER, INDEX, "model-00001-of-00002.safetensors", "model-../x.safetensors", "../x"];
        assert_eq!(taken("a/m", &shards).unwrap(), [CONFIG, TOKENIZER, INDEX, "model-00001-of-00002.safetensors"]);
        assert!(taken("a/m", &[CONFIG, WEIGHTS]).unwrap_err().to_string().contains("no tokenizer.json"));
        assert!(taken("a/m", &[CONFIG, TOKENIZER]).unwrap_err().to_string().contains("no model.safetensors"));
    }

    #[cfg(unix)]
    #[test]
    fn a_model_that_does_not_fit_is_refused_before_the_first_byte() {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = Plan { commit: None, revision: String::new(), files: files(&[WEIGHTS]) };
        assert!(plan.check_space(folder.path()).is_ok());
        plan.files[0].size = Some(1 << 60);
        let message = plan.check_space(folder.path()).unwrap_err().to_string();
        assert!(message.contains("no space") && message.contains(&(1u64 << 60).to_string()), "{message}");
    }

    #[test]
    fn one_gguf_variant_is_taken() {
        let all = ["m-Q8_0.gguf", "m-f16.gguf", "x/m-Q8_0.gguf", "README.md"];
        assert_eq!(taken("a/m-GGUF:Q8_0", &all).unwrap(), ["m-Q8_0.gguf"]);
        assert!(taken("a/m-GGUF", &all).unwrap_err().to_string().contains("m-Q8_0.gguf, m-f16.gguf"));
        assert_eq!(taken("a/m-GGUF", &all[1..2]).unwrap(), ["m-f16.gguf"]);
        assert!(taken("a/m-GGUF:Q9", &[]).unwrap_err().to_string().contains("no GGUF file"));
    }
}
