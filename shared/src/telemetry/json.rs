//! One flat JSON object per log line: the fields of the event and of the spans around it lie side by side, so that
//! `call.id` or `trace_id` is always found in the same place.

use std::fmt::Result;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    Layer,
    fmt::{
        self, FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{JsonFields, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// The layer that writes such lines to standard error.
pub(super) fn layer<S>(service: &'static str) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fmt::layer().with_writer(std::io::stderr).fmt_fields(JsonFields::new()).event_format(FlatJson { service })
}

struct FlatJson {
    service: &'static str,
}

impl<S, N> FormatEvent<S, N> for FlatJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Map::new();
        line.insert("time".into(), time.into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        line.insert("service".into(), self.service.into());
        line.insert("target".into(), event.metadata().target().into());
        for span in ctx.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            line.insert("span".into(), span.name().into());
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                add(&mut line, fields);
            }
        }
        let mut fields = String::new();
        ctx.field_format().format_fields(Writer::new(&mut fields), event)?;
        add(&mut line, &fields);
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Later fields win: the event's own over its spans', an inner span's over an outer one's.
fn add(line: &mut Map<String, Value>, fields: &str) {
    if let Ok(Value::Object(fields)) = serde_json::from_str(fields) {
        line.extend(fields);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn fields_of_spans_and_event_lie_side_by_side() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields::new())
            .event_format(FlatJson { service: "worker" });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let outer = tracing::info_span!("job", step = "fetch", trace_id = tracing::field::Empty).entered();
            outer.record("trace_id", "0af7");
            let _inner = tracing::info_span!("download", attempt = 2).entered();
            tracing::warn!(status = 503, "the \"vendor\" is away");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["service"], "worker");
        assert_eq!(line["span"], "download");
        assert_eq!(line["step"], "fetch");
        assert_eq!(line["trace_id"], "0af7");
        assert_eq!(line["attempt"], 2);
        assert_eq!(line["status"], 503);
        assert_eq!(line["message"], "the \"vendor\" is away");
        assert!(line["time"].as_str().unwrap().ends_with('Z'));
    }
}
