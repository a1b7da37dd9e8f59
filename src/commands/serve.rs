//! `quarry serve`: the search page, the REST API and live indexing in one process.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use indexer::IndexOptions;
use searcher::{Calibration, SearchConfig};
use storage::{BackupError, BackupObserver, BackupSummary, IndexModel, Source, Store, Unobserved};
use web::{Announcement, EngineParts, LogTail, OpenError, SourceConfig};

use crate::cli::ServeArgs;
use crate::commands::backup::CopyProgress;
use crate::commands::index;
use crate::plain::shown;
use crate::settings::Settings;
use crate::{answers, interrupt, models, output, paths};

pub(crate) fn run(settings: &Settings, args: &ServeArgs, log: LogTail) -> Result<ExitCode> {
    // A folder that is not there is noticed before anything is made.
    args.folders.iter().try_for_each(|folder| paths::source_root(folder).map(drop))?;
    let config = settings.web();
    let data_dir = paths::data_dir(settings)?;
    if let Some(place) = config.follow.place() {
        if config.index.sources.iter().any(|source| source.from.is_none()) {
            eprintln!("quarry: sources of the configuration are not indexed here: those of the backups are searched");
        }
        let progress = CopyProgress::new("follow")?;
        let followed = follow(place, &config, &data_dir, false, &progress);
        progress.finish();
        if matches!(followed.as_ref().map_err(|error| error.downcast_ref()), Err(Some(BackupError::Stopped))) {
            eprintln!("stopped; nothing is restored. The same command begins anew.");
            return Ok(ExitCode::from(interrupt::INTERRUPTED));
        }
        followed?;
    }
    // What cannot be used is said before anything is opened.
    settings.guidance()?;
    let reading = settings.extract.start()?;
    let named = config.index.sources.clone();
    let opener = Opener {
        settings: settings.clone(),
        args: args.clone(),
        named,
        indexing: IndexOptions { vectors: settings.vector_timing(), ..reading.options() },
        search: settings.search()?,
        log,
        calibration: settings.calibration()?,
    };
    let scheme = if config.server.is_encrypted() { "https" } else { "http" };
    web::serve(
        config,
        &data_dir,
        move |step| announce(scheme, step),
        move || {
            opener.open().map_err(|error| OpenError::from(error.reallocate_into_boxed_dyn_error_without_backtrace()))
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the data folder of the newest backup at a place; anew where what it has `is_lost`. Who is let in comes with it, so that
/// nothing is listened on before.
fn follow(
    place: &Path,
    config: &web::Config,
    data_dir: &Path,
    is_lost: bool,
    observer: &dyn BackupObserver,
) -> Result<()> {
    let destination = connect::destination(place, &config.s3)?;
    let brought = storage::begin_following(&*destination, data_dir, is_lost, observer)?;
    if let Some(BackupSummary { name, created, documents, .. }) = brought {
        eprintln!("quarry: brought the backup {} of {}: {documents} documents", shown(&name), output::time(created));
    }
    Ok(())
}

/// Says each step when it is true; programs wait for the line with `serving`.
fn announce(scheme: &str, step: Announcement) {
    match step {
        Announcement::Starting(address) => eprintln!("quarry: starting at {scheme}://{address}/"),
        Announcement::Metrics(address) => eprintln!("quarry: metrics at {scheme}://{address}/metrics"),
        Announcement::Socket(path) => eprintln!("quarry: a proxy connects at {}", path.display()),
        Announcement::SetUp { address, path } => {
            let host = if address.ip().is_unspecified() { "localhost".to_string() } else { url_host(address) };
            eprintln!("quarry: nobody can be let in yet. Make the first administrator, within an hour, at");
            eprintln!("quarry: {scheme}://{host}:{}{path}", address.port());
        }
        Announcement::Serving(address) => eprintln!("quarry: serving {scheme}://{address}/"),
    }
}

fn url_host(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Opens the models and the index, in the server's background.
struct Opener {
    settings: Settings,
    args: ServeArgs,
    named: Vec<SourceConfig>,
    indexing: IndexOptions,
    search: SearchConfig,
    log: LogTail,
    calibration: Calibration,
}

impl Opener {
    fn open(self) -> Result<EngineParts> {
        let data_dir = paths::data_dir(&self.settings)?;
        let (embedder, model) = models::embedder(&self.settings)?;
        let reranker = models::reranker_name(&self.settings)?.zip(models::reranker(&self.settings)?);
        let generator = models::shown_name(self.settings.writer.as_deref())?.zip(models::writer(&self.settings)?);
        let answers = answers::writer(&self.settings, generator.as_ref())?;
        let store = self.store(&data_dir, &model)?;
        output::print_repairs(store.repairs());
        let sources = self.sources(&store)?;
        let guidance = self.settings.guidance_files()?;
        let in_force = toml::to_string(&self.settings)?;
        let Self { indexing, search, calibration, log, .. } = self;
        Ok(EngineParts {
            store,
            embedder,
            reranker,
            answers,
            generator,
            sources,
            data_dir,
            indexing,
            search,
            guidance,
            settings: in_force,
            log,
            calibration,
        })
    }

    fn store(&self, data_dir: &Path, model: &IndexModel) -> Result<Store> {
        let config = self.settings.web();
        let Some(place) = config.follow.place() else { return Ok(Store::open(data_dir, model)?) };
        match Store::open_following(data_dir, model) {
            Err(error) if error.is_damage() => {
                let damage = storage::chain(&error);
                eprintln!("quarry: the index is damaged, and the newest backup takes its place: {damage}");
                follow(place, &config, data_dir, true, &Unobserved)?;
                Ok(Store::open_following(data_dir, model)?)
            }
            opened => Ok(opened?),
        }
    }

    /// The folders of the configuration and of the command line.
    fn sources(&self, store: &Store) -> Result<Vec<Source>> {
        if self.settings.web().follow.place().is_some() {
            return Ok(Vec::new());
        }
        let mut known = store.sources().to_vec();
        let mut named = Vec::new();
        // What lies elsewhere is known to the server by its configuration.
        for SourceConfig { name, folder, .. } in self.named.iter().filter(|source| source.from.is_none()) {
            named.push(index::source_for(folder, Some(name), &known)?);
            known.extend(named.last().cloned());
        }
        for folder in &self.args.folders {
            named.push(index::source_for(folder, None, &known)?);
            known.extend(named.last().cloned());
        }
        Ok(named)
    }
}
