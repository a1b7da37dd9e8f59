//! Tests of the vector file: round trips, damage, crashes, growth, a full disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::vectors::VectorError;

const DIM: usize = 5;
const MODEL: Fingerprint = [3; 32];

fn vector(number: u64) -> Vec<f32> {
    (0..DIM).map(|place| number as f32 + place as f32 / 10.0).collect()
}

fn key(number: u64) -> [u8; 16] {
    u128::from(number + 1000).to_le_bytes()
}

fn append(file: &mut VectorFile, numbers: std::ops::Range<u64>) -> u64 {
    let vectors: Vec<_> = numbers.map(|number| (key(number), vector(number))).collect();
    let borrowed: Vec<_> = vectors.iter().map(|(key, vector)| (*key, vector.as_slice())).collect();
    file.append(&borrowed).unwrap()
}

fn file_of(count: u64) -> (TempDir, PathBuf, VectorFile) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vectors");
    let mut file = VectorFile::create(&path, DIM, &MODEL).unwrap();
    append(&mut file, 0..count);
    file.sync().unwrap();
    (dir, path, file)
}

fn assert_holds(view: &VectorView, count: u64) {
    assert_eq!(view.len(), count);
    for ordinal in 0..count {
        assert_eq!(view.get(ordinal).unwrap(), vector(ordinal));
        assert_eq!(view.key(ordinal).unwrap(), key(ordinal));
    }
    assert!(view.verify().is_empty());
}

#[test]
fn vectors_come_back_under_the_ordinals_they_got() {
    let (_dir, path, mut file) = file_of(3);
    assert_eq!(append(&mut file, 3..7), 3);
    assert_eq!(file.len(), 7);
    assert_holds(&file.view().unwrap(), 7);
    drop(file);
    let mut file = VectorFile::open(&path, DIM, &MODEL).unwrap();
    assert_eq!(append(&mut file, 7..8), 7);
    let view = VectorReader::open(&path, DIM, &MODEL).unwrap().view();
    assert_holds(&view, 8);
    assert!(matches!(view.get(8), Err(VectorError::OutOfRange { ordinal: 8, len: 8, .. })));
    assert_eq!(view.get(1).unwrap().as_ptr() as usize % 32, 0);
}

#[test]
fn many_vectors_in_one_append_get_ascending_ordinals() {
    // More than one buffer of 1 MiB.
    let (_dir, _path, file) = file_of(40_000);
    assert_holds(&file.view().unwrap(), 40_000);
}

#[test]
fn a_reader_sees_growth_after_a_refresh_and_keeps_its_old_view() {
    let (_dir, path, mut file) = file_of(2);
    let reader = VectorReader::open(&path, DIM, &MODEL).unwrap();
    let before = reader.view();
    append(&mut file, 2..2000);
    assert_eq!(reader.view().len(), 2);
    assert_eq!(reader.view_of(1500).unwrap().len(), 2000);
    assert_holds(&reader.view(), 2000);
    assert_holds(&before, 2);
    assert!(matches!(reader.view_of(2001), Err(VectorError::OutOfRange { ordinal: 2000, len: 2000, .. })));
}

#[test]
fn another_model_or_dimension_is_refused_with_both_named() {
    let (_dir, path, _file) = file_of(1);
    let message = VectorFile::open(&path, 8, &MODEL).unwrap_err().to_string();
    assert!(message.contains("dimension 5") && message.contains("expected dimension 8"), "{message}");
    let message = VectorReader::open(&path, DIM, &[0xab; 32]).unwrap_err().to_string();
    assert!(message.contains("0303030303030303") && message.contains("abababababababab"), "{message}");
    assert!(VectorFile::create(&path, DIM, &MODEL).is_err());
    assert!(VectorFile::create(&path.with_extension("other"), 0, &MODEL).is_err());
}

