//! The form of an object where it is stored: one byte that says how, a CRC-32C of all but these four bytes, then the content,
//! as it is or deflated. The hash of the content says whether it is the right one; the checksum leaves no byte of the file
//! uncovered, the unused bits at the end of a deflated stream among them.
//!
//! Deflate by zlib-rs is in the tree anyway, and makes a third of texts at some hundred megabytes a second. Vectors and
//! what tantivy has compressed already would only cost time: a sample of the content decides.

use std::io::{self, Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

const PLAIN: u8 = 0;
const DEFLATED: u8 = 1;

/// Bytes before the content.
const HEAD: usize = 5;

/// Bytes of the sample.
const SAMPLE: usize = 32 << 10;

/// Content as it is stored.
pub(super) fn encode(content: &[u8]) -> Vec<u8> {
    let middle = content.len() / 2;
    let sample = &content[middle.saturating_sub(SAMPLE / 2)..content.len().min(middle + SAMPLE / 2)];
    if pays(deflated(sample).len(), sample.len()) {
        let deflated = deflated(content);
        if pays(deflated.len(), content.len()) {
            return sealed(DEFLATED, &deflated);
        }
    }
    sealed(PLAIN, content)
}

fn sealed(form: u8, packed: &[u8]) -> Vec<u8> {
    [&[form], checksum(form, packed).as_slice(), packed].concat()
}

fn checksum(form: u8, packed: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(&[form]), packed).to_le_bytes()
}

/// Whether a tenth is saved.
fn pays(packed: usize, plain: usize) -> bool {
    packed < plain - plain / 10
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(content).and_then(|()| encoder.finish());
    written.expect("writing into memory cannot fail")
}

/// The content of what is stored, if it is `length` bytes long.
pub(super) fn decode(stored: &[u8], length: u64) -> io::Result<Vec<u8>> {
    let invalid = |detail: String| io::Error::new(io::ErrorKind::InvalidData, detail);
    let (head, packed) = stored.split_at_checked(HEAD).ok_or_else(|| invalid("it is too short".to_string()))?;
    if head[1..] != checksum(head[0], packed) {
        return Err(invalid("wrong checksum".to_string()));
    }
    let content = match head[0] {
        PLAIN => packed.to_vec(),
        DEFLATED => {
            let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(packed.len() * 8));
            // Not a byte more than was said, whatever it unpacks to.
            DeflateDecoder::new(packed).take(length + 1).read_to_end(&mut content)?;
            content
        }
        other => return Err(invalid(format!("it is stored in the unknown form {other}"))),
    };
    if content.len() as u64 != length {
        return Err(invalid(format!("expected {length} bytes, found {}", content.len())));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_shrink_and_noise_does_not_grow() {
        let text = "the quick brown fox jumps over the lazy dog; ".repeat(4000).into_bytes();
        let stored = encode(&text);
        assert!(stored[0] == DEFLATED && stored.len() < text.len() / 5, "{}", stored.len());
        assert_eq!(decode(&stored, text.len() as u64).unwrap(), text);
        let mut noise = vec![0; 200_000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let stored = encode(&noise);
        assert_eq!((stored[0], stored.len()), (PLAIN, noise.len() + HEAD));
        assert_eq!(decode(&stored, noise.len() as u64).unwrap(), noise);
        assert!(decode(&stored, noise.len() as u64 - 1).is_err() && decode(&[], 0).is_err());
        let unknown = decode(&sealed(7, b"x"), 1).unwrap_err().to_string();
        assert!(unknown.contains("unknown form 7"), "{unknown}");
    }

    proptest! {
        #[test]
        fn whatever_goes_in_comes_out(content in proptest::collection::vec(0u8..4, 0..3000)) {
            let mut stored = encode(&content);
            prop_assert_eq!(decode(&stored, content.len() as u64).unwrap(), &content[..]);
            let at = content.len() * 7 % stored.len();
            stored[at] ^= 1 << (content.len() % 8);
            prop_assert!(decode(&stored, content.len() as u64).is_err());
        }
    }
}
