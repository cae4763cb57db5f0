//! Traces for OpenTelemetry, where a collector is named; without one nothing of this does anything, and [`begin`] costs the
//! look at one word. Spans are exported by a thread of their own from a queue that drops what is too much, so a collector that
//! is slow or away costs spans and nothing else (decision 0024).

mod exporter;
mod ids;
mod place;

use std::{sync::OnceLock, time::Duration};

use opentelemetry::{
    Context, KeyValue,
    trace::{
        Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
        Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SdkTracer, SdkTracerProvider},
};

pub use self::place::Place;
use self::{exporter::Sending, ids::Ids};

/// How long the last spans may take to be exported.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
/// What the collector's URL goes on with for traces, as the standard has it.
const TRACES_PATH: &str = "/v1/traces";

static TRACING: OnceLock<Tracing> = OnceLock::new();

struct Tracing {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// Where traces go. What the standard's other variables say, such as OTEL_TRACES_SAMPLER, is read by OpenTelemetry itself.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TraceSettings {
    /// Collector that gets traces by OTLP over HTTP, such as http://127.0.0.1:4318; /v1/traces is added. Without it there are
    /// none. OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
    /// OTEL_EXPORTER_OTLP_HEADERS and OTEL_BSP_… mean what the standard says.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// The same for traces alone, used as it is.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value_name = "URL")]
    pub otlp_traces_endpoint: Option<String>,
    /// Makes no traces, whatever else is set.
    #[arg(long, env = "OTEL_SDK_DISABLED", default_value = "false", num_args = 0..=1, default_missing_value = "true", value_parser = clap::builder::BoolishValueParser::new(), action = clap::ArgAction::Set)]
    pub otel_sdk_disabled: bool,
}

/// What a span is to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It answers a request.
    Server,
    /// It asks somebody else.
    Client,
    /// It puts work into a queue.
    Producer,
    /// It does work of a queue.
    Consumer,
}

/// What a span is begun with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beginning {
    /// Its parent; without one a trace begins.
    pub parent: Option<Place>,
    /// The id of a trace that begins; otherwise it is random.
    pub trace: Option<u128>,
    /// Its own id; otherwise it is random.
    pub span: Option<u64>,
}

/// A span that has begun. It ends when it is dropped.
#[derive(Debug)]
pub struct Span(opentelemetry_sdk::trace::Span);

impl TraceSettings {
    fn endpoint(&self) -> Option<String> {
        if self.otel_sdk_disabled {
            return None;
        }
        let of_all = || self.otlp_endpoint.as_ref().map(|url| format!("{}{TRACES_PATH}", url.trim_end_matches('/')));
        self.otlp_traces_endpoint.clone().or_else(of_all)
    }
}

/// Starts tracing for this process, if a collector is named. What cannot be used is logged, and there are no traces.
/// Must be called inside the runtime.
pub fn init(role: &'static str, settings: &TraceSettings) {
    let Some(endpoint) = settings.endpoint() else { return };
    let started = start(role, &endpoint);
    match started {
        Ok(tracing) => {
            if TRACING.set(tracing).is_ok() {
                tracing::info!(endpoint = exporter::without_credentials(&endpoint), "Traces are exported.");
            }
        }
        Err(error) => tracing::warn!(error, "Traces cannot be exported, and there are none."),
    }
}

fn start(role: &'static str, endpoint: &str) -> Result<Tracing, String> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Sending::to(endpoint)?)
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| error.to_string())?;
    let provider = SdkTracerProvider::builder()
        .with_id_generator(Ids::default())
        .with_resource(resource(role))
        .with_span_processor(BatchSpanProcessor::builder(exporter).build())
        .build();
    let tracer = provider.tracer("posthouse");
    Ok(Tracing { provider, tracer })
}

fn resource(role: &'static str) -> Resource {
    let found = Resource::builder().build();
    let named = found.get(&"service.name".into()).map(|name| name.to_string());
    let is_named = named.is_some_and(|name| !name.starts_with("unknown_service"));
    let own = Resource::builder().with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", format!("{role}-{}", std::process::id())),
    ]);
    if is_named { own.build() } else { own.with_service_name(format!("posthouse-{role}")).build() }
}

