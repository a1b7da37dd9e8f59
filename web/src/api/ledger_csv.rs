//! The ledger as CSV: all lines that are asked for, sent while they are read, so that a long ledger takes no memory.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use futures_util::stream;
use indexer::{LEDGER_COLUMNS, ledger_row};
use storage::LedgerEntry;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::app::App;
use crate::error::Error;

/// Bytes that are sent at once.
const PIECE: usize = 64 << 10;
/// Pieces that may wait for a slow client; the reading waits with them.
const WAITING: usize = 4;

/// Answers with the lines of `sources` that are admitted.
///
/// # Errors
/// [`Error::Starting`]; [`Error::Busy`] if too many wait.
pub(crate) async fn answer(
    app: Arc<App>,
    sources: Vec<String>,
    admits: impl Fn(&LedgerEntry) -> bool + Send + 'static,
) -> Result<HttpResponse, Error> {
    app.engine()?;
    let permit = app.admission.enter().await?;
    let (sender, receiver) = channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        if let Err(error) = send(&app, &sources, &admits, &sender) {
            // The status has been sent long ago: a cut transfer is how the client learns of it.
            tracing::error!("a list of files broke off: {error}");
            let _ = sender.blocking_send(Err(error));
        }
    });
    let pieces = stream::unfold(receiver, |mut receiver: Receiver<Result<web::Bytes, Error>>| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header(("content-disposition", "attachment; filename=\"files.csv\""))
        .insert_header(("cache-control", "no-store"))
        .streaming(pieces))
}

fn send(
    app: &App,
    sources: &[String],
    admits: &dyn Fn(&LedgerEntry) -> bool,
    sender: &Sender<Result<web::Bytes, Error>>,
) -> Result<(), Error> {
    let engine = app.engine()?;
    let mut piece = LEDGER_COLUMNS.to_string();
    for source in sources {
        for entry in engine.truth.ledger(source, "") {
            let entry = entry?;
            if !admits(&entry) {
                continue;
            }
            piece.push_str(&ledger_row(&engine.truth.told(entry)?));
            let is_unwanted =
                piece.len() >= PIECE && sender.blocking_send(Ok(std::mem::take(&mut piece).into())).is_err();
            if is_unwanted || app.is_stopping() {
                return Ok(());
            }
        }
    }
    // A client that has gone misses nothing.
    let _ = sender.blocking_send(Ok(piece.into()));
    Ok(())
}
