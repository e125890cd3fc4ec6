//! Log lines: `tracing` to standard error, as text for people or as JSON for machines.

use std::io;

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config;
use crate::config::LogFormat;

/// Why there are no log lines.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("`{filter}` is not a log filter: {source}")]
    Filter { filter: String, source: tracing_subscriber::filter::ParseError },
    #[error("log lines already go elsewhere")]
    AlreadySet,
}

/// Sets up log lines for the whole process, once.
pub(crate) fn init(settings: &config::Telemetry) -> Result<(), LogError> {
    let subscriber = subscriber(settings, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::AlreadySet)
}

fn subscriber<W>(
    settings: &config::Telemetry,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&settings.log)
        .map_err(|source| LogError::Filter { filter: settings.log.clone(), source })?;
    let lines = fmt().with_env_filter(filter).with_writer(writer);
    Ok(match settings.format {
        LogFormat::Text => Box::new(lines.with_ansi(false).with_target(false).finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_current_span(false).finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::{LogError, subscriber};
    use crate::config::{AccessLog, LogFormat, Telemetry};

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(log: &str, format: LogFormat) -> String {
        let captured = Captured::default();
        let settings = Telemetry { log: log.to_owned(), format, access_log: AccessLog::Off };
        let writer = captured.clone();
        let subscriber = subscriber(&settings, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(route = "orders", count = 3, "it \"happened\"");
            tracing::debug!("not shown");
        });
        String::from_utf8(captured.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn text_is_one_plain_line() {
        let text = lines("info", LogFormat::Text);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(" INFO it \"happened\" route=\"orders\" count=3"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn json_is_one_object_with_the_fields_in_it() {
        let line: serde_json::Value = serde_json::from_str(&lines("info", LogFormat::Json)).unwrap();
        assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"it \"happened\"".into()));
        assert_eq!((&line["route"], &line["count"]), (&"orders".into(), &3.into()));
    }

    #[test]
    fn the_filter_is_kept_to_and_a_bad_one_is_named() {
        assert_eq!(lines("warn", LogFormat::Text), "");
        let settings =
            Telemetry { log: "sluice=loud".to_owned(), format: LogFormat::Text, access_log: AccessLog::Off };
        let Err(error) = subscriber(&settings, io::sink) else { panic!("it was taken") };
        assert!(matches!(error, LogError::Filter { .. }));
        assert!(error.to_string().starts_with("`sluice=loud` is not a log filter: "), "{error}");
    }
}
