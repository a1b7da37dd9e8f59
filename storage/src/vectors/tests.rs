//! Tests of the whole index: recall, filters, damage, growth.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::open::OpenReport;
use super::*;
use crate::vectorfile::{VectorFile, VectorReader};

/// A small generator of our own, so that every run sees the same vectors.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Nearly normal: the sum of four uniform values.
    fn normal(&mut self) -> f32 {
        let bits = self.next();
        (0..4).map(|part| ((bits >> (16 * part)) & 0xffff) as f32 / 65_536.0 - 0.5).sum()
    }

    fn vector(&mut self, dim: usize) -> Vec<f32> {
        (0..dim).map(|_| self.normal()).collect()
    }
}

/// Vectors around common centres, as embeddings of related texts are.
fn clustered(count: usize, dim: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = Random(seed);
    let centres: Vec<Vec<f32>> = (0..40).map(|_| random.vector(dim)).collect();
    let near = |random: &mut Random| {
        let centre = &centres[random.next() as usize % centres.len()];
        centre.iter().map(|value| value + random.normal()).collect()
    };
    (0..count).map(|_| near(&mut random)).collect()
}

struct World {
    dir: TempDir,
    file: VectorFile,
    reader: VectorReader,
    vectors: Vec<Vec<f32>>,
}

const FINGERPRINT: [u8; 32] = [7; 32];

/// Small graphs, so that tests have them.
fn params() -> SealParams {
    SealParams { graph_from: 100, ..SealParams::default() }
}

impl World {
    fn new(vectors: Vec<Vec<f32>>, dim: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut file = VectorFile::create(&dir.path().join("vectors"), dim, &FINGERPRINT).unwrap();
        append(&mut file, &vectors);
        let reader = file.reader().unwrap();
        Self { dir, file, reader, vectors }
    }

    fn index_dir(&self) -> PathBuf {
        self.dir.path().join("index")
    }

    fn all(&self) -> OrdinalSet {
        OrdinalSet::full(self.vectors.len() as u64)
    }

    fn open(&self) -> (VectorIndex, OpenReport) {
        VectorIndex::open(&self.index_dir(), &self.reader, Access::Writer, params()).unwrap()
    }

    fn in_tail(&self) -> VectorIndex {
        self.open().0.extend(&self.all()).unwrap()
    }

    fn sealed(&self) -> VectorIndex {
        self.in_tail().seal_tail().unwrap()
    }

