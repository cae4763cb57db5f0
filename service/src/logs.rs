//! Log lines on standard error: JSON for machines by default, text for people. One event is one line, whatever its fields
//! hold, because fields come from outside.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    settings::{LogFormat, ProcessSettings},
    traces,
};

/// Starts logging and tracing for this process. A filter that cannot be read is replaced by `info`, with a line that says so.
pub fn init(role: &'static str, settings: &ProcessSettings) {
    let (filter, fault) = match EnvFilter::try_new(&settings.log_level) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let started = match settings.log_format {
        LogFormat::Json => registry.with(json(std::io::stderr)).try_init(),
        LogFormat::Text => registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("Logging was started before.");
    }
    if let Some(error) = fault {
        tracing::warn!(error = %error, "The log level cannot be read; info is used.");
    }
    tracing::info!(role, version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "The process starts.");
    traces::init(role, &settings.traces);
}

fn json<S, W>(writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(writer)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_field_with_line_breaks_stays_one_json_line() {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::registry().with(json(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(event.id = "a\n{\"level\":\"error\"}\u{1b}[31m", "It came in.");
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        assert_eq!(line["event.id"], "a\n{\"level\":\"error\"}\u{1b}[31m");
        assert_eq!(line["message"], "It came in.");
    }
}
