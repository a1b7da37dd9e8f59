//! Insights: what is asked, what was not found, what was opened and what people said of it, as counts, for those who look
//! after the documents. Off unless `insights.enabled` says otherwise; then nothing of this is on disk.
//!
//! Promises: a query is shown, and exported, only from `insights.people` different people on, which is checked where
//! counts leave this room ([`Period::shown`]); nobody is named on disk ([`people`]); what is older than
//! `insights.keep_days` is gone; a search never waits for any of it, what does not fit is left out and counted.

mod config;
mod counts;
mod day;
mod event;
mod folder;
mod grades;
mod keeper;
mod people;
mod period;

use std::io;
use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use prometheus_client::metrics::counter::Counter;

pub use config::InsightsConfig;
pub(crate) use counts::QueryCounts;
pub(crate) use event::{Asked, Feedback, FeedbackKind, Via};
pub use grades::{Grade, JudgedQuery, Judgements};
pub(crate) use period::Period;

use crate::guard::Person;
use day::Day;
use event::{Event, Searched};
use folder::Folder;
use keeper::Keeper;

/// Events that may wait for the disk.
const WAITING: usize = 1_024;

/// What is told to the thread that keeps counts.
enum Message {
    Note(Noted),
    Stop,
}

/// Something that somebody did.
struct Noted {
    second: i64,
    person: Person,
    event: Event,
}

/// The insights of a running server.
pub(crate) struct Insights {
    config: InsightsConfig,
    folder: Folder,
    today: Arc<Mutex<Day>>,
    left_out: Counter,
    sender: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Insights {
    /// Opens the counts of a data folder, removes what is too old, and starts the thread that keeps them. Where insights are
    /// switched off, nothing is made; what is left of earlier days is still removed in time.
    ///
    /// # Errors
    /// The folder cannot be made, read or written.
    pub(crate) fn open(data_dir: &Path, config: &InsightsConfig, left_out: Counter) -> io::Result<Option<Self>> {
        if !config.enabled {
            Folder::of(data_dir).let_go(today(), config.keep_days)?;
            return Ok(None);
        }
        let folder = Folder::of(data_dir);
        let keeper = Keeper::open(&folder, config, today(), left_out.clone())?;
        let today = keeper.today();
        let (sender, receiver) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("insights".to_string()).spawn(move || keeper.run(&receiver))?;
        let thread = Mutex::new(Some(thread));
        Ok(Some(Self { config: config.clone(), folder, today, left_out, sender, thread }))
    }

    /// What is in force.
    pub(crate) fn config(&self) -> &InsightsConfig {
        &self.config
    }

    /// Notes a search and what came of it.
    pub(crate) fn searched(&self, asked: Asked, answer: &searcher::Answer) {
        let Asked { person, query, via, is_narrowed } = asked;
        let searched = Searched::of(answer, via, is_narrowed);
        self.note(person, Event::Search { query, searched });
    }

    /// Notes a question that was to be answered, and what came of it.
    pub(crate) fn replied(&self, asked: Asked, answer: &searcher::Answer, reply: &searcher::Reply) {
        let Asked { person, query, via, is_narrowed } = asked;
        let searched = Searched::of(answer, via, is_narrowed).with(reply);
        self.note(person, Event::Search { query, searched });
    }

    /// Notes what somebody did with a result, or said of it.
    pub(crate) fn told(&self, person: Person, feedback: Feedback) {
        let Feedback { query, document, kind, rank } = feedback;
        let event = match kind {
            FeedbackKind::Click => Event::Open { query, document, rank },
            FeedbackKind::Up => Event::Vote { query, document, up: true },
            FeedbackKind::Down => Event::Vote { query, document, up: false },
        };
        self.note(person, event);
    }

    fn note(&self, person: Person, event: Event) {
        let second = Timestamp::now().as_second();
        match self.sender.try_send(Message::Note(Noted { second, person, event })) {
            Ok(()) => {}
            // The disk is slower than people ask: searches do not wait for it.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => drop(self.left_out.inc()),
        }
    }

    /// The counts of the last `days` days, today included. Reads the disk.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn period(&self, days: u32) -> io::Result<Period> {
        let (date, counts) = {
            let today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
            (today.date(), today.counts().collect::<Vec<_>>())
        };
        Period::read(&self.folder, date, days, &self.config, Some(counts))
    }

    /// Writes what waits and ends the thread.
    pub(crate) fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        // It is gone only if it panicked, which is said below.
        let _ = self.sender.send(Message::Stop);
        if thread.join().is_err() {
            tracing::error!("the thread that keeps the insights panicked; what was written is safe");
        }
    }
}

/// The day of now. Days are those of UTC, so that none is 23 hours long.
fn today() -> Date {
    day_of(Timestamp::now().as_second())
}

/// The day of a second of Unix time.
fn day_of(second: i64) -> Date {
    Timestamp::from_second(second).map_or(Date::ZERO, |time| time.to_zoned(TimeZone::UTC).date())
}

/// The first of so many days that end with `last`.
fn first_of(last: Date, days: u32) -> Date {
    let back = jiff::Span::new().days(i64::from(days.max(1)) - 1);
    last.saturating_sub(back)
}