    fn exact(&self, query: &[f32], k: usize, allowed: &OrdinalSet) -> Vec<u64> {
        let cosine = |a: &[f32], b: &[f32]| {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        let mut scored: Vec<(f64, u64)> =
            allowed.iter().map(|ordinal| (cosine(query, &self.vectors[ordinal as usize]), ordinal)).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.into_iter().take(k).map(|(_, ordinal)| ordinal).collect()
    }

    fn recall(&self, index: &VectorIndex, queries: &[Vec<f32>], allowed: &OrdinalSet) -> f64 {
        let mut hits = 0;
        let mut wanted = 0;
        for query in queries {
            let truth = self.exact(query, 10, allowed);
            let found = index.search(query, 10, DEFAULT_EF, allowed).unwrap();
            assert!(found.iter().all(|&(ordinal, _)| allowed.contains(ordinal)));
            hits += found.iter().filter(|(ordinal, _)| truth.contains(ordinal)).count();
            wanted += truth.len();
        }
        hits as f64 / wanted.max(1) as f64
    }
}

fn append(file: &mut VectorFile, vectors: &[Vec<f32>]) {
    let first = u128::from(file.len());
    let keyed: Vec<_> = (first..).zip(vectors).map(|(key, v)| (key.to_le_bytes(), v.as_slice())).collect();
    file.append(&keyed).unwrap();
    file.sync().unwrap();
}

fn ordinals(found: &[(u64, f32)]) -> Vec<u64> {
    found.iter().map(|&(ordinal, _)| ordinal).collect()
}

#[test]
fn recall_at_the_default_settings_is_high_and_every_vector_finds_itself() {
    let world = World::new(clustered(6000, 256, 1), 256);
    let index = world.sealed();
    assert_eq!((index.segment_count(), index.tail_len(), index.sealed_len()), (1, 0, 6000));
    let recall = world.recall(&index, &clustered(100, 256, 1), &world.all());
    assert!(recall >= 0.98, "recall {recall}");
    for (ordinal, vector) in (0..).zip(&world.vectors) {
        let found = index.search(vector, 1, DEFAULT_EF, &world.all()).unwrap();
        assert_eq!(ordinals(&found), [ordinal]);
        assert!(found[0].1 > 0.9999);
    }
}

#[test]
fn filters_return_what_an_exact_search_returns() {
    let world = World::new(clustered(4000, 64, 2), 64);
    let index = world.sealed();
    let queries = clustered(40, 64, 99);
    for keep_one_in in [2u64, 20, 1000] {
        let allowed: OrdinalSet = (0..4000).filter(|ordinal| ordinal % keep_one_in == 1).collect();
        let recall = world.recall(&index, &queries, &allowed);
        assert!(recall >= 0.99, "one in {keep_one_in}: recall {recall}");
    }
    assert!(index.search(&queries[0], 10, DEFAULT_EF, &OrdinalSet::new(4000)).unwrap().is_empty());
}

#[test]
fn a_filter_far_away_from_the_query_still_finds_all_that_is_allowed() {
    let mut vectors = clustered(1500, 32, 3);
    for (number, vector) in vectors.iter_mut().enumerate() {
        vector[0] = if number % 5 == 0 { -8.0 } else { 8.0 };
    }
    let world = World::new(vectors, 32);
    let index = world.sealed();
    let far: OrdinalSet = (0..1500).filter(|ordinal| ordinal % 5 == 0).collect();
    let mut query = vec![0.1; 32];
    query[0] = 8.0;
    assert_eq!(ordinals(&index.search(&query, 10, 64, &far).unwrap()), world.exact(&query, 10, &far));
}

#[test]
fn odd_and_large_dimensions_work_in_the_tail_and_sealed() {
    for dim in [1, 50, 1024] {
        let world = World::new(clustered(300, dim, 4), dim);
        let queries = clustered(10, dim, 5);
        for index in [world.in_tail(), world.sealed()] {
            let recall = if dim == 1 { 1.0 } else { world.recall(&index, &queries, &world.all()) };
            assert!(recall >= 0.99, "{dim} dimensions: recall {recall}");
            assert_eq!(index.search(&queries[0], 10, 64, &world.all()).unwrap().len(), 10);
        }
    }
}

#[test]
fn copies_of_one_vector_are_no_trap() {
    let mut vectors = clustered(600, 32, 6);
    for number in 0..300 {
        vectors[number * 2] = vectors[0].clone();
    }
    let world = World::new(vectors, 32);
    let index = world.sealed();
    let found = index.search(&world.vectors[0], 400, 400, &world.all()).unwrap();
    assert_eq!(found.len(), 400);
    assert!(found[..300].iter().all(|&(ordinal, score)| ordinal % 2 == 0 && score > 0.9999));
    let recall = world.recall(&index, &clustered(40, 32, 6), &(1..600).step_by(2).collect());
    assert!(recall >= 0.98, "recall {recall}");
    for (ordinal, vector) in (0..).zip(&world.vectors).filter(|(ordinal, _)| ordinal % 2 == 1) {
        assert_eq!(index.search(vector, 1, DEFAULT_EF, &world.all()).unwrap()[0].0, ordinal);
    }
}

#[test]
fn few_or_no_vectors_give_few_or_no_hits() {
    let empty = World::new(Vec::new(), 8);
    let index = empty.in_tail().seal_tail().unwrap();
    assert!(index.search(&[1.0; 8], 10, 64, &OrdinalSet::new(0)).unwrap().is_empty());
    assert_eq!(index.segment_count(), 0);

    let world = World::new(clustered(3, 8, 7), 8);
    for index in [world.in_tail(), world.sealed()] {
        assert_eq!(
            ordinals(&index.search(&[1.0; 8], 10, 64, &world.all()).unwrap()),
            world.exact(&[1.0; 8], 10, &world.all())
        );
        assert!(index.search(&[1.0; 8], 0, 64, &world.all()).unwrap().is_empty());
        assert_eq!(index.search(&[1.0; 8], usize::MAX, usize::MAX, &world.all()).unwrap().len(), 3);
    }
}

#[test]
fn unusable_queries_and_parameters_are_errors() {
    let world = World::new(clustered(10, 8, 8), 8);
    let index = world.in_tail();
    assert!(matches!(
        index.search(&[1.0; 7], 1, 64, &world.all()),
        Err(VectorError::Dimension { expected: 8, got: 7 })
    ));
    let nan = [1.0, f32::NAN, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert!(matches!(index.search(&nan, 1, 64, &world.all()), Err(VectorError::NotFinite { position: 1, .. })));
    let wide = SealParams { m: 256, ..params() };
    let (index, _) = VectorIndex::open(&world.index_dir(), &world.reader, Access::Writer, wide).unwrap();
    let sealed = index.extend(&world.all()).unwrap().seal_tail();
    assert!(matches!(sealed, Err(VectorError::Parameter { name: "m", got: 256, .. })));
}

#[test]
fn new_vectors_go_to_the_tail_and_then_to_a_segment_of_their_own() {
    let mut world = World::new(clustered(400, 16, 9), 16);
    let sealed = world.sealed();
    let more = clustered(200, 16, 10);
    append(&mut world.file, &more);
    world.vectors.extend(more);
    let grown = sealed.extend(&world.all()).unwrap();
    assert_eq!((grown.segment_count(), grown.tail_len()), (1, 200));
    let resealed = grown.seal_tail().unwrap();
    assert_eq!((resealed.segment_count(), resealed.tail_len()), (2, 0));
    let (reopened, report) = world.open();
    assert!(report.broken.is_empty() && report.removed.is_empty());
    assert_eq!(reopened.covered(), &world.all());
    for index in [grown, resealed, reopened] {
        let recall = world.recall(&index, &clustered(20, 16, 11), &world.all());
        assert!(recall >= 0.99, "recall {recall}");
    }
}

#[test]
fn a_merge_leaves_out_the_dead_and_takes_them_in_again_when_they_are_back() {
    let world = World::new(clustered(900, 16, 14), 16);
    let mut index = world.open().0;
    for part in 1..=9 {
        index = index.extend(&OrdinalSet::full(part * 100)).unwrap().seal_tail().unwrap();
    }
    assert!(index.needs_merge(&world.all()));
    let merged = index.merge(&world.all()).unwrap();
    assert!(merged.segment_count() <= 8 && !merged.needs_merge(&world.all()));
    assert_eq!(merged.covered(), &world.all());

    let live: OrdinalSet = (0..900).filter(|ordinal| ordinal % 3 != 0).collect();
    assert!(merged.needs_merge(&live));
    let purged = merged.merge(&live).unwrap();
    assert_eq!(purged.covered(), &live);
    assert!(!purged.needs_merge(&live));
    let queries = clustered(20, 16, 15);
    assert!(world.recall(&purged, &queries, &live) >= 0.99);
    let half: OrdinalSet = live.iter().filter(|ordinal| ordinal % 2 == 0).collect();
    assert!(world.recall(&purged, &queries, &half) >= 0.99);

    let back = purged.extend(&world.all()).unwrap();
    assert_eq!(back.tail_len(), 300);
    assert!(world.recall(&back, &queries, &world.all()) >= 0.99);
    let files = fs::read_dir(world.index_dir()).unwrap().count();
    assert_eq!(files, purged.segment_count() + 1);
    let (reopened, report) = world.open();
    assert!(report.broken.is_empty());
    assert_eq!(reopened.covered(), &live);
    assert!(purged.merge(&OrdinalSet::new(0)).unwrap().covered().iter().next().is_none());
}

#[test]
fn what_an_interrupted_writer_left_is_removed_by_a_writer_only() {
    let world = World::new(clustered(120, 8, 16), 8);
    drop(world.sealed());
    let leftovers = ["000002.segment", "000003.tmp"].map(|name| world.index_dir().join(name));
    leftovers.iter().for_each(|path| fs::write(path, b"half").unwrap());
    let (_, report) = VectorIndex::open(&world.index_dir(), &world.reader, Access::Reader, params()).unwrap();
    assert!(report.removed.is_empty() && leftovers.iter().all(|path| path.exists()));
    let (_, mut report) = world.open();
    report.removed.sort();
    assert_eq!(report.removed, leftovers);
    assert!(!leftovers.iter().any(|path| path.exists()));
}

#[test]
fn a_segment_of_another_model_or_of_cut_vectors_is_not_used() {
    let world = World::new(clustered(120, 8, 17), 8);
    drop(world.sealed());
    let other = tempfile::tempdir().unwrap();
    let mut file = VectorFile::create(&other.path().join("vectors"), 8, &[8; 32]).unwrap();
    append(&mut file, &world.vectors);
    let open = |file: &VectorFile| {
        VectorIndex::open(&world.index_dir(), &file.reader().unwrap(), Access::Reader, params()).unwrap().1
    };
    assert!(open(&file).broken[0].reason.to_string().contains("another model"));
    let mut same = VectorFile::create(&other.path().join("same"), 8, &FINGERPRINT).unwrap();
    append(&mut same, &world.vectors[..100]);
    assert!(matches!(open(&same).broken[0].reason, VectorError::OutOfRange { ordinal: 119, len: 100, .. }));
}

#[test]
fn a_damaged_vector_is_an_error_and_never_a_wrong_answer() {
    let world = World::new(clustered(50, 8, 18), 8);
    let index = world.in_tail();
    let path = world.dir.path().join("vectors");
    flip(&path, 64 + 64 * 20 + 40, 1);
    assert_eq!(world.reader.view().verify(), [20]);
    let found = index.search(&world.vectors[20], 5, 64, &world.all());
    assert!(matches!(found, Err(VectorError::CorruptVector { ordinal: 20, .. })), "{found:?}");
    let live: OrdinalSet = (0..50).filter(|&ordinal| ordinal != 20).collect();
    assert_eq!(index.search(&world.vectors[20], 50, 64, &live).unwrap().len(), 49);
    assert!(world.open().0.extend(&world.all()).is_err());
    assert!(world.open().0.extend(&live).unwrap().seal_tail().is_ok());
}

fn flip(path: &Path, at: usize, mask: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= mask;
    // In place, so that a mapping of the file sees it.
    use std::os::unix::fs::FileExt;
    fs::File::options().write(true).open(path).unwrap().write_all_at(&bytes[at..=at], at as u64).unwrap();
}

/// An index of 150 vectors with a graph, and its files.
fn small_index() -> (World, Vec<PathBuf>) {
    let world = World::new(clustered(150, 8, 19), 8);
    let live: OrdinalSet = (0..150).filter(|ordinal| ordinal % 7 != 0).collect();
    drop(world.open().0.extend(&live).unwrap().seal_tail().unwrap());
    let files = fs::read_dir(world.index_dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    (world, files)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_changed_byte_anywhere_is_found_and_costs_no_vector(file in 0usize..2, position: u64, mask in 1u8..) {
        let (world, files) = small_index();
        let path = &files[file];
        flip(path, (position % fs::metadata(path).unwrap().len()) as usize, mask);
        let (index, report) = world.open();
        prop_assert_eq!(report.broken.len(), 1);
        prop_assert!(report.broken[0].quarantine.as_ref().is_some_and(|aside| aside.exists()));
        prop_assert_eq!(index.segment_count(), 0);
        let repaired = index.extend(&world.all()).unwrap().seal_tail().unwrap();
        prop_assert!(world.recall(&repaired, &world.vectors[..5], &world.all()) >= 0.98);
        prop_assert!(world.open().1.broken.is_empty());
    }

    #[test]
    fn a_file_cut_anywhere_is_found(file in 0usize..2, position: u64) {
        let (world, files) = small_index();
        let path = &files[file];
        let len = fs::metadata(path).unwrap().len();
        fs::File::options().write(true).open(path).unwrap().set_len(position % len).unwrap();
        let (index, report) = world.open();
        prop_assert_eq!(report.broken.len(), 1);
        prop_assert_eq!(index.extend(&world.all()).unwrap().tail_len(), 150);
    }

    /// What a valid checksum covers may still be nonsense: no number may lead a search out of the file.
    #[test]
    fn nonsense_with_valid_checksums_is_refused_or_harmless(words in proptest::collection::vec(any::<u32>(), 0..40), small: bool) {
        let words: Vec<u32> = words.iter().map(|word| if small { word % 6 } else { *word }).collect();
        if let Ok(levels) = graph::parse_levels(&words, 5) {
            let (rows, scales, base) = (vec![128u8; 5 * 64], vec![1.0; 5], vec![graph::NONE; 10]);
            let codes = codes::Codes { rows: &rows, scales: &scales };
            let graph = graph::Graph { codes, row_len: 64, base: &base, width: 2, upper: &words, levels: &levels };
            let query = codes::Query::new(&[1.0; 4], 4).unwrap();
            graph.search(&query, 3, usize::MAX, |_| true, &mut scratch::Scratch::default());
        }
    }
}

#[test]
fn a_missing_segment_or_manifest_costs_time_only() {
    let (world, files) = small_index();
    let segment = files.iter().find(|path| path.extension().unwrap() == "segment").unwrap();
    fs::remove_file(segment).unwrap();
    let (index, report) = world.open();
    assert!(report.broken[0].quarantine.is_none());
    assert_eq!(index.extend(&world.all()).unwrap().tail_len(), 150);

    let (world, files) = small_index();
    fs::remove_file(files.iter().find(|path| path.extension().unwrap() == "json").unwrap()).unwrap();
    let (index, report) = world.open();
    assert_eq!((report.broken.len(), report.removed.len(), index.segment_count()), (0, 1, 0));
}

#[test]
fn threads_share_an_index() {
    let world = World::new(clustered(500, 16, 20), 16);
    let index = world.sealed();
    let expected = index.search(&world.vectors[3], 10, 64, &world.all()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..300 {
                    assert_eq!(index.search(&world.vectors[3], 10, 64, &world.all()).unwrap(), expected);
                }
            });
        }
    });
}