/// Exports what is left. No span begins after it.
pub async fn stop() {
    let Some(tracing) = TRACING.get() else { return };
    let stopping = tokio::task::spawn_blocking(|| tracing.provider.shutdown_with_timeout(FLUSH_LIMIT));
    if let Ok(Err(error)) = stopping.await {
        tracing::warn!(error = %error, "The last traces could not be exported.");
    }
}

/// Whether spans are made.
#[must_use]
pub fn is_on() -> bool {
    TRACING.get().is_some()
}

/// Begins a span; `None` where there are no traces.
#[must_use]
pub fn begin(name: &'static str, kind: Kind, beginning: impl FnOnce() -> Beginning) -> Option<Span> {
    let tracing = TRACING.get()?;
    let Beginning { parent, trace, span } = beginning();
    let kind = match kind {
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
    };
    let context = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(remote(parent)));
    let builder = tracing.tracer.span_builder(name).with_kind(kind);
    let made = ids::chosen(trace, span, || tracing.tracer.build_with_context(builder, &context));
    Some(Span(made))
}

fn remote(place: Place) -> SpanContext {
    let flags = if place.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    SpanContext::new(TraceId::from(place.trace), SpanId::from(place.span), flags, true, TraceState::default())
}

impl Span {
    /// Where it is, for children of it in other processes.
    #[must_use]
    pub fn place(&self) -> Place {
        let context = self.0.span_context();
        Place {
            trace: u128::from_be_bytes(context.trace_id().to_bytes()),
            span: u64::from_be_bytes(context.span_id().to_bytes()),
            is_sampled: context.is_sampled(),
        }
    }

    /// Notes something of it.
    pub fn set(&mut self, name: &'static str, value: impl Into<opentelemetry::Value>) {
        self.0.set_attribute(KeyValue::new(name, value));
    }

    /// Notes a text, which is only written where the span is sampled.
    pub fn set_text(&mut self, name: &'static str, value: impl std::fmt::Display) {
        if self.0.is_recording() {
            self.0.set_attribute(KeyValue::new(name, value.to_string()));
        }
    }

    /// Notes that it failed, and why.
    pub fn fail(&mut self, reason: impl Into<String>) {
        self.0.set_status(Status::error(reason.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_s_variables_say_where_traces_go() {
        let settings = |all: Option<&str>, own: Option<&str>, otel_sdk_disabled| TraceSettings {
            otlp_endpoint: all.map(Into::into),
            otlp_traces_endpoint: own.map(Into::into),
            otel_sdk_disabled,
        };
        for (given, expected) in [
            (settings(None, None, false), None),
            (settings(Some("http://c:4318/"), None, false), Some("http://c:4318/v1/traces")),
            (settings(Some("http://c:4318"), Some("http://d/own"), false), Some("http://d/own")),
            (settings(Some("http://c:4318"), Some("http://d/own"), true), None),
        ] {
            assert_eq!(given.endpoint().as_deref(), expected);
        }
    }

    #[test]
    fn without_a_collector_nothing_is_begun() {
        let span = begin("nothing", Kind::Server, || panic!("nobody asks for what it would begin with"));
        assert!(span.is_none() && !is_on());
    }

    #[tokio::test]
    async fn spans_have_the_ids_that_are_chosen_and_the_sampling_of_their_parents() {
        let tracing = start("test", "http://127.0.0.1:1/v1/traces").unwrap();
        let begin = |beginning: Beginning| {
            let context = beginning
                .parent
                .map_or_else(Context::new, |parent| Context::new().with_remote_span_context(remote(parent)));
            let builder = tracing.tracer.span_builder("test");
            Span(ids::chosen(beginning.trace, beginning.span, || tracing.tracer.build_with_context(builder, &context)))
        };
        let root = begin(Beginning { parent: None, trace: Some(7), span: Some(9) }).place();
        assert_eq!(root, Place { trace: 7, span: 9, is_sampled: true });
        let parent = Place { trace: 1, span: 2, is_sampled: false };
        let child = begin(Beginning { parent: Some(parent), trace: Some(7), span: None }).place();
        assert_eq!((child.trace, child.is_sampled), (1, false), "a child is in its parent's trace");
        assert!(child.span != 0 && child.span != 2);
        tokio::task::spawn_blocking(move || tracing.provider.shutdown().ok()).await.unwrap();
    }
}
