//! Incoming documents that programs send to be kept, read as they arrive: files of a form go to drafts on disk, texts
//! of lines into memory that is counted.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{HttpRequest, web};
use futures_util::StreamExt as _;
use storage::Access;

use super::access_body::AccessBody;
use super::carry::{Content, Edit, Edits, Text, labelled, together};
use super::push::{BulkLine, MAX_LINES, SOURCE, pushed_source};
use crate::app::App;
use crate::error::Error;
use crate::json;
use crate::pushed::{Draft, check_path, composed};
use crate::traffic::{PIECE, Unpacked, client_of, unpacked};

/// Bytes of a part that says where the next file goes.
const MAX_WORD: usize = 4_096;
/// Lines that cannot be read, after which a request is not read on.
const MAX_UNREADABLE: usize = 100;

/// The files of a form. None is in place yet.
///
/// # Errors
/// What is wrong with it; [`Error::TooLarge`], [`Error::OverShare`], [`Error::Crowded`], [`Error::Unwritable`].
pub(super) async fn of_form(app: &web::Data<App>, request: &HttpRequest, body: web::Payload) -> Result<Edits, Error> {
    let limit = app.config.limits.upload_bytes;
    let body = Unpacked::of(request, body.into_inner(), limit.saturating_add(MAX_LINES * MAX_WORD))?;
    let client = client_of(request);
    let mut parts = Multipart::new(request.headers(), body);
    let (mut source, mut path, mut url, mut access) = (SOURCE.to_string(), String::new(), None, None);
    let mut left = limit;
    let mut list: Vec<Edit> = Vec::new();
    // What was said last, if no file has come since.
    let mut of_next: Option<String> = None;
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|error| broken(error, limit))?;
        let name = part.name().unwrap_or_default().to_string();
        of_next = (name != "file").then(|| name.clone());
        match name.as_str() {
            "source" => source = word(&mut part, &name, limit).await?,
            "path" => path = word(&mut part, &name, limit).await?,
            "url" => url = Some(word(&mut part, &name, limit).await?),
            "access" => access = Some(access_of(&word(&mut part, &name, limit).await?)?),
            "file" => {
                crate::error::within("the number of files", list.len() + 1, MAX_LINES)?;
                let file = part.content_disposition().and_then(|d| d.get_filename()).map(str::to_string);
                let full = match file {
                    _ if !path.is_empty() && !path.ends_with('/') => std::mem::take(&mut path),
                    Some(file) => format!("{path}{file}"),
                    None => return Err(Error::bad("a file needs a file name or a part `path` before it")),
                };
                let label = format!("file {}", list.len() + 1);
                let full = composed(full);
                // Before its bytes are read, and again with all the others.
                check_path(&full).map_err(|error| labelled(&label, error))?;
                let source = pushed_source(app, &source).map_err(|error| labelled(&label, error))?;
                let draft = app.engine()?.pushed.draft(app.traffic.unfinished.take(&client, 0)?)?;
                let draft = kept(app, draft, &mut part, &mut left).await?;
                let (url, access) = (url.take(), access.take());
                let content = Some(Content { text: Text::Draft(draft), modified: None, url, access });
                list.push(Edit { label, source, path: full, content });
            }
            other => {
                return Err(Error::bad(format!("unknown part {other:?}; expected source, path, url, access or file")));
            }
        }
    }
    match of_next {
        // Left out of account, it would be a document that everybody sees, or in another place.
        Some(name) if !list.is_empty() => {
            Err(Error::bad(format!("{name}: expected before the file that it is about, and nothing comes after it")))
        }
        _ => Ok(Edits { list, room: None }),
    }
}

/// Who may see the next file, as JSON.
fn access_of(text: &str) -> Result<Access, Error> {
    let body: AccessBody = serde_json::from_str(text)
        .map_err(|_| Error::bad("access: expected a JSON array of principals, such as [\"group:hr\"]"))?;
    body.read()
}