#[test]
fn unusable_vectors_change_nothing() {
    let (_dir, path, mut file) = file_of(2);
    let bad = [1.0, f32::NAN, 1.0, 1.0, 1.0];
    let good = vector(2);
    let appended = file.append(&[(key(2), &good), (key(3), &bad)]);
    assert!(matches!(appended, Err(VectorError::NotFinite { position: 1, .. })));
    assert!(matches!(file.append(&[(key(2), &good[1..])]), Err(VectorError::Dimension { expected: 5, got: 4 })));
    assert_holds(&VectorReader::open(&path, DIM, &MODEL).unwrap().view(), 2);
}

#[test]
fn a_full_disk_leaves_the_file_as_it_was() {
    let (_dir, path, mut file) = file_of(4);
    let len = fs::metadata(&path).unwrap().len();
    let more: Vec<_> = (4..40_000).map(|number| (key(number), vector(number))).collect();
    let more: Vec<_> = more.iter().map(|(key, vector)| (*key, vector.as_slice())).collect();
    let mut writes = 0;
    let full = |mut file: &File, bytes: &[u8]| {
        writes += 1;
        if writes == 1 {
            return file.write_all(bytes);
        }
        file.write_all(&bytes[..100])?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    };
    let reason = file.append_with(&more, full).unwrap_err().to_string();
    assert!(reason.contains("append to"), "{reason}");
    assert_eq!(fs::metadata(&path).unwrap().len(), len);
    assert_eq!(append(&mut file, 4..6), 4);
    assert_holds(&file.view().unwrap(), 6);
}

#[test]
fn what_was_not_acknowledged_can_be_cut() {
    let (_dir, path, mut file) = file_of(9);
    file.truncate_to(4).unwrap();
    assert_eq!(append(&mut file, 4..5), 4);
    assert_holds(&VectorReader::open(&path, DIM, &MODEL).unwrap().view(), 5);
    assert!(matches!(file.truncate_to(6), Err(VectorError::OutOfRange { ordinal: 5, len: 5, .. })));
}

#[test]
fn a_record_in_the_place_of_another_is_damaged() {
    let (_dir, path, file) = file_of(3);
    let mut bytes = fs::read(&path).unwrap();
    let stride = (bytes.len() - 64) / 3;
    bytes.copy_within(64..64 + stride, 64 + stride);
    fs::write(&path, bytes).unwrap();
    assert_eq!(file.view().unwrap().verify(), [1]);
}

fn open_both(path: &Path) -> [Option<VectorView>; 2] {
    let reader = VectorReader::open(path, DIM, &MODEL).ok().map(|reader| reader.view());
    let writer = VectorFile::open(path, DIM, &MODEL).ok().map(|file| file.view().unwrap());
    [reader, writer]
}

proptest! {
    #[test]
    fn one_changed_byte_is_found(position in 0usize..64 + 64 * 6, mask in 1u8..) {
        let (_dir, path, file) = file_of(6);
        drop(file);
        let mut bytes = fs::read(&path).unwrap();
        prop_assert_eq!(bytes.len(), 64 + 64 * 6);
        bytes[position] ^= mask;
        fs::write(&path, bytes).unwrap();
        for view in open_both(&path) {
            let Some(view) = view else {
                prop_assert!(position < 64);
                continue;
            };
            let damaged = (position as u64 - 64) / 64;
            prop_assert_eq!(view.verify(), [damaged]);
            let is_reported = matches!(view.get(damaged), Err(VectorError::CorruptVector { ordinal, .. }) if ordinal == damaged);
            prop_assert!(is_reported && view.key(damaged).is_err());
        }
    }

    #[test]
    fn a_file_cut_anywhere_keeps_its_whole_records(len in 0u64..64 + 64 * 6) {
        let (_dir, path, file) = file_of(6);
        drop(file);
        File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
        for view in open_both(&path) {
            match view {
                Some(view) => assert_holds(&view, (len - 64) / 64),
                None => prop_assert!(len < 64),
            }
        }
        if len >= 64 {
            prop_assert_eq!(fs::metadata(&path).unwrap().len() % 64, 0);
        }
    }

    #[test]
    fn garbage_is_refused_or_found(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vectors");
        fs::write(&path, bytes).unwrap();
        prop_assert!(VectorReader::open(&path, DIM, &MODEL).is_err());
        prop_assert!(VectorFile::open(&path, DIM, &MODEL).is_err());
    }
}
