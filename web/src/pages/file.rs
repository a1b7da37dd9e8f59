//! `/document/{id}/file`: the file itself, as it lies in its source. Never as a page of this site: text is shown as plain
//! text, a PDF by the viewer of the browser, everything else is saved. It is read as the client takes it, so a download
//! costs an open file and two pieces.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use formats::{Delivery, Format};
use futures_util::{Stream, stream};
use indexer::open_beneath;
use storage::{DocumentId, View};

use super::address::{SearchAddress, encoded};
use super::hit::file_name;
use super::problem;
use super::visit::Visit;
use crate::app::App;
use crate::engine::Engine;
use crate::error::Error;
use crate::guard::Caller;
use crate::traffic::{PIECE, Ticket, client_of};

/// A file that was opened.
struct Found {
    name: String,
    /// What a browser is told that it is.
    media_type: &'static str,
    shown: &'static str,
    file: File,
    length: u64,
}

/// `GET /document/{id}/file`.
pub(super) async fn file(
    app: web::Data<App>,
    visit: Visit,
    id: web::Path<String>,
    caller: Caller,
    request: HttpRequest,
) -> HttpResponse {
    let sent = sent(app.into_inner(), caller, id.into_inner(), &client_of(&request)).await;
    problem::or(&visit, &SearchAddress::default(), sent)
}

async fn sent(app: Arc<App>, caller: Caller, id: String, client: &str) -> Result<HttpResponse, Error> {
    let room = app.traffic.transfer(client)?;
    let found = app.compute(move |_, engine| find(engine, &caller, &id)).await?;
    Ok(send(found, room))
}

fn find(engine: &Engine, caller: &Caller, id: &str) -> Result<Found, Error> {
    let missing = || Error::NotFound { what: "this file" };
    let id = DocumentId::parse(id).ok_or_else(missing)?;
    let view = engine.view(caller)?;
    let passages = view.document(id)?;
    let document = &passages.first().ok_or_else(missing)?.document;
    let source = engine.source(&document.source).ok_or_else(missing)?;
    let (path, file) = outermost(&source.root, &document.path).ok_or_else(missing)?;
    if !shows_all_of(engine, caller, &view, &document.source, path)? {
        return Err(missing());
    }
    let length = file.metadata().map_err(|_| missing())?.len();
    let (media_type, shown) = match sent_as(&document.kind, file_name(path), path == document.path) {
        Sent::Shown if is_utf_8(&file).map_err(|_| missing())? => ("text/plain; charset=utf-8", "inline"),
        Sent::Shown => ("text/plain", "inline"),
        Sent::Viewed(media_type) => (media_type, "inline"),
        Sent::Saved(media_type) => (media_type, "attachment"),
    };
    Ok(Found { name: file_name(path).to_string(), media_type, shown, file, length })
}

/// Whether somebody may see all that is in a file: of an archive or a mail all that it holds is sent. What it holds beside
/// documents (pictures, files that could not be read) is as open as the rules of the source say.
fn shows_all_of(engine: &Engine, caller: &Caller, view: &View, source: &str, path: &str) -> Result<bool, Error> {
    if view.is_whole() {
        return Ok(true);
    }
    let inside = format!("{path}/");
    let mut others = Vec::new();
    for entry in engine.truth.ledger(source, &inside) {
        let entry = entry?;
        if !entry.path.starts_with(&inside) {
            break;
        }
        if !entry.is_searchable() {
            others.push(entry.path);
        } else if view.places(DocumentId::of(source, &entry.path))?.is_empty() {
            return Ok(false);
        }
    }
    Ok(engine.snapshot().rules_admit(&caller.viewer(), source, &others))
}

