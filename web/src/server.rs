//! The server from binding to closing.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App as Actix, HttpServer, web};
use futures_util::future::try_join_all;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::audit::Audit;
use crate::brand::Brand;
use crate::config::{Config, ServerConfig, is_loopback};
use crate::engine::{Engine, EngineParts, OpenError};
use crate::error::ServeError;
use crate::guard::{Endpoint, KeyFile, Keys, Need, Scope, beneath, observe, unmatched};
use crate::identity::{People, Upstreams, UserFile};
use crate::jobs::now;
use crate::socket::{LocalSocket, Way, note_owner};
use crate::{api, compat, mcp, pages, suggestions, tls, traffic};

/// What a starting server has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// It listens here, answers probes, and opens the index.
    Starting(SocketAddr),
    /// `/metrics` and `/health` are answered here alone.
    Metrics(SocketAddr),
    /// Nobody can be let in yet: whoever opens this path within an hour makes the first administrator.
    SetUp {
        /// Where it listens.
        address: SocketAddr,
        /// With the token, which is said nowhere else.
        path: String,
    },
    /// A proxy may connect here.
    Socket(PathBuf),
    /// The index is open: it can be searched here.
    Serving(SocketAddr),
}

/// An address that is listened on, by what is answered there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Everything; the numbers only where they have no door of their own.
    Main,
    /// The same, for the proxy that comes by a socket.
    Proxy,
    /// Everything and the numbers, for commands of the server's own user.
    Owner,
    /// Probes and numbers alone.
    Metrics,
}

impl Door {
    /// The way that requests come by there.
    fn way(self, config: &ServerConfig) -> Way {
        match self {
            Self::Main | Self::Metrics if config.tls().is_some() => Way::Encrypted,
            Self::Main | Self::Metrics => Way::Address,
            Self::Proxy => Way::Proxy,
            Self::Owner => Way::Owner,
        }
    }

    /// What is answered there.
    pub(crate) fn endpoints(self, config: &ServerConfig) -> Vec<Endpoint> {
        let admin = Need::Scope(Scope::Admin);
        let mut endpoints = api::probes();
        match (self, config.metrics_listen) {
            (Self::Main | Self::Proxy | Self::Owner, metrics) => {
                let all = api::endpoints().into_iter().chain(compat::endpoints()).chain(pages::endpoints());
                endpoints.extend(all.chain(mcp::endpoints()));
                let has_numbers = metrics.is_none() || self == Self::Owner;
                endpoints.extend(has_numbers.then(|| api::metrics(admin)));
            }
            // Whoever is on this machine may read the numbers, as was asked for; nobody else.
            (Self::Metrics, Some(listen)) if is_loopback(listen) => endpoints.push(api::metrics(Need::Host)),
            (Self::Metrics, _) => endpoints.push(api::metrics(admin)),
        }
        endpoints
    }
}

/// Serves until SIGTERM or SIGINT, then finishes the requests and the commit under way.
///
/// `announce` is told each step when it is true; `open` opens the index in a thread of its own, while the server already
/// answers `/health/live`.
///
/// # Errors
/// The configuration does not make sense, an address is not protected or cannot be bound, or `open` failed.
pub fn serve(
    config: Config,
    data_dir: &Path,
    announce: impl Fn(Announcement) + Send + Sync + 'static,
    open: impl FnOnce() -> Result<EngineParts, OpenError> + Send + 'static,
) -> Result<(), ServeError> {
    let problems = config.problems();
    if !problems.is_empty() {
        return Err(ServeError::Config { problems });
    }
    let brand = Brand::read(&config.page).map_err(|problems| ServeError::Config { problems })?;
    let keys = Keys::open(KeyFile::of(data_dir))?;
    let people = People::open(UserFile::of(data_dir))?;
    let upstreams = Upstreams::open(&config.auth).map_err(|problems| ServeError::Config { problems })?;
    let is_protected = keys.any_valid() || people.any_able() || upstreams.provider.is_some() || config.trusts_proxy();
    // Where keys or users are gone, whoever comes first is not the one who should have a link.
    // Who is let in comes with the backups where some are followed.
    let sets_up = config.auth.set_up
        && config.follow.place().is_none()
        && !is_protected
        && !keys.are_required()
        && !people.are_required();
    let reached = config.server.listens().find(|listen| !is_loopback(*listen) && !is_protected);
    if let Some(listen) = reached.filter(|_| !sets_up) {
        return Err(ServeError::Unprotected { listen });
    }
    let sets_up = sets_up && reached.is_some();
    let audit = Audit::start(&config.audit, data_dir).map_err(ServeError::Audit)?;
    let app = Arc::new(App::new(config, brand, keys, people, upstreams, audit, data_dir));
    let failed = Arc::new(Mutex::new(None));
    let served = actix_web::rt::System::new().block_on(run(&app, data_dir, sets_up, announce, open, &failed));
    app.stop();
    app.sessions.save();
    if let Ok(engine) = app.engine() {
        engine.stop();
    }
    app.audit.stop();
    served?;
    let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
    failed.map_or(Ok(()), |error| Err(ServeError::Open(error)))
}

