//! The identity of an embedding model elsewhere, whose files cannot be hashed: its name, the form of its documents, its dimension, and a
//! sketch of the vectors that it gives two probe texts. All of it stands in the fingerprint that an index keeps, so that a model can be
//! told from another one that took its name.
//!
//! The same model gives nearly the same vectors, but not the same bits: a batch of another size, another processor, bf16 instead of f32
//! move them by a cosine of 0.9999 to 0.999, weights in 4 to 8 bits down to about 0.99. Another model, or one that was trained on, lies
//! far below. Hence the bound.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Texts whose vectors tell models apart: two scripts, prose and figures.
pub(super) const PROBES: [&str; 2] = [
    "The ferry to the northern islands leaves at half past six; passengers show their tickets at the pier.",
    "数据备份每天晚上自动运行。 Invoice 4711 over 1,250.00 EUR is due on 31 March.",
];
/// The least cosine with a probe's vector at which a model counts as the same.
pub(super) const SAME: f32 = 0.99;
/// Values of each vector that a sketch keeps: the first ones, which say most in models that are made to be cut, and enough in others.
const KEPT: usize = 64;
/// What all fingerprints of this form hold.
const FORM: &str = "-elsewhere-1-";

/// Who a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    sketch: Vec<i8>,
    fingerprint: String,
}

impl Identity {
    /// That of a model which gives the probes these unit vectors.
    pub(super) fn of(name: &str, document: &str, vectors: &[Vec<f32>]) -> Self {
        let sketch: Vec<i8> = vectors.iter().flat_map(|vector| drawn(vector)).collect();
        let dimension = vectors.first().map_or(0, Vec::len);
        let fingerprint = fingerprint(name, document, dimension, &sketch);
        Self { sketch, fingerprint }
    }

    /// The one that a fingerprint stands for; `None` where it is not one of a model of this name, form and dimension.
    pub(super) fn known(fingerprint_of: &str, name: &str, document: &str, dimension: usize) -> Option<Self> {
        let (_, encoded) = fingerprint_of.split_once(FORM)?;
        let sketch: Vec<i8> = URL_SAFE_NO_PAD.decode(encoded).ok()?.into_iter().map(|it| it as i8).collect();
        let is_whole = sketch.len() == PROBES.len() * dimension.min(KEPT);
        let is_it = is_whole && fingerprint(name, document, dimension, &sketch) == fingerprint_of;
        is_it.then(|| Self { sketch, fingerprint: fingerprint_of.to_owned() })
    }

    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// How like these vectors of the probes are to the known ones: the least cosine.
    pub(super) fn likeness(&self, vectors: &[Vec<f32>]) -> f32 {
        let kept = self.sketch.len() / PROBES.len();
        let sketches = self.sketch.chunks(kept.max(1));
        let cosines = sketches.zip(vectors).map(|(sketch, vector)| cosine(sketch, &drawn(vector)));
        cosines.fold(1.0, f32::min)
    }
}

/// The first values in 255 steps.
fn drawn(vector: &[f32]) -> Vec<i8> {
    let head = &vector[..vector.len().min(KEPT)];
    let most = head.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
    head.iter().map(|value| (value / most * 127.0).round() as i8).collect()
}

fn cosine(a: &[i8], b: &[i8]) -> f32 {
    let product = |a: &[i8], b: &[i8]| a.iter().zip(b).map(|(a, b)| f32::from(*a) * f32::from(*b)).sum::<f32>();
    let lengths = (product(a, a) * product(b, b)).sqrt();
    if a.len() == b.len() && lengths > 0.0 { product(a, b) / lengths } else { 0.0 }
}

fn fingerprint(name: &str, document: &str, dimension: usize, sketch: &[i8]) -> String {
    let mut hasher = blake3::Hasher::new();
    let sketch: Vec<u8> = sketch.iter().map(|it| *it as u8).collect();
    for part in [name.as_bytes(), document.as_bytes(), &(dimension as u64).to_le_bytes(), &sketch] {
        // Lengths keep parts from running into each other.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    format!("{}{FORM}{}", &hasher.finalize().to_hex()[..32], URL_SAFE_NO_PAD.encode(sketch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(seed: u32, dimension: usize) -> Vec<Vec<f32>> {
        let mut state = seed;
        let mut value = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..PROBES.len()).map(|_| (0..dimension).map(|_| value()).collect()).collect()
    }

    /// As bf16 keeps them.
    fn rounded(vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let round = |value: &f32| f32::from_bits(value.to_bits() & 0xFFFF_0000);
        vectors.iter().map(|vector| vector.iter().map(round).collect()).collect()
    }

    #[test]
    fn a_model_is_known_again_and_another_one_is_not() {
        for dimension in [32, 256, 1024] {
            let first = vectors(1, dimension);
            let identity = Identity::of("m", "{document}", &first);
            let again = Identity::known(identity.fingerprint(), "m", "{document}", dimension).unwrap();
            assert_eq!(again, identity);
            assert!(again.likeness(&first) > 0.9999 && again.likeness(&rounded(&first)) > 0.999);
            assert!(again.likeness(&vectors(2, dimension)) < 0.6);
            let one_changed = vec![first[0].clone(), vectors(2, dimension)[1].clone()];
            assert!(again.likeness(&one_changed) < SAME, "both count");
        }
    }

    #[test]
    fn a_fingerprint_is_of_one_name_form_and_dimension() {
        let identity = Identity::of("m", "{document}", &vectors(1, 64));
        let known = |name, form, dimension| Identity::known(identity.fingerprint(), name, form, dimension).is_some();
        assert!(known("m", "{document}", 64));
        assert!(
            !known("n", "{document}", 64) && !known("m", "passage: {document}", 64) && !known("m", "{document}", 128)
        );
        let hashed = "0123456789abcdef0123456789abcdef";
        assert!(Identity::known(hashed, "m", "{document}", 64).is_none(), "a model here");
        assert_ne!(identity.fingerprint(), Identity::of("m", "{document}", &vectors(2, 64)).fingerprint());
    }
}