/// What a browser is to do with a file.
#[derive(Debug, PartialEq, Eq)]
enum Sent {
    /// Show it, as plain text.
    Shown,
    /// Give it to its viewer, under this media type.
    Viewed(&'static str),
    /// Save it, under this media type.
    Saved(&'static str),
}

/// What becomes of a file, by the kind of the document that was read from it, its own name, and whether it is that
/// document or only holds it. Both must speak for text before it is shown: a name that promises something else (`.gz`,
/// `.doc`) is how the visitor's programs will take the file.
fn sent_as(kind: &str, name: &str, is_document: bool) -> Sent {
    let by_name = Format::of_file(name).filter(|format| format.delivery == Delivery::Download);
    let by_kind = is_document.then(|| Format::named(kind)).flatten();
    match by_name.or(by_kind) {
        Some(format) if format.delivery == Delivery::Inline => Sent::Shown,
        // The content was read as one, and the name promises nothing else.
        Some(format) if format.name == "pdf" && by_kind == Some(format) => Sent::Viewed(format.media_type),
        Some(format) => Sent::Saved(format.media_type),
        None => Sent::Saved("application/octet-stream"),
    }
}

/// Whether a whole file is UTF-8, read piece by piece.
fn is_utf_8(mut file: &File) -> std::io::Result<bool> {
    let mut buffer = vec![0; PIECE];
    let mut kept = 0;
    loop {
        let read = file.read(&mut buffer[kept..])?;
        let filled = kept + read;
        kept = match std::str::from_utf8(&buffer[..filled]) {
            Ok(_) => 0,
            // A character may be cut at the end of a piece, not at the end of the file.
            Err(error) if error.error_len().is_none() && read > 0 => filled - error.valid_up_to(),
            Err(_) => return Ok(false),
        };
        if read == 0 {
            return Ok(true);
        }
        buffer.copy_within(filled - kept..filled, 0);
    }
}

/// The file at `path` below `root`, opened; for a document inside of an archive or a mail, the file that holds it. No link
/// that was put there since it was indexed is followed.
fn outermost<'a>(root: &std::path::Path, path: &'a str) -> Option<(&'a str, File)> {
    let around = path.rmatch_indices('/').map(|(slash, _)| &path[..slash]);
    std::iter::once(path).chain(around).find_map(|path| open_beneath(root, path).ok().map(|file| (path, file)))
}

fn send(found: Found, room: [Ticket; 2]) -> HttpResponse {
    // RFC 8187; `+` means itself there.
    let name = encoded(&found.name).replace('+', "%20");
    HttpResponse::Ok()
        .content_type(found.media_type)
        .insert_header((header::CONTENT_DISPOSITION, format!("{}; filename*=UTF-8''{name}", found.shown)))
        .body(SizedStream::new(found.length, Box::pin(pieces(found.file, found.length, room))))
}

/// The first `length` bytes of a file, each piece read when the one before is on its way.
fn pieces(file: File, length: u64, room: [Ticket; 2]) -> impl Stream<Item = Result<web::Bytes, Error>> {
    stream::try_unfold((Arc::new(file), 0, room), move |(file, at, room)| async move {
        let wanted = (length - at).min(PIECE as u64);
        if wanted == 0 {
            return Ok(None);
        }
        let opened = Arc::clone(&file);
        let read = tokio::task::spawn_blocking(move || piece(&opened, at, wanted as usize));
        let piece = read.await.map_err(Error::internal)?.map_err(|error| {
            // The status has been sent long ago: a cut transfer is how the client learns of it.
            Error::internal(format!("a download broke off: {error}"))
        })?;
        let at = at + piece.len() as u64;
        Ok(Some((piece, (file, at, room))))
    })
}

fn piece(file: &File, at: u64, wanted: usize) -> std::io::Result<web::Bytes> {
    let mut piece = vec![0; wanted];
    let mut filled = 0;
    while filled < wanted {
        match file.read_at(&mut piece[filled..], at + filled as u64) {
            Ok(0) => return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the file has become shorter")),
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;
    use crate::config::LimitsConfig;
    use crate::traffic::Traffic;

    #[test]
    fn nothing_outside_of_a_source_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("source");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("a.md"), "a").unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link.md")).unwrap();
        assert_eq!(outermost(&root, "a.md").unwrap().0, "a.md");
        assert_eq!(outermost(&root, "a.md/inner/b.txt").unwrap().0, "a.md");
        assert!(outermost(&root, "missing/b.txt").is_none());
        for path in ["../secret", "link.md", "", "missing", "/etc/passwd"] {
            assert!(outermost(&root, path).is_none(), "{path}");
        }
    }

    #[test]
    fn only_text_is_shown_and_the_rest_is_saved_as_what_it_is() {
        for (kind, name) in [("text", "a.txt"), ("html", "a.html"), ("rst", "a.rst"), ("rust", "a.rs"), ("man", "ls.1")]
        {
            assert_eq!(sent_as(kind, name, true), Sent::Shown, "{name}");
            assert_eq!(sent_as(kind, name, false), Sent::Saved("application/octet-stream"), "a part is not the file");
        }
        for (kind, name, media_type) in [
            ("doc", "a.doc", "application/msword"),
            ("doc", "a.txt", "application/msword"),
            ("html", "a.doc", "application/msword"),
            ("msg", "a.msg", "application/vnd.ms-outlook"),
            ("ppt", "a", "application/vnd.ms-powerpoint"),
            ("markdown", "notes.md.gz", "application/gzip"),
            ("eml", "a.mht", "message/rfc822"),
            ("of another version", "a", "application/octet-stream"),
        ] {
            assert_eq!(sent_as(kind, name, true), Sent::Saved(media_type), "{kind} in {name}");
        }
        assert_eq!(sent_as("markdown", "all.zip", false), Sent::Saved("application/zip"));
        assert_eq!(sent_as("pdf", "a.pdf", true), Sent::Viewed("application/pdf"));
        assert_eq!(sent_as("pdf", "scan", true), Sent::Viewed("application/pdf"));
        assert_eq!(sent_as("pdf", "a.doc", true), Sent::Saved("application/msword"));
        assert_eq!(sent_as("html", "a.pdf", true), Sent::Saved("application/pdf"), "what only its name says");
        assert_eq!(sent_as("eml", "a.pdf", false), Sent::Saved("application/pdf"));
    }

    fn found(content: &[u8], media_type: &'static str, shown: &'static str) -> Found {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, content).unwrap();
        let name = "a \"b\"\r\n.html".to_string();
        Found { name, media_type, shown, file, length: content.len() as u64 }
    }

