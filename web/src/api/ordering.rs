//! The ordering of an answer, turn by turn, as far as it is reranked: the one place where budgets and places to compute
//! meet the searcher.

use std::sync::Arc;
use std::time::{Duration, Instant};

use searcher::{Answer, Draft, Reply, RerankState, SearchPlan, SearchRequest, Wish};
use storage::View;

use crate::app::{App, Turn};
use crate::engine::Engine;
use crate::error::Error;
use crate::guard::Caller;
use crate::wanted::Wanted;

/// How long a search has its place before others that wait get theirs.
const SLICE: Duration = Duration::from_millis(50);

/// A search that is ranked turn by turn: between two turns it holds no place to compute, and the reranker reads on.
pub(crate) struct Search {
    search: searcher::Search<Arc<View>>,
}

impl Search {
    /// Recalls candidates of what the caller sees. Blocks; for [`App::turn`], as all of this.
    ///
    /// # Errors
    /// The index is damaged or the model failed.
    pub(crate) fn begin(app: &App, engine: &Engine, request: SearchRequest, caller: &Caller) -> Result<Self, Error> {
        let view = engine.view(caller)?;
        app.suggestions.note(&view, caller);
        Ok(Self { search: engine.searcher.begin(view, request)? })
    }

    /// What it does.
    pub(crate) fn plan(&self) -> &SearchPlan {
        self.search.plan()
    }

    /// Whether a better order may come.
    pub(crate) fn is_running(&self) -> bool {
        self.search.state() == RerankState::Running
    }

    /// Reads on for a turn, or until the order gets better. Says whether it did, or will not any more.
    ///
    /// # Errors
    /// As [`Search::begin`].
    pub(crate) fn read(&mut self, wanted: &Wanted) -> Result<bool, Error> {
        self.read_until(Instant::now() + SLICE, wanted)?;
        Ok(!self.search.is_resting())
    }

    fn read_until(&mut self, over: Instant, wanted: &Wanted) -> Result<(), Error> {
        self.search.step(&|| match wanted.holds() {
            false => Wish::Stop,
            true if Instant::now() >= over => Wish::Rest,
            true => Wish::GoOn,
        })?;
        Ok(())
    }

    /// The best order known now.
    ///
    /// # Errors
    /// As [`Search::begin`].
    pub(crate) fn answer(&mut self) -> Result<Answer, Error> {
        Ok(self.search.answer()?)
    }
}

impl Search {
    /// What an answer to the question is made from, by the order of an answer of this search.
    ///
    /// # Errors
    /// As [`Search::begin`].
    pub(crate) fn draft(&self, answer: &Answer, time: Duration) -> Result<Draft, Error> {
        Ok(self.search.draft(answer, time)?)
    }

    /// What the documents say to the question, by the order of an answer of this search.
    ///
    /// # Errors
    /// As [`Search::begin`].
    pub(crate) fn reply(&self, answer: &Answer, time: Duration) -> Result<Reply, Error> {
        Ok(self.search.reply(answer, time)?)
    }
}

/// A search on its way to the best order within its budget, and what is made of that.
struct Best<F> {
    search: Search,
    make: F,
}

/// Where a turn left it.
enum Turned<F, T> {
    More(Box<Best<F>>),
    Done(T),
}

impl<F> Best<F> {
    /// Reads on for a turn; at the end of reading, answers in the same turn.
    fn turn<T>(mut self, app: &App, engine: &Engine, wanted: &Wanted) -> Result<Turned<F, T>, Error>
    where
        F: FnOnce(&App, &Engine, &mut Search) -> Result<T, Error>,
    {
        let over = Instant::now() + SLICE;
        while self.search.is_running() {
            if Instant::now() >= over {
                return Ok(Turned::More(Box::new(self)));
            }
            self.search.read_until(over, wanted)?;
        }
        wanted.check()?;
        Ok(Turned::Done((self.make)(app, engine, &mut self.search)?))
    }
}

/// The best order within the request's budget, and what `make` makes of it.
///
/// # Errors
/// Those of the search and of `make`; [`Error::Busy`], [`Error::Timeout`].
pub(crate) async fn best<T: Send + 'static>(
    app: &Arc<App>,
    request: SearchRequest,
    caller: Caller,
    make: impl FnOnce(&App, &Engine, &mut Search) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let best = async {
        let first = move |app: &App, engine: &Engine, wanted: &Wanted| {
            Best { search: Search::begin(app, engine, request, &caller)?, make }.turn(app, engine, wanted)
        };
        let mut turned = app.turn(Turn::First, first).await?;
        loop {
            match turned {
                Turned::Done(made) => return Ok(made),
                Turned::More(best) => {
                    let next = move |app: &App, engine: &Engine, wanted: &Wanted| best.turn(app, engine, wanted);
                    turned = app.turn(Turn::Next, next).await?;
                }
            }
        }
    };
    app.in_time(best).await
}