/// Writes a part to a draft as it arrives.
async fn kept(app: &App, mut draft: Draft, part: &mut Field, left: &mut usize) -> Result<Draft, Error> {
    let limit = app.config.limits.upload_bytes;
    let mut piece = Vec::new();
    loop {
        let bytes = part.next().await.transpose().map_err(|error| broken(error, limit))?;
        let is_end = bytes.is_none();
        if let Some(bytes) = bytes {
            *left = left.checked_sub(bytes.len()).ok_or(Error::TooLarge { limit })?;
            piece.extend_from_slice(&bytes);
        }
        if !is_end && piece.len() < PIECE {
            continue;
        }
        let full = std::mem::take(&mut piece);
        let written = tokio::task::spawn_blocking(move || {
            draft.append(&full)?;
            // The number of files of a request is not bounded by how many may be open.
            if is_end {
                draft.close();
            }
            Ok::<_, Error>(draft)
        });
        draft = written.await.map_err(Error::internal)??;
        if is_end {
            return Ok(draft);
        }
    }
}

/// A part that is a few words.
async fn word(part: &mut Field, name: &str, limit: usize) -> Result<String, Error> {
    let bytes =
        part.bytes(MAX_WORD).await.map_err(|_| Error::bad(format!("{name}: expected at most {MAX_WORD} bytes")))?;
    let bytes = bytes.map_err(|error| broken(error, limit))?;
    String::from_utf8(json::without_mark(&bytes).to_vec())
        .map_err(|_| Error::bad(format!("{name}: expected text in UTF-8")))
}

fn broken(error: MultipartError, limit: usize) -> Error {
    match error {
        MultipartError::Payload(error) => unpacked::told(&error, limit),
        other => Error::bad(format!("the upload cannot be read: {other}")),
    }
}

/// The changes of a bulk request, one a line. Lines that cannot be read are reported together.
///
/// # Errors
/// What is wrong with them; [`Error::TooLarge`], [`Error::OverLimit`], [`Error::OverShare`], [`Error::Crowded`].
pub(super) async fn of_lines(app: &web::Data<App>, request: &HttpRequest, body: web::Payload) -> Result<Edits, Error> {
    let limit = app.config.limits.upload_bytes;
    let mut parts = Unpacked::of(request, body.into_inner(), limit)?;
    let mut room = app.traffic.memory.take(&client_of(request), 0)?;
    let mut lines = Lines { app, list: Vec::new(), problems: Vec::new(), number: 0 };
    let mut line = Vec::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| unpacked::told(&error, limit))?;
        room.grow(part.len())?;
        let mut ends = part.split(|byte| *byte == b'\n');
        line.extend_from_slice(ends.next().unwrap_or_default());
        for next in ends {
            lines.read(&line)?;
            line.clear();
            line.extend_from_slice(next);
        }
    }
    lines.read(&line)?;
    let Lines { list, problems, .. } = lines;
    match together(problems) {
        Some(error) => Err(error),
        None => Ok(Edits { list, room: Some(room) }),
    }
}

struct Lines<'a> {
    app: &'a App,
    list: Vec<Edit>,
    problems: Vec<Error>,
    number: usize,
}

impl Lines<'_> {
    fn read(&mut self, line: &[u8]) -> Result<(), Error> {
        self.number += 1;
        // Files that were put behind each other each may begin with a byte order mark.
        let line = json::without_mark(line);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let label = format!("line {}", self.number);
        match self.edit(line, label.clone()) {
            Ok(edit) => self.list.push(edit),
            Err(error) => self.problems.push(labelled(&label, error)),
        }
        if self.problems.len() > MAX_UNREADABLE {
            return together(std::mem::take(&mut self.problems)).map_or(Ok(()), Err);
        }
        crate::error::within("the number of lines", self.list.len() + self.problems.len(), MAX_LINES)
    }

    fn edit(&self, line: &[u8], label: String) -> Result<Edit, Error> {
        let read = json::parse(line).map_err(Error::bad)?;
        match read {
            BulkLine::Put(put) => put.edit(self.app, label),
            BulkLine::Delete(delete) => delete.edit(self.app, label),
        }
    }
}