    fn room() -> (Traffic, [Ticket; 2]) {
        let traffic = Traffic::new(&LimitsConfig::default());
        let room = traffic.transfer("ann").unwrap();
        (traffic, room)
    }

    #[test]
    fn a_file_is_never_a_page() {
        let answer = send(found(b"<script>", "application/octet-stream", "attachment"), room().1);
        let disposition = answer.headers().get("content-disposition").unwrap().to_str().unwrap().to_string();
        assert_eq!(disposition, "attachment; filename*=UTF-8''a%20%22b%22%0D%0A.html");
    }

    #[actix_web::test]
    async fn a_file_is_sent_whole_in_pieces_and_gives_its_room_back() {
        let content: Vec<u8> = (0..2 * PIECE + 9).map(|number| (number % 251) as u8).collect();
        let (traffic, room) = room();
        let Found { file, length, .. } = found(&content, "", "");
        let mut pieces = Box::pin(pieces(file, length, room));
        let mut seen = pieces.next().await.unwrap().unwrap().to_vec();
        assert_eq!(traffic.transfers.held(), 1);
        while let Some(piece) = pieces.next().await {
            seen.extend_from_slice(&piece.unwrap());
        }
        assert!(seen == content, "{} bytes", seen.len());
        assert_eq!((traffic.transfers.held(), traffic.memory.held()), (0, 0));
    }

    #[actix_web::test]
    async fn a_file_that_became_shorter_breaks_the_transfer_off() {
        let Found { file, length, .. } = found(b"abc", "", "");
        let (_traffic, room) = room();
        let pieces = Box::pin(pieces(file, length + 1, room));
        assert!(matches!(&pieces.collect::<Vec<_>>().await[..], [Err(_)]));
    }

    #[test]
    fn text_is_utf_8_across_pieces_or_not_at_all() {
        let mut cut = vec![b'a'; PIECE - 1];
        cut.extend_from_slice("报销".repeat(PIECE).as_bytes());
        let is_utf_8 = |content: &[u8]| {
            let mut file = found(content, "", "").file;
            std::io::Seek::rewind(&mut file).unwrap();
            super::is_utf_8(&file).unwrap()
        };
        assert!(is_utf_8(&cut) && is_utf_8(b""));
        assert!(!is_utf_8(&cut[..cut.len() - 1]), "the last character is cut");
        cut[PIECE + 5] = 0xff;
        assert!(!is_utf_8(&cut));
    }
}
