//! The desk where the work of tools is done: behind it is the running server with somebody who asks, or an index that is only read.

use std::sync::Arc;

use searcher::{Answer, AskRequest, Reply, RequestLimits, SearchRequest, SimilarRequest};
use storage::View;

use super::local::Local;
use super::place::Place;
use crate::api::{answer, search, similar};
use crate::app::App;
use crate::audit::{self, AuditEvent};
use crate::engine::Engine;
use crate::error::Error;
use crate::guard::{Caller, current_request};
use crate::insights::{Asked, Via};
use crate::links::Links;

/// Who does the work.
pub(super) enum Desk {
    Served(Box<Served>),
    Local(Arc<Local>),
}

/// The running server, for somebody.
pub(super) struct Served {
    pub(super) app: Arc<App>,
    pub(super) caller: Caller,
    pub(super) place: Place,
    /// Where the request came from.
    pub(super) address: Option<String>,
}

impl Desk {
    pub(super) fn place(&self) -> &Place {
        match self {
            Self::Served(served) => &served.place,
            Self::Local(local) => &local.place,
        }
    }

    /// How much one request may ask for.
    pub(super) fn limits(&self) -> RequestLimits {
        match self {
            Self::Served(served) => served.app.config.limits.requests(),
            Self::Local(local) => local.config.limits.requests(),
        }
    }

    /// # Errors
    /// Those of `/api/v1/search`.
    pub(super) async fn search(&self, request: SearchRequest) -> Result<Answer, Error> {
        match self {
            Self::Served(served) => {
                let asked = Asked::of(&request, &served.caller, Via::Program);
                search::run(&served.app, request, served.caller.clone(), |_, engine, answer| {
                    engine.note(asked, &answer.answer);
                    Ok(answer.answer)
                })
                .await
            }
            Self::Local(local) => local.search(request).await,
        }
    }

    /// # Errors
    /// Those of `/api/v1/answer`.
    pub(super) async fn answer(&self, request: AskRequest) -> Result<Reply, Error> {
        match self {
            Self::Served(served) => answer::ask(&served.app, &request, served.caller.clone(), Via::Program).await,
            Self::Local(local) => local.answer(request).await,
        }
    }

    /// # Errors
    /// Those of `/api/v1/similar`.
    pub(super) async fn similar(&self, request: SimilarRequest) -> Result<Answer, Error> {
        match self {
            Self::Served(served) => similar::find(Arc::clone(&served.app), request, served.caller.clone()).await,
            Self::Local(local) => local.similar(request).await,
        }
    }

    /// Reads what is seen.
    ///
    /// # Errors
    /// Those of the work; the index is damaged.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&View, &Links) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match self {
            Self::Served(served) => {
                let caller = served.caller.clone();
                let read = move |_: &App, engine: &Engine| work(&*engine.view(&caller)?, &engine.links);
                Arc::clone(&served.app).compute(read).await
            }
            Self::Local(local) => local.read(work).await,
        }
    }

    /// Whether what is searched for is noted.
    pub(super) fn notes_queries(&self) -> bool {
        match self {
            Self::Served(served) => served.app.audit.has_queries(),
            Self::Local(_) => false,
        }
    }

    /// Does something that is an event of the audit log, if it is one; what failed has not happened.
    ///
    /// # Errors
    /// Those of the work; [`Error::Audit`].
    pub(super) async fn noted<T>(
        &self,
        event: Option<&'static str>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Self::Served(served) = self else { return work.await };
        let Served { app, caller, address, .. } = &**served;
        let Some(event) = event.filter(|_| app.audit.is_on()) else { return work.await };
        if app.audit.refuses() {
            return Err(Error::Audit);
        }
        let (done, about) = audit::observed(work).await;
        if done.is_ok() {
            let event = AuditEvent::new(event, &caller.name).of(caller).by(address.clone(), current_request());
            app.audit.note(&event.with(about));
        }
        done
    }
}
