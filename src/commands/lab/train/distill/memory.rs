//! The teacher's vectors of texts.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use lab::train::{Projection, TaughtPair, TextKind, text_identity};
use qwen3::{Embedder, Tokenizer};

use super::lesson::Lesson;
use crate::commands::lab::train::embed::teach;

/// Vectors that the main directions are taken from.
const PROJECTED: usize = 20_000;
/// Texts between two writings.
const STRIDE: usize = 2048;

/// The teacher's vectors of texts, on disk as they come, each beside the identity of its text: a kill loses at most the
/// last few, and other data may use what is there.
pub(super) struct Memory {
    path: PathBuf,
    width: usize,
    pub(super) teacher: String,
}

/// What the teacher thinks of texts, by identity.
pub(super) struct Known {
    vectors: HashMap<u64, Vec<f32>>,
}

impl Memory {
    pub(super) fn open(folder: &Path, teacher: &Embedder) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (label, path) = (folder.join("teacher.txt"), folder.join("vectors.bin"));
        match fs::read_to_string(&label) {
            Ok(known) if known != teacher.fingerprint() => {
                bail!(
                    "{} holds vectors of another teacher; give another --vectors or --out, or remove it",
                    folder.display()
                )
            }
            Ok(_) => {}
            Err(_) => {
                fs::write(&label, teacher.fingerprint()).with_context(|| format!("cannot write {}", label.display()))?
            }
        }
        Ok(Self { path, width: teacher.dimension(), teacher: teacher.fingerprint().to_owned() })
    }

    /// Has the teacher look at every text that it is to teach and every token that it has not seen yet.
    pub(super) fn learn(&self, teacher: &Embedder, lessons: &[&Lesson], tokenizer: &Tokenizer) -> Result<Known> {
        let mut known = self.load()?;
        let mut missing: Vec<(String, TextKind)> = Vec::new();
        let mut seen: HashSet<u64> = known.vectors.keys().copied().collect();
        let mut add = |text: &str, kind: TextKind| {
            if !text.trim().is_empty() && seen.insert(text_identity(text)) {
                missing.push((text.to_owned(), kind));
            }
        };
        for (text, kind) in lessons.iter().flat_map(|lesson| lesson.taught()) {
            add(text, kind);
        }
        for id in 0..tokenizer.size() as u32 {
            add(tokenizer.text_of(id).unwrap_or_default().trim(), TextKind::Document);
        }
        let out = OpenOptions::new().append(true).create(true).open(&self.path);
        let mut out = out.with_context(|| format!("cannot write {}", self.path.display()))?;
        // What a kill cut short goes before more is added.
        out.set_len((known.vectors.len() * self.record()) as u64)?;
        for (index, next) in missing.chunks(STRIDE).enumerate() {
            for wanted in [TextKind::Query, TextKind::Document] {
                let texts = next.iter().filter(|(_, kind)| *kind == wanted).map(|(text, _)| text.as_str());
                let texts: Vec<&str> = texts.collect();
                for (text, vector) in texts.iter().zip(teach(teacher, &texts, wanted)?) {
                    let identity = text_identity(text);
                    let bytes = vector.iter().flat_map(|x| x.to_le_bytes());
                    let record: Vec<u8> = identity.to_le_bytes().into_iter().chain(bytes).collect();
                    out.write_all(&record)?;
                    known.vectors.insert(identity, vector);
                }
            }
            eprintln!("teacher: {} of {} texts", index * STRIDE + next.len(), missing.len());
        }
        Ok(known)
    }

    /// Bytes of an identity and a vector.
    fn record(&self) -> usize {
        8 + 4 * self.width
    }

    fn load(&self) -> Result<Known> {
        let Ok(file) = File::open(&self.path) else { return Ok(Known { vectors: HashMap::new() }) };
        let mut bytes = Vec::new();
        BufReader::new(file).read_to_end(&mut bytes)?;
        let value = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        let record = |record: &[u8]| {
            let (identity, vector) = record.split_at(8);
            let identity = identity.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            (identity, vector.chunks_exact(4).map(value).collect())
        };
        Ok(Known { vectors: bytes.chunks_exact(self.record()).map(record).collect() })
    }
}

impl Known {
    pub(super) fn vector(&self, text: &str) -> Result<&Vec<f32>> {
        self.vectors.get(&text_identity(text)).with_context(|| format!("the teacher has not seen {text:?}"))
    }

    /// The main directions of the teacher's vectors of the first texts.
    pub(super) fn projection(&self, lessons: &[Lesson], kept: usize) -> Result<Projection> {
        let texts = lessons.iter().flat_map(|lesson| lesson.taught()).take(PROJECTED);
        let sample: Vec<Vec<f32>> = texts.map(|(text, _)| self.vector(text).cloned()).collect::<Result<_>>()?;
        Ok(Projection::of(&sample, kept))
    }

    /// A lesson as the small model gets it.
    pub(super) fn pair(&self, lesson: &Lesson, tokenizer: &Tokenizer, projection: &Projection) -> Result<TaughtPair> {
        let ([first, second], [(one, _), (other, _)]) = (lesson.read(), lesson.taught());
        Ok(TaughtPair {
            ids: [tokenizer.encode(first)?, tokenizer.encode(second)?],
            vectors: [projection.apply(self.vector(one)?), projection.apply(self.vector(other)?)],
            identity: text_identity(second),
            translated: matches!(lesson, Lesson::Translation(_)),
        })
    }
}
