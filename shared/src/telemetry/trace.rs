//! Trace context (W3C `traceparent`), and the export of spans where a collector is configured.

use std::{collections::HashMap, time::Duration};

use anyhow::Context as _;
use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::LevelFilter, registry::LookupSpan};

use crate::env::Env;

const PATIENCE: Duration = Duration::from_secs(5);

/// Sends spans to a collector in batches, from a thread of its own.
pub(super) struct Exporter {
    provider: SdkTracerProvider,
    service: &'static str,
}

impl Exporter {
    pub(super) fn from_env(service: &'static str, env: &Env) -> anyhow::Result<Option<Self>> {
        if env.var("OTEL_EXPORTER_OTLP_ENDPOINT").is_none() {
            return Ok(None);
        }
        let endpoint = env.base_url("OTEL_EXPORTER_OTLP_ENDPOINT", "")?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(PATIENCE)
            .build()
            .context("cannot export traces")?;
        let name = env.var("OTEL_SERVICE_NAME").unwrap_or(service).to_owned();
        let resource = Resource::builder().with_service_name(name).build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Some(Self { provider, service }))
    }

    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let tracer = self.provider.tracer(self.service);
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(LevelFilter::INFO)
    }

    pub(super) fn flush(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last traces are lost");
        }
    }
}

/// The trace context of the current span, for a message or a row that carries the work on.
pub fn current_traceparent() -> String {
    traceparent_of(&Span::current())
}

/// The trace context of a span; a new, random one where spans are not exported. Its trace id is recorded in the span's
/// field `trace_id`, where it has one, so that logs can be found by it.
pub fn traceparent_of(span: &Span) -> String {
    let context = span.context();
    let traceparent = if context.span().span_context().is_valid() { inject(&context) } else { random() };
    note(span, &traceparent);
    traceparent
}

/// Makes a span part of the trace that it is carried on from.
pub fn set_parent(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    if context.span().span_context().is_valid() {
        // Fails where spans are not exported; then there is nothing to attach the span to.
        let _ = span.set_parent(context);
        note(span, traceparent);
    }
}

/// The trace id in a trace context.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1).filter(|id| id.len() == 32)
}

fn note(span: &Span, traceparent: &str) {
    if let Some(id) = trace_id(traceparent) {
        span.record("trace_id", id);
    }
}

fn inject(context: &Context) -> String {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(context, &mut carrier);
    carrier.remove("traceparent").unwrap_or_else(random)
}

/// Marked as sampled: whoever exports spans further on decides for itself.
#[expect(clippy::disallowed_methods, reason = "ids of traces: all that counts is that they differ")]
fn random() -> String {
    let trace = rand::random::<u128>().max(1);
    let span = rand::random::<u64>().max(1);
    format!("00-{trace:032x}-{span:016x}-01")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn without_a_collector_there_is_still_a_trace_to_carry_on() {
        let first = current_traceparent();
        assert_eq!(first.len(), 55, "{first}");
        assert_eq!(trace_id(&first).unwrap().len(), 32);
        assert_ne!(trace_id(&first), trace_id(&current_traceparent()));
        assert_eq!(trace_id("nonsense"), None);
    }

    #[tokio::test]
    async fn with_a_collector_a_span_carries_its_parents_trace_on_and_reaches_the_collector() {
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/", collector.local_addr().unwrap());
        let (requested, request) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let (mut socket, _) = collector.accept().unwrap();
            let mut head = [0; 24];
            socket.read_exact(&mut head).unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            requested.send(String::from_utf8_lossy(&head).into_owned()).unwrap();
        });
        let env = Env::from_pairs([("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
        let exporter = Exporter::from_env("test", &env).unwrap().unwrap();
        let parent = random();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(exporter.layer()), || {
            let span = tracing::info_span!("job");
            set_parent(&span, Some(&parent));
            let own = traceparent_of(&span);
            assert_eq!(trace_id(&own), trace_id(&parent));
            assert_ne!(own, parent);
        });
        exporter.flush();
        assert_eq!(request.recv_timeout(PATIENCE).unwrap(), "POST /v1/traces HTTP/1.1");
    }
}
