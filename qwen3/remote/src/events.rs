//! Server-sent events, as far as completions need them: the `data` lines of a body, bounded.

use std::io::{BufRead, BufReader, Read};

/// Most bytes of a line.
const LINE: u64 = 1 << 20;

/// The data of a stream's events, one by one. Comments and the names of events are passed over.
pub(crate) struct Events<R> {
    body: BufReader<R>,
}

impl<R: Read> Events<R> {
    pub(crate) fn of(body: R) -> Self {
        Self { body: BufReader::new(body) }
    }
}

impl<R: Read> Iterator for Events<R> {
    type Item = std::io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            match self.body.by_ref().take(LINE).read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(read) if read as u64 == LINE && !line.ends_with(b"\n") => {
                    return Some(Err(std::io::Error::other("a line of the stream has no end")));
                }
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            let text = String::from_utf8_lossy(&line);
            if let Some(data) = text.trim_end_matches(['\n', '\r']).strip_prefix("data:") {
                return Some(Ok(data.strip_prefix(' ').unwrap_or(data).to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_taken_out_of_a_stream() {
        let body = ": hello\r\n\r\nevent: x\ndata: {\"a\":1}\n\ndata:[DONE]\r\n\r\ndata: cut";
        let data: Vec<String> = Events::of(body.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(data, ["{\"a\":1}", "[DONE]", "cut"]);
    }

    #[test]
    fn a_line_without_end_is_an_error() {
        let mut events = Events::of(std::io::repeat(b'x'));
        assert!(events.next().unwrap().is_err());
    }
}
