//! Numbers for Prometheus: requests, the stages of searches, and the state of the index and the queues.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use searcher::Timings;

use crate::app::App;
use crate::error::Error;
use crate::model_metrics::ModelMetrics;
use crate::stages;

/// Upper ends of the buckets, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stage {
    stage: &'static str,
}

/// All numbers.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram>,
    stages: Family<Stage, Histogram>,
    generation: Gauge,
    passages: Gauge,
    waiting: Gauge,
    ready: Gauge,
    awaited: Gauge,
    to_embed: Gauge,
    last_backup: Gauge,
    followed_backup: Gauge,
    follow_failing: Gauge,
    failing: Gauge,
    /// What insights had no room or no time for.
    pub(crate) insights_left_out: Counter,
    audit_failing: Gauge,
    audit_lost: Gauge,
    models: ModelMetrics,
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("quarry");
        let requests = Family::default();
        let seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        let stages = Family::new_with_constructor(histogram as fn() -> Histogram);
        let (generation, passages, waiting, ready) = <(Gauge, Gauge, Gauge, Gauge)>::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register("http_request_seconds", "Time to the first byte of an answer", seconds.clone());
        registry.register("search_stage_seconds", "Time of each stage of a search", stages.clone());
        registry.register("index_generation", "Number of the commit that searches see", generation.clone());
        registry.register("index_passages", "Passages that searches see", passages.clone());
        registry.register("compute_waiting", "Requests that wait for a place to compute", waiting.clone());
        let (awaited, failing) = <(Gauge, Gauge)>::default();
        registry.register("ready", "Whether searches can be answered", ready.clone());
        registry.register("sources_awaited", "Sources that were never looked through as a whole", awaited.clone());
        registry.register("writer_failing", "Whether the index cannot be written", failing.clone());
        let to_embed = Gauge::default();
        registry.register("passages_to_embed", "Passages whose vectors are still to come", to_embed.clone());
        let last_backup = Gauge::default();
        registry.register(
            "last_backup_timestamp_seconds",
            "When the last backup was made, in seconds of Unix time; 0 where none is known",
            last_backup.clone(),
        );
        let (followed_backup, follow_failing) = <(Gauge, Gauge)>::default();
        registry.register(
            "followed_backup_timestamp_seconds",
            "When the backup was made that is searched, in seconds of Unix time; 0 in a server that follows none",
            followed_backup.clone(),
        );
        registry.register("follow_failing", "Whether newer backups cannot be had", follow_failing.clone());
        let insights_left_out = Counter::default();
        registry.register(
            "insights_left_out",
            "Searches, clicks and thumbs that insights had no room or no time for",
            insights_left_out.clone(),
        );
        let (audit_failing, audit_lost) = <(Gauge, Gauge)>::default();
        registry.register("audit_failing", "Whether the audit log cannot be written", audit_failing.clone());
        registry.register("audit_lost", "Lines of the audit log that were lost", audit_lost.clone());
        stages::register(&mut registry);
        let models = ModelMetrics::register(&mut registry);
        Self {
            registry,
            requests,
            seconds,
            stages,
            generation,
            passages,
            waiting,
            ready,
            awaited,
            to_embed,
            last_backup,
            followed_backup,
            follow_failing,
            failing,
            insights_left_out,
            audit_failing,
            audit_lost,
            models,
        }
    }

    pub(crate) fn answered(&self, method: &str, route: &str, status: u16, seconds: f64) {
        // A method is whatever a client sends: only those that exist become labels.
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"].contains(&method);
        let method = if known { method } else { "other" }.to_string();
        self.requests.get_or_create(&Request { method, route: route.to_string(), status }).inc();
        self.seconds.get_or_create(&Route { route: route.to_string() }).observe(seconds);
    }

    pub(crate) fn searched(&self, timings: &Timings) {
        let stages = [
            ("plan", timings.plan_ms),
            ("lexical", timings.lexical_ms),
            ("embed", timings.embed_ms),
            ("vector", timings.vector_ms),
            ("fuse", timings.fuse_ms),
            ("rerank", timings.rerank_ms),
            ("highlight", timings.highlight_ms),
            ("total", timings.total_ms),
        ];
        for (stage, milliseconds) in stages {
            self.stages.get_or_create(&Stage { stage }).observe(milliseconds / 1e3);
        }
    }

    /// All numbers in the OpenMetrics text format.
    pub(crate) fn render(&self, app: &App) -> Result<String, Error> {
        let as_i64 = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        if let Ok(engine) = app.engine() {
            let snapshot = engine.snapshot();
            self.generation.set(as_i64(snapshot.sequence()));
            let whole = engine.whole();
            self.passages.set(as_i64(whole.as_ref().map_or(0, |view| view.passages())));
            self.to_embed.set(as_i64(whole.map_or(0, |view| view.totals().waiting.passages)));
            self.last_backup.set(engine.writer.last_backup().unwrap_or(0));
            let following = engine.writer.following();
            self.followed_backup.set(following.as_ref().map_or(0, |following| following.made));
            self.follow_failing.set(i64::from(following.is_some_and(|following| following.problem.is_some())));
            self.models.read(engine);
        }
        self.waiting.set(as_i64(app.admission.waiting() as u64));
        self.ready.set(i64::from(app.is_ready()));
        self.awaited.set(as_i64(app.awaited() as u64));
        self.failing.set(i64::from(app.failure().is_some()));
        self.audit_failing.set(i64::from(app.audit.is_failing()));
        self.audit_lost.set(as_i64(app.audit.lost()));
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(Error::internal)?;
        Ok(text)
    }
}
