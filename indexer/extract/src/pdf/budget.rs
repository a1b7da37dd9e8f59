//! The budget of one document: operators run, bytes unpacked, glyphs kept. A small file can ask for any amount of work
//! (streams that unpack a thousandfold, drawings that contain each other over and over), so every step is paid for from
//! here, and what cannot be paid is left out and said, before memory is taken for it.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::ZlibDecoder;
use hayro_syntax::Filter;
use hayro_syntax::object::Stream;

/// Operators that a document may have for each of its pages (a dense page has some 20,000), besides, and at most.
const PAGE_OPERATORS: u64 = 60_000;
const MORE_OPERATORS: u64 = 4_000_000;
const MAX_OPERATORS: u64 = 40_000_000;
/// Characters per page; a dense page has some 10,000.
pub(super) const MAX_PAGE_GLYPHS: usize = 300_000;
/// Most that one byte of deflated data can unpack to.
const DEFLATE_RATIO: u64 = 1032;
/// Most that one byte can unpack to by the other filters of text streams, for which nothing is tried beforehand.
const MAX_UNPROBED: u64 = 1 << 20;

/// Why a page was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// More operators than a document may have.
    Operators,
    /// More bytes than a document may unpack to.
    Unpacked,
}

impl Refusal {
    /// For the ledger.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Operators => "drawn with more operators than one document may have",
            Self::Unpacked => "its data unpack to more than the limit `max_unpacked`",
        }
    }
}

/// What is left to spend on a document.
#[derive(Debug)]
pub(super) struct Budget {
    operators: u64,
    unpacked: u64,
}

impl Budget {
    /// The budget of a document of so many pages.
    pub(super) fn new(pages: usize, max_unpacked: u64) -> Self {
        let operators = (pages as u64).saturating_mul(PAGE_OPERATORS).saturating_add(MORE_OPERATORS);
        Self { operators: operators.min(MAX_OPERATORS), unpacked: max_unpacked }
    }

    /// Pays for one operator.
    pub(super) fn operator(&mut self) -> Result<(), Refusal> {
        self.operators = self.operators.checked_sub(1).ok_or(Refusal::Operators)?;
        Ok(())
    }

    /// The unpacked bytes of a stream; empty where they are not sound.
    pub(super) fn unpack<'a>(&mut self, stream: &Stream<'a>) -> Result<Cow<'a, [u8]>, Refusal> {
        if !self.affords(stream) {
            return Err(Refusal::Unpacked);
        }
        let data = stream.decoded_data().unwrap_or_default();
        self.unpacked = self.unpacked.checked_sub(data.len() as u64).ok_or(Refusal::Unpacked)?;
        Ok(data)
    }

    /// Whether the stream unpacks to no more than what is left. Small streams cannot hold more; large deflated ones
    /// are unpacked once on trial, into nothing.
    pub(super) fn affords(&self, stream: &Stream<'_>) -> bool {
        let raw = stream.raw_data();
        let length = raw.len() as u64;
        let filters = stream.filters();
        let deflated = filters.iter().filter(|filter| **filter == Filter::FlateDecode).count();
        let others = filters.len() - deflated;
        let ratio = (0..filters.len()).fold(1, |ratio: u64, _| ratio.saturating_mul(DEFLATE_RATIO));
        if length.saturating_mul(ratio) <= self.unpacked {
            return true;
        }
        match (deflated, others) {
            (0, _) => length <= MAX_UNPROBED,
            (1, 0) => self.holds(ZlibDecoder::new(&*raw)),
            (2, 0) => self.holds(ZlibDecoder::new(ZlibDecoder::new(&*raw))),
            _ => filters.len() < 3 && length <= MAX_UNPROBED,
        }
    }

    fn holds(&self, unpacked: impl Read) -> bool {
        // A stream that breaks off has given all it will give: what came until then is what counts.
        let mut within = unpacked.take(self.unpacked.saturating_add(1));
        let mut counted = Count(0);
        let _broken_off = io::copy(&mut within, &mut counted);
        counted.0 <= self.unpacked
    }
}

/// A sink that counts.
struct Count(u64);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
