//! What a sink is: where its events go, in what form and how many at a time.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

pub(crate) use super::nats::Place as NatsPlace;

/// One of `[sinks]`. A change of any part starts it anew, from its cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sink {
    /// Its name in the configuration, under which the ledger keeps its cursor.
    pub(crate) name: Arc<str>,
    pub(crate) target: Target,
    /// The meters whose events it gets; all if there is none.
    pub(crate) meters: Vec<Arc<str>>,
    /// Events in one request; at least 1.
    pub(crate) batch: usize,
    /// How long events may gather.
    pub(crate) interval: Duration,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
    /// How old the oldest event that is not sent may be before that is an error in the log.
    pub(crate) lag_alarm: Duration,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Http(HttpTarget),
    Nats(NatsTarget),
    Files(FileTarget),
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HttpTarget {
    /// `http` or `https`, with its path and without a user. Path and query may hold a token.
    pub(crate) url: Uri,
    pub(crate) format: HttpFormat,
    /// Secrets among them are marked as sensitive, so that they are in no log.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// For logs: without the path and the query.
impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTarget")
            .field("scheme", &self.url.scheme_str())
            .field("authority", &self.url.authority())
            .field("format", &self.format)
            .field("headers", &self.headers)
            .finish()
    }
}

/// What is said over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpFormat {
    /// A JSON batch of CloudEvents, as OpenMeter takes it.
    CloudEvents,
    /// Lago's batch of events.
    Lago,
    /// Stripe's meter events, one in a request.
    Stripe,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NatsTarget {
    pub(crate) place: NatsPlace,
    /// `{meter}` and `{consumer}` stand for the event's.
    pub(crate) subject: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileTarget {
    /// Is made if it is missing.
    pub(crate) directory: PathBuf,
    pub(crate) format: FileFormat,
}

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileFormat {
    Csv,
    /// A line each.
    Json,
}
