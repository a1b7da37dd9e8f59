//! `/document/{id}/file`: the file itself, as it lies in its source. Never as a page of this site: text is shown as plain
//! text, everything else is saved.

use std::fs::File;
use std::io::Read as _;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use indexer::open_beneath;
use storage::DocumentId;

use super::address::{SearchAddress, encoded};
use super::blocks::Reading;
use super::hit::file_name;
use super::problem;
use super::visit::Visit;
use crate::app::App;
use crate::engine::Engine;
use crate::error::Error;

/// A file that was read.
struct Sent {
    name: String,
    is_text: bool,
    bytes: Vec<u8>,
}

/// `GET /document/{id}/file`.
pub(super) async fn file(app: web::Data<App>, visit: Visit, id: web::Path<String>) -> HttpResponse {
    let limit = app.config.limits.upload_bytes;
    let read = move |_: &App, engine: &Engine| read(engine, &id, limit);
    let sent = app.into_inner().compute(read).await;
    problem::or(&visit, &SearchAddress::default(), sent.map(send))
}

fn read(engine: &Engine, id: &str, limit: usize) -> Result<Sent, Error> {
    let missing = || Error::NotFound { what: "this file" };
    let id = DocumentId::parse(id).ok_or_else(missing)?;
    let passages = engine.snapshot().document(id)?;
    let document = &passages.first().ok_or_else(missing)?.document;
    let source = engine.source(&document.source).ok_or_else(missing)?;
    let (path, file) = outermost(&source.root, &document.path).ok_or_else(missing)?;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|_| missing())?;
    if bytes.len() > limit {
        return Err(Error::TooLarge { limit });
    }
    // Formats that readers take apart are packed; what is shown line by line or written as markup is text.
    let reads_as_text =
        matches!(document.kind.as_str(), "markdown" | "html") || Reading::of(&document.kind) != Reading::Prose;
    let is_text = reads_as_text && path == document.path;
    Ok(Sent { name: file_name(path).to_string(), is_text, bytes })
}

/// The file at `path` below `root`, opened; for a document inside of an archive or a mail, the file that holds it. No link
/// that was put there since it was indexed is followed.
fn outermost<'a>(root: &std::path::Path, path: &'a str) -> Option<(&'a str, File)> {
    let around = path.rmatch_indices('/').map(|(slash, _)| &path[..slash]);
    std::iter::once(path).chain(around).find_map(|path| open_beneath(root, path).ok().map(|file| (path, file)))
}

fn send(sent: Sent) -> HttpResponse {
    let Sent { name, is_text, bytes } = sent;
    let utf_8 = std::str::from_utf8(&bytes).is_ok();
    let media_type = match (is_text, utf_8) {
        (true, true) => "text/plain; charset=utf-8",
        (true, false) => "text/plain",
        (false, _) => "application/octet-stream",
    };
    let shown = if is_text { "inline" } else { "attachment" };
    // RFC 8187; `+` means itself there.
    let name = encoded(&name).replace('+', "%20");
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CONTENT_DISPOSITION, format!("{shown}; filename*=UTF-8''{name}")))
        .body(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_file_is_never_a_page() {
        let send = |is_text| send(Sent { name: "a \"b\"\r\n.html".to_string(), is_text, bytes: b"<script>".to_vec() });
        let text = send(true);
        assert_eq!(text.headers().get("content-type").unwrap(), "text/plain; charset=utf-8");
        let disposition = send(false).headers().get("content-disposition").unwrap().to_str().unwrap().to_string();
        assert_eq!(disposition, "attachment; filename*=UTF-8''a%20%22b%22%0D%0A.html");
    }
}
