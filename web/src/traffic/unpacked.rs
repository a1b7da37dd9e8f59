//! The body of a request as it was before it was packed for its way: gzip and deflate are undone while it arrives, a
//! little at a time.
//!
//! Promise: what comes out is bounded by the limit of the body that was sent plain, and never more than half a MiB of it is
//! in memory before it is counted, whatever was packed.

use std::io::{self, Write as _};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use futures_util::Stream;

use crate::error::Error;

/// Packed bytes that are unpacked at once: deflate makes at most 1032 of one.
const MORSEL: usize = 512;

/// A body on its way in.
pub(crate) struct Unpacked {
    packed: Payload,
    coding: Coding,
    /// What has arrived and is still packed.
    waiting: Bytes,
    /// Bytes that may still come out.
    left: usize,
    is_over: bool,
}

enum Coding {
    Plain,
    Gzip(MultiGzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

impl Unpacked {
    /// The body of a request, of at most `limit` bytes once it is unpacked. One that is announced as longer is refused
    /// before any of it is read.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Packed`].
    pub(crate) fn of(request: &HttpRequest, packed: Payload, limit: usize) -> Result<Self, Error> {
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if length.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > limit) {
            return Err(Error::TooLarge { limit });
        }
        let coding = Coding::of(request.headers())?;
        Ok(Self { packed, coding, waiting: Bytes::new(), left: limit, is_over: false })
    }

    /// Counts what comes out.
    fn counted(&mut self, part: Bytes) -> Result<Bytes, PayloadError> {
        self.left = self.left.checked_sub(part.len()).ok_or(PayloadError::Overflow)?;
        Ok(part)
    }
}

impl Coding {
    fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let lines = headers.get_all(header::CONTENT_ENCODING).map(|line| line.to_str().unwrap_or("?"));
        let all = lines.collect::<Vec<_>>().join(", ");
        match all.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Plain),
            "gzip" | "x-gzip" => Ok(Self::Gzip(MultiGzDecoder::new(Vec::new()))),
            "deflate" => Ok(Self::Deflate(ZlibDecoder::new(Vec::new()))),
            _ => Err(Error::Packed { coding: all }),
        }
    }

    /// Takes a morsel in, and gives what came out of it.
    fn feed(&mut self, morsel: Bytes) -> io::Result<Bytes> {
        match self {
            Self::Plain => Ok(morsel),
            Self::Gzip(decoder) => decoder.write_all(&morsel).map(|()| mem::take(decoder.get_mut()).into()),
            Self::Deflate(decoder) => decoder.write_all(&morsel).map(|()| mem::take(decoder.get_mut()).into()),
        }
    }

    /// What is left at the end, which has to be a whole one.
    fn end(&mut self) -> io::Result<Bytes> {
        match self {
            Self::Plain => Ok(Bytes::new()),
            Self::Gzip(decoder) => decoder.try_finish().map(|()| mem::take(decoder.get_mut()).into()),
            Self::Deflate(decoder) => decoder.try_finish().map(|()| mem::take(decoder.get_mut()).into()),
        }
    }
}

impl Stream for Unpacked {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while !this.is_over {
            let out = if !this.waiting.is_empty() {
                let morsel = match this.coding {
                    Coding::Plain => mem::take(&mut this.waiting),
                    _ => this.waiting.split_to(MORSEL.min(this.waiting.len())),
                };
                this.coding.feed(morsel)
            } else {
                match ready!(Pin::new(&mut this.packed).poll_next(context)).transpose() {
                    Ok(Some(part)) => {
                        this.waiting = part;
                        continue;
                    }
                    Ok(None) => {
                        this.is_over = true;
                        this.coding.end()
                    }
                    Err(error) => {
                        this.is_over = true;
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            };
            let out = out.map_err(|_| PayloadError::EncodingCorrupted).and_then(|part| this.counted(part));
            this.is_over |= out.is_err();
            if out.as_ref().is_ok_and(Bytes::is_empty) {
                continue;
            }
            return Poll::Ready(Some(out));
        }
        Poll::Ready(None)
    }
}

/// What is wrong with a body of at most `limit` bytes.
pub(crate) fn told(error: &PayloadError, limit: usize) -> Error {
    match error {
        PayloadError::Overflow => Error::TooLarge { limit },
        PayloadError::EncodingCorrupted => {
            Error::bad("the body cannot be read: it is not packed as Content-Encoding says, or is not whole")
        }
        other => Error::bad(format!("the body cannot be read: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use futures_util::StreamExt as _;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    fn deflate(text: &[u8]) -> Vec<u8> {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    /// What comes out of a body, and its largest part.
    async fn read(coding: &str, body: Vec<u8>, limit: usize) -> Result<(Vec<u8>, usize), Error> {
        let request = TestRequest::post().insert_header(("content-encoding", coding)).set_payload(body);
        let (request, payload) = request.to_http_parts();
        let mut parts = Unpacked::of(&request, payload, limit)?;
        let (mut whole, mut largest) = (Vec::new(), 0);
        while let Some(part) = parts.next().await {
            let part = part.map_err(|error| told(&error, limit))?;
            largest = largest.max(part.len());
            whole.extend_from_slice(&part);
        }
        Ok((whole, largest))
    }

    #[actix_web::test]
    async fn what_was_packed_comes_out_as_it_was() {
        let text: Vec<u8> = (0..300_000u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let twice = [gzip(&text), gzip(b"more")].concat();
        for (coding, body, expected) in [
            ("identity", text.clone(), text.clone()),
            ("gzip", gzip(&text), text.clone()),
            ("X-GZIP", gzip(&text), text.clone()),
            ("deflate", deflate(&text), text.clone()),
            ("gzip", twice, [text.as_slice(), b"more"].concat()),
            ("gzip", gzip(b""), Vec::new()),
        ] {
            let (whole, _) = read(coding, body, 2 << 20).await.unwrap();
            assert!(whole == expected, "{coding}: {} of {}", whole.len(), expected.len());
        }
    }

    #[actix_web::test]
    async fn a_bomb_is_too_large_before_it_is_in_memory() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 17);
        assert!(matches!(read("gzip", bomb.clone(), 1 << 20).await, Err(Error::TooLarge { limit: 1_048_576 })));
        let (whole, largest) = read("gzip", bomb, 64 << 20).await.unwrap();
        assert!(whole.len() == 64 << 20 && largest <= 1 << 20, "{largest} bytes at once");
    }

    #[actix_web::test]
    async fn what_cannot_be_unpacked_is_named() {
        for coding in ["br", "zstd", "compress", "gzip, gzip", "gzip, br"] {
            let error = read(coding, gzip(b"{}"), 100).await.unwrap_err();
            assert!(matches!(&error, Error::Packed { coding: named } if named == coding), "{error}");
        }
        let whole = gzip(b"a text that is long enough to be cut");
        for (coding, body) in [
            ("gzip", b"{}".to_vec()),
            ("deflate", whole.clone()),
            ("gzip", whole[..whole.len() - 9].to_vec()),
            ("gzip", whole[..whole.len() - 1].to_vec()),
        ] {
            let error = read(coding, body, 100).await.unwrap_err().to_string();
            assert!(error.contains("Content-Encoding"), "{error}");
        }
    }
}
