//! Checkpoints: everything a run needs to go on exactly. A checkpoint is a folder that appears whole, by rename, after
//! its files are on disk; the one before goes away only then. A kill at any moment leaves the newest whole one.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::rename_durably;

use super::{adamw::AdamW, run::Report};
use crate::error::{Error, Result};

const VARIABLES: &str = "variables.safetensors";
const MOMENTS: &str = "moments.safetensors";
const STATE: &str = "state.json";
const BEST: &str = "best.safetensors";
const PREFIX: &str = "step-";

/// The checkpoints of one run, in a folder of their own.
pub struct Checkpoints {
    folder: PathBuf,
    settings: Value,
    curve: Vec<Report>,
    /// The highest score so far, whose variables are kept.
    best: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    /// What the run was asked for: another one cannot go on from here.
    settings: Value,
    curve: Vec<Report>,
    best: Option<f64>,
}

impl Checkpoints {
    /// In `folder`, which is made if it is not there. `settings` is everything that decides what the run computes.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn open(folder: &Path, settings: Value) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), settings, curve: Vec::new(), best: None })
    }

    /// The loss curve so far.
    pub fn curve(&self) -> &[Report] {
        &self.curve
    }

    /// Takes variables and moments from the newest checkpoint; how many steps were done.
    pub(super) fn resume(&mut self, variables: &BTreeMap<String, Var>, adam: &mut AdamW) -> Result<usize> {
        let Some(folder) = self.newest()? else { return Ok(0) };
        let path = folder.join(STATE);
        let text = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let bad = |reason: String| Error::BadFile { file: path.display().to_string(), reason };
        let saved: Saved = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        if saved.settings != self.settings {
            let keys = differing(&saved.settings, &self.settings);
            return Err(Error::Training(format!(
                "{} holds a checkpoint of a run with other settings ({keys}): give the same ones to go on, or another \
                 folder, or remove that one to begin anew",
                self.folder.display()
            )));
        }
        restore(variables, &folder.join(VARIABLES))?;
        adam.restore(variables, &candle_core::safetensors::load(folder.join(MOMENTS), &Device::Cpu)?)?;
        (self.curve, self.best) = (saved.curve, saved.best);
        Ok(self.curve.last().map_or(0, |report| report.step))
    }

    pub(super) fn record(&mut self, report: Report) {
        self.curve.push(report);
    }

    /// Keeps the variables if no step before had a higher score.
    pub(super) fn keep_best(&mut self, variables: &BTreeMap<String, Var>, score: f64) -> Result<()> {
        if self.best.is_some_and(|best| best >= score) {
            return Ok(());
        }
        let (new, place) = (self.folder.join("new.safetensors"), self.folder.join(BEST));
        candle_core::safetensors::save(&values(variables), &new)?;
        rename_durably(&new, &place).map_err(|source| Error::Write { path: place, source })?;
        self.best = Some(score);
        Ok(())
    }

    /// Puts the variables of the highest score back, if any were kept; that score.
    ///
    /// # Errors
    /// [`Error::BadFile`] and those of reading.
    pub fn restore_best(&self, variables: &BTreeMap<String, Var>) -> Result<Option<f64>> {
        let path = self.folder.join(BEST);
        if self.best.is_some() {
            restore(variables, &path)?;
        }
        Ok(self.best)
    }

    pub(super) fn write(&self, variables: &BTreeMap<String, Var>, adam: &AdamW) -> Result<()> {
        let step = self.curve.last().map_or(0, |report| report.step);
        let (new, place) = (self.folder.join("new"), self.folder.join(format!("{PREFIX}{step:09}")));
        let failed = |source| Error::Write { path: new.clone(), source };
        if new.exists() {
            fs::remove_dir_all(&new).map_err(failed)?;
        }
        fs::create_dir(&new).map_err(failed)?;
        candle_core::safetensors::save(&values(variables), new.join(VARIABLES))?;
        let moments: HashMap<String, Tensor> = adam.state()?.into_iter().collect();
        candle_core::safetensors::save(&moments, new.join(MOMENTS))?;
        let saved = Saved { settings: self.settings.clone(), curve: self.curve.clone(), best: self.best };
        let text = serde_json::to_vec(&saved).map_err(|error| failed(error.into()))?;
        fs::write(new.join(STATE), text).map_err(failed)?;
        for file in [VARIABLES, MOMENTS, STATE] {
            fs::File::open(new.join(file)).and_then(|file| file.sync_all()).map_err(failed)?;
        }
        let older = self.all()?;
        if place.exists() {
            return fs::remove_dir_all(&new).map_err(failed);
        }
        rename_durably(&new, &place).map_err(failed)?;
        older.iter().try_for_each(fs::remove_dir_all).map_err(failed)
    }

    fn newest(&self) -> Result<Option<PathBuf>> {
        Ok(self.all()?.pop())
    }

    /// Whole checkpoints, oldest first.
    fn all(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.folder).map_err(|source| Error::Read { path: self.folder.clone(), source })?;
        let is_whole = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_whole).collect();
        found.sort();
        Ok(found)
    }
}

fn values(variables: &BTreeMap<String, Var>) -> HashMap<&str, Tensor> {
    variables.iter().map(|(name, var)| (name.as_str(), var.as_detached_tensor())).collect()
}

fn restore(variables: &BTreeMap<String, Var>, path: &Path) -> Result<()> {
    let tensors = candle_core::safetensors::load(path, &Device::Cpu)?;
    for (name, var) in variables {
        let missing = || Error::BadFile { file: path.display().to_string(), reason: format!("it has no {name}") };
        let stored = tensors.get(name).ok_or_else(missing)?;
        var.set(&stored.to_dtype(var.dtype())?.to_device(var.device())?)?;
    }
    Ok(())
}

/// Names of the settings that differ.
fn differing(a: &Value, b: &Value) -> String {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return "all of them".to_owned() };
    let keys: Vec<&str> =
        a.keys().chain(b.keys()).filter(|key| a.get(*key) != b.get(*key)).map(String::as_str).collect();
    let keys: std::collections::BTreeSet<&str> = keys.into_iter().collect();
    keys.into_iter().collect::<Vec<_>>().join(", ")
}
