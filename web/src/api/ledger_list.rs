//! The ledger as a list: all lines that are asked for, read piece by piece as the client takes them, so that a long ledger
//! takes no memory and a slow client no place to compute.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use futures_util::stream;
use indexer::{LEDGER_COLUMNS, ledger_row};
use storage::LedgerEntry;

use super::ledger_view::LedgerView;
use crate::app::{App, Turn};
use crate::engine::Engine;
use crate::error::Error;
use crate::traffic::PIECE;

/// Lines that are looked at in one turn.
const LOOKED_AT: usize = 10_000;

/// How the lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListForm {
    /// For a spreadsheet.
    Csv,
    /// An object a line, with all that is kept of a file.
    Ndjson,
}

impl ListForm {
    /// What stands before the lines.
    fn head(self) -> String {
        if self == Self::Csv { LEDGER_COLUMNS.to_string() } else { String::new() }
    }

    fn line(self, entry: &LedgerEntry) -> Result<String, Error> {
        match self {
            Self::Csv => Ok(ledger_row(entry)),
            Self::Ndjson => Ok(serde_json::to_string(entry).map_err(Error::internal)? + "\n"),
        }
    }

    fn content(self) -> (&'static str, &'static str) {
        match self {
            Self::Csv => ("text/csv; charset=utf-8; header=present", "attachment; filename=\"files.csv\""),
            Self::Ndjson => ("application/x-ndjson", "attachment; filename=\"files.ndjson\""),
        }
    }
}

/// The reading of a ledger.
struct LedgerCursor<F> {
    form: ListForm,
    lines: LedgerView,
    sources: Vec<String>,
    admits: F,
    /// Number of the source that is read.
    source: usize,
    /// The path behind which it goes on.
    after: String,
    /// What was read and is not sent.
    piece: String,
}

/// Answers `client` with the lines of `sources` that are seen and admitted.
///
/// # Errors
/// [`Error::Starting`]; [`Error::Busy`] if too many wait; [`Error::OverShare`] or [`Error::Crowded`].
pub(crate) async fn answer(
    app: Arc<App>,
    client: &str,
    form: ListForm,
    lines: LedgerView,
    sources: Vec<String>,
    admits: impl Fn(&LedgerEntry) -> bool + Send + 'static,
) -> Result<HttpResponse, Error> {
    app.engine()?;
    let room = app.traffic.transfer(client)?;
    let piece = form.head();
    let cursor = LedgerCursor { form, lines, sources, admits, source: 0, after: String::new(), piece };
    let cursor = read(&app, Turn::Long, cursor).await?;
    let pieces = stream::try_unfold((app, cursor, room), |(app, mut cursor, room)| async move {
        while cursor.piece.is_empty() && !cursor.is_at_end() && !app.is_stopping() {
            cursor = read(&app, Turn::Next, cursor).await.inspect_err(|error| {
                // The status has been sent long ago: a cut transfer is how the client learns of it.
                tracing::error!("a list of files broke off: {}", storage::chain(&error));
            })?;
        }
        let piece = std::mem::take(&mut cursor.piece);
        Ok::<_, Error>((!piece.is_empty()).then(|| (web::Bytes::from(piece), (app, cursor, room))))
    });
    let (kind, disposition) = form.content();
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header(("content-disposition", disposition))
        .insert_header(("cache-control", "no-store"))
        .streaming(Box::pin(pieces)))
}

async fn read<F>(app: &Arc<App>, turn: Turn, cursor: LedgerCursor<F>) -> Result<LedgerCursor<F>, Error>
where
    F: Fn(&LedgerEntry) -> bool + Send + 'static,
{
    app.turn(turn, move |_, engine, _| cursor.read(engine)).await
}

impl<F: Fn(&LedgerEntry) -> bool> LedgerCursor<F> {
    fn is_at_end(&self) -> bool {
        self.source == self.sources.len()
    }

    /// Reads on until there is enough to send, or others should have their turn.
    fn read(mut self, engine: &Engine) -> Result<Self, Error> {
        let mut looked_at = 0;
        while let Some(source) = self.sources.get(self.source) {
            for entry in engine.truth.ledger(source, &self.after) {
                let entry = entry?;
                looked_at += 1;
                self.after.clone_from(&entry.path);
                if (self.admits)(&entry) && self.lines.shows(&entry)? {
                    self.piece.push_str(&self.form.line(&self.lines.line(engine, entry)?)?);
                }
                if self.piece.len() >= PIECE || looked_at >= LOOKED_AT {
                    return Ok(self);
                }
            }
            self.source += 1;
            self.after.clear();
        }
        Ok(self)
    }
}
