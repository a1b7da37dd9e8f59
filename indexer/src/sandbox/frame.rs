//! Messages between quarry and its reading processes: a small head in postcard and a body of bytes, each behind its
//! length. Neither side believes a length above its bound, so that a broken partner costs no memory.
//!
//! Layout: length of the head (u32), length of the body (u64), both little endian; head; body.

use std::io::{self, Read, Write};

use extract::ExtractLimits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::confinement::Confinement;

/// Bytes of both lengths.
pub(super) const LENGTHS: usize = 12;
/// Longest head: paths are limited by the system to 4 KiB, the rest is numbers and a few words.
const MAX_HEAD: u32 = 64 << 10;

/// The first message to a process: what it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setup {
    /// Bytes of memory beyond what it has at its start.
    pub(super) memory: u64,
    /// Seconds of processor time for each file.
    pub(super) seconds: u64,
    /// Longest answer in bytes.
    pub(super) answer: u64,
}

/// What a process says to its setup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) confinement: Confinement,
}

/// A file to read; its bytes are the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    /// Its path below the source, lossy where it is not Unicode: only the name's look matters.
    pub(super) path: String,
    pub(super) limits: ExtractLimits,
}

/// The head of an answer; the body is the outcome, a `Result<Extraction, FileError>` in postcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// The process ends after this answer: its memory has grown.
    pub(super) retires: bool,
}

/// Why a message cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side is gone, or the system failed.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// A length above its bound.
    #[error("expected at most {limit} bytes, got {got}")]
    TooLong {
        /// The bound.
        limit: u64,
        /// The length that was claimed.
        got: u64,
    },
    /// The head is no message of the kind that was expected.
    #[error("not a message")]
    Malformed(#[from] postcard::Error),
}

/// Lengths of the two parts of a message, within their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) head: usize,
    pub(super) body: usize,
}

impl Lengths {
    pub(super) fn read(bytes: [u8; LENGTHS], max_body: u64) -> Result<Self, FrameError> {
        let [a, b, c, d, body @ ..] = bytes;
        let (head, body) = (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(body));
        if head > MAX_HEAD {
            return Err(FrameError::TooLong { limit: MAX_HEAD.into(), got: head.into() });
        }
        let fits = usize::try_from(body).ok().filter(|_| body <= max_body);
        let body = fits.ok_or(FrameError::TooLong { limit: max_body, got: body })?;
        Ok(Self { head: head as usize, body })
    }
}

/// The lengths and the head of a message whose body has `body` bytes.
pub(super) fn opening(head: &impl Serialize, body: usize) -> Result<Vec<u8>, FrameError> {
    let head = postcard::to_stdvec(head)?;
    let length = u32::try_from(head.len()).ok().filter(|length| *length <= MAX_HEAD);
    let length = length.ok_or(FrameError::TooLong { limit: MAX_HEAD.into(), got: head.len() as u64 })?;
    let mut bytes = Vec::with_capacity(LENGTHS + head.len());
    bytes.extend(length.to_le_bytes());
    bytes.extend((body as u64).to_le_bytes());
    bytes.extend(head);
    Ok(bytes)
}

/// Sends a message.
pub(super) fn write_frame(output: &mut impl Write, head: &impl Serialize, body: &[u8]) -> Result<(), FrameError> {
    output.write_all(&opening(head, body.len())?)?;
    output.write_all(body)?;
    Ok(output.flush()?)
}

/// Receives a message with a body of at most `max_body` bytes; `None` where the other side has closed in good order,
/// between two messages.
///
/// # Errors
/// The connection breaks within a message, a length is above its bound, or the head is not a `T`.
pub fn read_frame<T: DeserializeOwned>(
    input: &mut impl Read,
    max_body: u64,
) -> Result<Option<(T, Vec<u8>)>, FrameError> {
    let mut lengths = [0; LENGTHS];
    if !fill_or_end(input, &mut lengths)? {
        return Ok(None);
    }
    let Lengths { head, body } = Lengths::read(lengths, max_body)?;
    let head = read_exactly(input, head)?;
    let body = read_exactly(input, body)?;
    Ok(Some((postcard::from_bytes(&head)?, body)))
}

/// Memory is taken as the bytes arrive, not by the length that was claimed.
fn read_exactly(input: &mut impl Read, length: usize) -> Result<Vec<u8>, FrameError> {
    const STEP: usize = 1 << 20;
    let mut bytes = Vec::with_capacity(length.min(STEP));
    input.by_ref().take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}

/// Whether there was another message.
fn fill_or_end(input: &mut impl Read, bytes: &mut [u8]) -> Result<bool, FrameError> {
    let mut filled = 0;
    while filled < bytes.len() {
        match input.read(&mut bytes[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request() -> Request {
        Request { path: "a/b.pdf".to_string(), limits: ExtractLimits::default() }
    }

    #[test]
    fn messages_come_back_as_they_were_sent() {
        let mut wire = Vec::new();
        write_frame(&mut wire, &request(), b"bytes").unwrap();
        write_frame(&mut wire, &Answer { retires: true }, b"").unwrap();
        let mut input = wire.as_slice();
        assert_eq!(read_frame::<Request>(&mut input, 5).unwrap(), Some((request(), b"bytes".to_vec())));
        assert_eq!(read_frame::<Answer>(&mut input, 5).unwrap(), Some((Answer { retires: true }, Vec::new())));
        assert!(read_frame::<Answer>(&mut input, 5).unwrap().is_none());
    }

    #[test]
    fn lengths_above_the_bound_are_refused_before_anything_is_read() {
        let mut wire = Vec::new();
        write_frame(&mut wire, &request(), b"bytes").unwrap();
        let refused = read_frame::<Request>(&mut wire.as_slice(), 4);
        assert!(matches!(refused, Err(FrameError::TooLong { limit: 4, got: 5 })));
        let endless = [[0xff; LENGTHS].as_slice(), b"x"].concat();
        assert!(matches!(read_frame::<Request>(&mut endless.as_slice(), u64::MAX), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn a_cut_message_is_an_error_and_no_end() {
        let mut wire = Vec::new();
        write_frame(&mut wire, &request(), b"bytes").unwrap();
        for length in 1..wire.len() {
            assert!(read_frame::<Request>(&mut &wire[..length], 5).is_err(), "cut at {length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_frame::<Request>(&mut bytes.as_slice(), 1 << 20);
            let _ = read_frame::<Answer>(&mut bytes.as_slice(), 1 << 20);
        }
    }
}
