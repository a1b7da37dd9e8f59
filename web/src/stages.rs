//! The stages of indexing, measured: what each span of [`storage::STAGE`] takes, as a histogram by its name.
//!
//! The measuring is a layer of the process's subscriber, so that the indexer and the store know of spans and of nothing
//! else.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Upper ends of the buckets, in seconds: a file takes milliseconds, a batch at the model seconds.
const BUCKETS: [f64; 12] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stage {
    stage: &'static str,
}

type Stages = Family<Stage, Histogram, fn() -> Histogram>;

/// There is one subscriber in a process, and one of these.
static STAGES: LazyLock<Stages> = LazyLock::new(|| Family::new_with_constructor(|| Histogram::new(BUCKETS)));

pub(crate) fn register(registry: &mut Registry) {
    registry.register("index_stage_seconds", "Time of each stage of indexing", STAGES.clone());
}

/// The layer that measures; for the process's subscriber.
pub fn stage_layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    Measuring.with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == storage::STAGE))
}

struct Measuring;

struct Begun(Instant);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Measuring {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Begun(Instant::now()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let took: Option<Duration> = span.extensions().get::<Begun>().map(|begun| begun.0.elapsed());
        if let Some(took) = took {
            STAGES.get_or_create(&Stage { stage: span.name() }).observe(took.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn spans_of_stages_are_measured_by_name_and_no_others() {
        let subscriber = tracing_subscriber::registry().with(stage_layer());
        tracing::subscriber::with_default(subscriber, || {
            let outer = tracing::debug_span!(target: storage::STAGE, "outer_of_a_test").entered();
            tracing::debug_span!(target: storage::STAGE, "inner_of_a_test").in_scope(|| ());
            tracing::debug_span!("other_of_a_test").in_scope(|| ());
            drop(outer);
        });
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for name in ["outer_of_a_test", "inner_of_a_test"] {
            assert!(text.contains(&format!("index_stage_seconds_count{{stage=\"{name}\"}} 1")), "{text}");
        }
        assert!(!text.contains("other_of_a_test"));
    }
}
