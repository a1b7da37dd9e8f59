//! Bytes that are in memory as a whole, sent in pieces: a connection copies what it is given, and would otherwise hold a
//! large answer twice, and to its end.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

use super::{PIECE, Ticket};

/// A body; its part of the budget is given back as it is taken.
pub(crate) struct Pieces {
    bytes: Bytes,
    ticket: Option<Ticket>,
}

impl Pieces {
    /// With a ticket that has room for all of `bytes`, unless they are few.
    pub(crate) fn new(bytes: Bytes, ticket: Option<Ticket>) -> Self {
        Self { bytes, ticket }
    }

    /// The next piece; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        if self.bytes.is_empty() {
            return None;
        }
        // The bytes are one allocation, which goes as a whole: most of it is given back with the last piece.
        let piece = self.bytes.split_to(PIECE.min(self.bytes.len()));
        if self.bytes.is_empty() {
            self.ticket = None;
        }
        Some(piece)
    }
}

impl MessageBody for Pieces {
    type Error = Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        Poll::Ready(self.get_mut().next().map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Budget;

    #[test]
    fn pieces_are_the_whole_and_give_their_room_back() {
        let budget = Budget::new("bytes", 1 << 20, 1 << 20);
        let whole: Vec<u8> = (0..3 * PIECE + 7).map(|number| number as u8).collect();
        let mut pieces = Pieces::new(whole.clone().into(), budget.take("a", whole.len()).ok());
        assert!(matches!(pieces.size(), BodySize::Sized(size) if size == whole.len() as u64));
        let mut seen = Vec::new();
        while let Some(piece) = pieces.next() {
            assert!(piece.len() <= PIECE);
            seen.extend_from_slice(&piece);
        }
        assert_eq!((seen, budget.held()), (whole.clone(), 0));
        let cut = Pieces::new(whole.into(), budget.take("a", 3 * PIECE + 7).ok());
        assert!(budget.held() > 0);
        drop(cut);
        assert_eq!(budget.held(), 0, "a client that leaves holds nothing");
    }
}
