//! A text on its way from the writer, for code that must not block: no thread is held while the model writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use qwen3::{GenerateHandle, GenerateRequest, Writing, Written};
use tokio::sync::Notify;

use crate::app::App;
use crate::error::Error;

/// How often a text that does not come on looks whether the server stops.
const LOOK_UP: Duration = Duration::from_secs(1);

/// A text that is being written; dropping it abandons it.
pub(crate) struct Manuscript {
    writing: Writing,
    news: Arc<Notify>,
    begun: Instant,
}

impl Manuscript {
    /// Asks the writer for a text.
    ///
    /// # Errors
    /// As [`GenerateHandle::begin`].
    pub(crate) fn begin(writer: &GenerateHandle, request: GenerateRequest) -> Result<Self, qwen3::Error> {
        let news = Arc::new(Notify::new());
        let told = Arc::clone(&news);
        let writing = writer.begin(GenerateRequest { told: Some(Box::new(move || told.notify_one())), ..request })?;
        Ok(Self { writing, news, begun: Instant::now() })
    }

    /// The next piece; `None` after the end.
    ///
    /// # Errors
    /// The model's; [`Error::Writing`] once it takes longer than `limits.writing_seconds`; [`Error::Stopping`].
    pub(crate) async fn next(&mut self, app: &App) -> Result<Option<Written>, Error> {
        let seconds = app.config.limits.writing_seconds;
        loop {
            if let Some(piece) = self.writing.ready() {
                return Ok(Some(piece?));
            }
            if self.writing.is_over() {
                return Ok(None);
            }
            if app.is_stopping() {
                return Err(Error::Stopping);
            }
            let left = Duration::from_secs(seconds).saturating_sub(self.begun.elapsed());
            if left.is_zero() {
                return Err(Error::Writing { seconds });
            }
            // Looked at again either way.
            let _ = tokio::time::timeout(left.min(LOOK_UP), self.news.notified()).await;
        }
    }
}
