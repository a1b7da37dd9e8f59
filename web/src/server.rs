//! The server from binding to closing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App as Actix, HttpServer, web};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::config::Config;
use crate::engine::{Engine, EngineParts, OpenError};
use crate::error::ServeError;
use crate::guard::{KeyFile, Keys, access, observe};
use crate::{api, compat, pages, suggestions, traffic};

/// Serves until SIGTERM or SIGINT, then finishes the requests and the commit under way.
///
/// `announce` is called with the bound address; `open` opens the index in a thread of its own, while the server already
/// answers `/health/live`.
///
/// # Errors
/// The configuration does not make sense, the address is not protected or cannot be bound, or `open` failed.
pub fn serve(
    config: Config,
    data_dir: &Path,
    announce: impl FnOnce(SocketAddr),
    open: impl FnOnce() -> Result<EngineParts, OpenError> + Send + 'static,
) -> Result<(), ServeError> {
    let problems = config.problems();
    if !problems.is_empty() {
        return Err(ServeError::Config { problems });
    }
    let keys = Keys::open(KeyFile::of(data_dir))?;
    let listen = config.server.listen;
    if !listen.ip().is_loopback() && !keys.any_valid() && !config.trusts_proxy() {
        return Err(ServeError::Unprotected { listen });
    }
    let app = Arc::new(App::new(config, keys));
    let failed = Arc::new(Mutex::new(None));
    let served = actix_web::rt::System::new().block_on(run(&app, announce, open, &failed));
    app.stop();
    if let Ok(engine) = app.engine() {
        engine.writer.stop();
    }
    served?;
    let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
    failed.map_or(Ok(()), |error| Err(ServeError::Open(error)))
}

async fn run(
    app: &Arc<App>,
    announce: impl FnOnce(SocketAddr),
    open: impl FnOnce() -> Result<EngineParts, OpenError> + Send + 'static,
    failed: &Arc<Mutex<Option<OpenError>>>,
) -> Result<(), ServeError> {
    let config = app.config.server.clone();
    let data = web::Data::from(Arc::clone(app));
    let factory = move || {
        Actix::new()
            .app_data(data.clone())
            // The last layer named is the first that a request meets.
            .wrap(from_fn(traffic::metered))
            .wrap(from_fn(access))
            .wrap(from_fn(pages::for_people))
            .wrap(Compress::default())
            .wrap(from_fn(observe))
            .configure(api::configure)
            .configure(compat::configure)
            .configure(pages::configure)
            .default_service(web::to(api::not_found))
    };
    let server = HttpServer::new(factory).workers(config.workers).shutdown_timeout(config.shutdown_seconds);
    // A client that has closed its side has gone: work for it is to end, not to go on until something is written.
    let server = server.h1_allow_half_closed(false);
    let stalled = Duration::from_secs(app.config.limits.stalled_seconds);
    let server = server.on_connect(traffic::cut_off_after(stalled));
    let server = server.disable_signals().bind(config.listen);
    let server = server.map_err(|source| ServeError::Bind { listen: config.listen, source })?;
    let bound = server.addrs().first().copied().unwrap_or(config.listen);
    let server = server.run();
    spawn_opener(app, open, server.handle(), failed)?;
    spawn_signals(app, server.handle())?;
    announce(bound);
    server.await?;
    Ok(())
}

/// Opens the index beside the running server; if that fails, the server ends.
fn spawn_opener(
    app: &Arc<App>,
    open: impl FnOnce() -> Result<EngineParts, OpenError> + Send + 'static,
    handle: ServerHandle,
    failed: &Arc<Mutex<Option<OpenError>>>,
) -> Result<(), ServeError> {
    let (app, failed) = (Arc::clone(app), Arc::clone(failed));
    let work = move || {
        let engine = open().and_then(|parts| Engine::start(parts, &app.config.index, Arc::clone(&app.jobs)));
        match engine {
            Ok(engine) => {
                app.set_engine(engine);
                suggestions::keep_up(&app);
            }
            Err(error) => {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                // The answer to the wish to stop is of no use here.
                drop(handle.stop(false));
            }
        }
    };
    std::thread::Builder::new().name("opener".to_string()).spawn(work)?;
    Ok(())
}

/// The first signal stops in good order, the second at once.
fn spawn_signals(app: &Arc<App>, handle: ServerHandle) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let app = Arc::clone(app);
    actix_web::rt::spawn(async move {
        for graceful in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!(graceful, "stopping");
            app.stop();
            drop(actix_web::rt::spawn(handle.stop(graceful)));
        }
    });
    Ok(())
}
