//! Faults that hostile files can cause in a reader, on demand: for tests of what becomes of the others. A file that
//! begins with `QUARRY-FAULT` and a word misbehaves so, in builds with debug assertions that have `QUARRY_FAULTS` in
//! their environment only; a release build has none of this.

use std::hint::black_box;
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use extract::{ExtractLimits, Extraction, FileError, Missing, Place, Scan, extract};

/// Begins a file that misbehaves.
const SIGN: &[u8] = b"QUARRY-FAULT ";

/// The outcome of a staged fault, if it has one; `None` for ordinary files.
pub(super) fn staged(bytes: &[u8]) -> Option<Result<Extraction, FileError>> {
    std::env::var_os("QUARRY_FAULTS")?;
    let rest = bytes.strip_prefix(SIGN)?;
    let line = rest.split(|byte| *byte == b'\n').next()?;
    let text = rest.get(line.len() + 1..).unwrap_or_default();
    Some(misbehave(&String::from_utf8_lossy(line), text))
}

#[expect(clippy::panic, reason = "that is what is asked for")]
fn misbehave(fault: &str, text: &[u8]) -> Result<Extraction, FileError> {
    match fault {
        "panic" => panic!("staged"),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        "overflow" => Ok(text_of(&deep(1).to_string())),
        "hang" => loop {
            black_box(());
        },
        "sleep" => {
            std::thread::sleep(Duration::from_secs(3600));
            Err(FileError::Empty)
        }
        "memory" => Ok(text_of(&black_box(vec![1u8; 8 << 30]).len().to_string())),
        "output" => Ok(text_of(&"many words ".repeat(4 << 20))),
        "rights" => Ok(text_of(&attempts().join("\n\n"))),
        "partly" => Ok(partly(text)),
        "scan" => Ok(scanned(text)),
        _ => Err(FileError::damaged("staged", fault)),
    }
}

#[expect(unconditional_recursion, reason = "that is what is asked for")]
fn deep(level: u64) -> u64 {
    let room = black_box([level; 64]);
    deep(level + 1) + room[7]
}

/// What a reader that was taken over would try, each with how it went.
fn attempts() -> Vec<String> {
    let tried = |what: &str, error: Option<std::io::Error>| match error {
        Some(error) => format!("{what}: refused, {error}"),
        None => format!("{what}: it worked"),
    };
    vec![
        tried("read", std::fs::read("/etc/passwd").err()),
        tried("write", std::fs::write("/tmp/quarry-fault", "x").err()),
        tried("list", std::fs::read_dir("/").err()),
        tried("remove", std::fs::remove_file("/tmp/quarry-keep").err()),
        tried("connect", TcpStream::connect("127.0.0.1:1").err().filter(|error| error.raw_os_error() != Some(111))),
        tried("datagram", UdpSocket::bind("127.0.0.1:0").err()),
        tried("program", Command::new("/bin/true").spawn().err()),
        tried("thread", std::thread::Builder::new().spawn(|| ()).err()),
    ]
}

fn text_of(text: &str) -> Extraction {
    let limits = ExtractLimits { max_bytes: u64::MAX, max_text: u64::MAX, ..ExtractLimits::default() };
    extract(Path::new("staged.txt"), text.as_bytes(), &limits).unwrap_or_else(|_| partly(b"nothing"))
}

fn partly(text: &[u8]) -> Extraction {
    let mut extraction = text_of(&String::from_utf8_lossy(text));
    if let Some(document) = &mut extraction.document {
        document.missing.push(Missing { part: "page 2".to_string(), reason: "staged".to_string() });
    }
    extraction
}

/// A page with `text`, and behind it a scanned one: the picture is what follows the first blank line.
fn scanned(text: &[u8]) -> Extraction {
    let at = text.windows(2).position(|pair| pair == b"\n\n").unwrap_or(text.len());
    let mut extraction = text_of(&String::from_utf8_lossy(&text[..at]));
    if let Some(document) = &mut extraction.document {
        document.blocks.iter_mut().for_each(|block| block.place = Some(Place::Page(1)));
        let image = text.get(at + 2..).unwrap_or_default().to_vec();
        document.missing.push(Missing { part: "page 2".to_string(), reason: "no text layer".to_string() });
        document.scans.push(Scan { page: 2, image });
    }
    extraction
}