async fn run(
    app: &Arc<App>,
    data_dir: &Path,
    sets_up: bool,
    announce: impl Fn(Announcement) + Send + Sync + 'static,
    open: impl FnOnce() -> Result<EngineParts, OpenError> + Send + 'static,
    failed: &Arc<Mutex<Option<OpenError>>>,
) -> Result<(), ServeError> {
    let config = &app.config.server;
    let (main, server) = bind(app, Door::Main, config.listen, config.workers)?;
    let mut servers = vec![server];
    announce(Announcement::Starting(main));
    if sets_up {
        let token = app.set_up.begin(now()).map_err(io::Error::other)?;
        let base = &config.base_path;
        announce(Announcement::SetUp { address: main, path: format!("{base}/set-up?token={token}") });
    }
    if let Some(listen) = config.metrics_listen {
        let (bound, server) = bind(app, Door::Metrics, listen, 1)?;
        servers.push(server);
        announce(Announcement::Metrics(bound));
    }
    let mut sockets = Vec::new();
    if let Some(path) = app.config.auth.socket() {
        let failed = |source| ServeError::Socket { path: path.to_path_buf(), source };
        let bound = LocalSocket::for_proxy(path).map_err(failed)?;
        let server = listen_on(app, Door::Proxy, bound, config.workers, &mut sockets).map_err(failed)?;
        servers.push(server);
        announce(Announcement::Socket(path.to_path_buf()));
    }
    let own = LocalSocket::for_owner(data_dir).and_then(|bound| listen_on(app, Door::Owner, bound, 1, &mut sockets));
    match own {
        Ok(server) => servers.push(server),
        // The index is locked then: the opener says so.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
        Err(error) => tracing::warn!("commands on this machine cannot reach the server: {error}"),
    }
    let handles: Vec<ServerHandle> = servers.iter().map(Server::handle).collect();
    spawn_signals(app, handles.clone())?;
    greet_provider(app)?;
    spawn_opener(app, open, move || announce(Announcement::Serving(main)), handles, failed)?;
    try_join_all(servers).await?;
    drop(sockets);
    Ok(())
}

/// Listens on an address.
fn bind(app: &Arc<App>, door: Door, listen: SocketAddr, workers: usize) -> Result<(SocketAddr, Server), ServeError> {
    let data = web::Data::from(Arc::clone(app));
    let server = HttpServer::new(move || service(data.clone(), door));
    let server = server.workers(workers).shutdown_timeout(app.config.server.shutdown_seconds);
    // A client that has closed its side has gone: work for it is to end, not to go on until something is written.
    let server = server.h1_allow_half_closed(false);
    let server = server.on_connect(traffic::cut_off_after(Duration::from_secs(app.config.limits.stalled_seconds)));
    let server = server.disable_signals();
    let server = match app.config.server.tls() {
        None => server.bind(listen),
        Some((certificate, key)) => server.bind_rustls_0_23(listen, tls::server_config(certificate, key)?),
    };
    let server = server.map_err(|source| ServeError::Bind { listen, source })?;
    let bound = server.addrs().first().copied().unwrap_or(listen);
    Ok((bound, server.run()))
}

/// Listens on a socket, which is kept among `sockets`. It has no clients to be cut off: those are the proxy's, or commands.
fn listen_on(
    app: &Arc<App>,
    door: Door,
    (socket, listener): (LocalSocket, UnixListener),
    workers: usize,
    sockets: &mut Vec<LocalSocket>,
) -> io::Result<Server> {
    sockets.push(socket);
    let data = web::Data::from(Arc::clone(app));
    let server = HttpServer::new(move || service(data.clone(), door)).on_connect(note_owner);
    let server = server.workers(workers).shutdown_timeout(app.config.server.shutdown_seconds);
    Ok(server.h1_allow_half_closed(false).disable_signals().listen_uds(listener)?.run())
}

/// What answers at a door. Each endpoint brings its own check; what is none of them is checked as well.
pub(crate) fn service(
    app: web::Data<App>,
    door: Door,
) -> Actix<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let (endpoints, way) = (door.endpoints(&app.config.server), door.way(&app.config.server));
    Actix::new()
        .app_data(app)
        .app_data(way)
        .app_data(web::Data::new(pages::Shared::default()))
        // The last layer named is the first that a request meets.
        .wrap(from_fn(traffic::metered))
        .wrap(from_fn(pages::for_people))
        .wrap(Compress::default())
        .wrap(from_fn(beneath))
        .wrap(from_fn(observe))
        .configure(|services| endpoints.into_iter().for_each(|endpoint| endpoint.register(services)))
        .default_service(unmatched())
}

/// Opens the index beside the running server; if that fails, the server ends.
fn spawn_opener(
    app: &Arc<App>,
    open: impl FnOnce() -> Result<EngineParts, OpenError> + Send + 'static,
    opened: impl FnOnce() + Send + 'static,
    handles: Vec<ServerHandle>,
    failed: &Arc<Mutex<Option<OpenError>>>,
) -> Result<(), ServeError> {
    let (app, failed) = (Arc::clone(app), Arc::clone(failed));
    let work = move || {
        let engine = open().and_then(|parts| {
            Engine::start(parts, &app.config, Arc::clone(&app.jobs), app.metrics.insights_left_out.clone())
        });
        match engine {
            Ok(engine) => {
                app.set_engine(engine);
                if !app.is_stopping() {
                    opened();
                }
                suggestions::keep_up(&app);
            }
            Err(error) => {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                stop(&handles, false);
            }
        }
    };
    std::thread::Builder::new().name("opener".to_string()).spawn(work)?;
    Ok(())
}

/// Asks the provider beside the starting server: whoever starts it learns at once if nobody can sign in.
fn greet_provider(app: &Arc<App>) -> Result<(), ServeError> {
    if let Some(provider) = app.upstreams.provider.clone() {
        std::thread::Builder::new().name("provider".to_string()).spawn(move || provider.greet(now()))?;
    }
    Ok(())
}

fn stop(handles: &[ServerHandle], graceful: bool) {
    // The wish is sent at once; its answer is of no use here.
    handles.iter().for_each(|handle| drop(handle.stop(graceful)));
}

/// The first signal stops in good order, the second at once.
fn spawn_signals(app: &Arc<App>, handles: Vec<ServerHandle>) -> Result<(), ServeError> {
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
            stop(&handles, graceful);
        }
    });
    Ok(())
}
