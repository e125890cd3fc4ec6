//! The thread that exports usage: which sinks there are, and what they need of the rest of the gateway.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use sluice_metering::ledger::Settings as LedgerSettings;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};

use crate::config::{self, Config, FileFormat, HttpFormat, Problem, SinkKind};
use crate::http_client::{Bounds, HttpClient};
use crate::metering::Metering;
use crate::metering::export::{
    self, Clock, Directory, Exports, FileTarget, Http, HttpTarget, LedgerSource, Means, Measure, NatsPlace,
    NatsTarget, Secure, Sink, Status, Target,
};
use crate::telemetry::SinkSample;
use crate::tls::Connector;

/// How long a TLS handshake with a sink may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The longest answer of a sink that is read: Lago repeats what it was sent.
const MAX_ANSWER: usize = 8 << 20;

/// How long pumps may take to end when the gateway stops. What they have not sent stays in the ledger.
const LAST_EVENTS: Duration = Duration::from_secs(5);

/// The way to the thread.
pub(super) struct Exporting {
    commands: mpsc::UnboundedSender<Command>,
    names: Arc<ArcSwap<Names>>,
    statuses: Arc<ArcSwap<Statuses>>,
}

/// How each sink is doing, by name.
type Statuses = Vec<(Arc<str>, Arc<Status>)>;

enum Command {
    Apply(Vec<Sink>),
    Stop(oneshot::Sender<()>),
}

/// What events do not say themselves, as it is configured now.
#[derive(Default)]
struct Names {
    measures: HashMap<Arc<str>, Measure>,
    custom_ids: HashMap<Arc<str>, Arc<str>>,
}

impl Names {
    fn of(config: &Config) -> Self {
        let measure = |meter: &sluice_metering::meter::Meter| Measure {
            decimals: meter.decimals,
            unit: meter.unit.as_deref().map(Arc::from),
        };
        let custom_id = |consumer: &config::Consumer| {
            Some((Arc::clone(&consumer.name), Arc::from(consumer.custom_id.as_deref()?)))
        };
        Self {
            measures: config.meters.iter().map(|(name, meter)| (Arc::clone(name), measure(meter))).collect(),
            custom_ids: config.consumers.iter().filter_map(custom_id).collect(),
        }
    }
}

/// Exports, if there is a ledger.
pub(super) fn open(config: &Config, metering: &Arc<Metering>) -> Result<Option<Rc<Exporting>>, Problem> {
    let Some(ledger) = &config.ledger else { return Ok(None) };
    let failed = |error| Problem::new(format!("cannot start the thread that exports usage: {error}"));
    let location = super::ledger::location(config, ledger)?;
    let exporting = Exporting::start(location, Arc::clone(metering)).map_err(failed)?;
    Ok(Some(Rc::new(exporting)))
}

impl Exporting {
    /// Starts the thread, with no sink yet.
    fn start(ledger: LedgerSettings, metering: Arc<Metering>) -> std::io::Result<Self> {
        let names = Arc::<ArcSwap<Names>>::default();
        let statuses = Arc::default();
        let (commands, queue) = mpsc::unbounded_channel();
        let means = means(&names).map_err(std::io::Error::other)?;
        let (source, questions) = LedgerSource::new(metering);
        let kept = Arc::clone(&statuses);
        let work = move || {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(async {
                    tokio::task::spawn_local(LedgerSource::serve(questions, ledger));
                    serve(queue, Arc::new(source), means, kept).await;
                }),
                Err(error) => tracing::error!(%error, "the thread that exports usage cannot start"),
            }
        };
        std::thread::Builder::new().name("exports".to_owned()).spawn(work)?;
        Ok(Self { commands, names, statuses })
    }

    /// These are the sinks from now on.
    pub(super) fn apply(&self, config: &Config, sinks: Vec<Sink>) {
        self.names.store(Arc::new(Names::of(config)));
        let _ = self.commands.send(Command::Apply(sinks));
    }

    /// Lets the pumps end.
    pub(super) async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        let _ = self.commands.send(Command::Stop(done));
        let _ = tokio::time::timeout(LAST_EVENTS, ended).await;
    }

    /// How each sink is doing, for metrics.
    pub(super) fn look(&self) -> impl Fn() -> Vec<SinkSample> + Send + Sync + use<> {
        let statuses = Arc::clone(&self.statuses);
        move || statuses.load().iter().map(|(name, status)| sample(name, &status.snapshot())).collect()
    }

    /// How each sink is doing, for the admin pages.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let time = |at: jiff::Timestamp| crate::telemetry::rfc3339(SystemTime::from(at));
        let sink = |(name, status): &(Arc<str>, Arc<Status>)| {
            let now = status.snapshot();
            serde_json::json!({
                "name": &**name,
                "sent": now.sent,
                "failed": now.failed,
                "dead": now.dead,
                "skipped": now.skipped,
                "late": now.late,
                "lag_events": now.lag_events,
                "lag_seconds": now.lag.map(|lag| lag.as_secs()),
                "last_success": now.last_success.map(time),
                "last_error": now.last_error.map(|(at, error)| serde_json::json!({ "time": time(at), "error": error })),
            })
        };
        self.statuses.load().iter().map(sink).collect()
    }
}

fn sample(name: &Arc<str>, now: &export::Snapshot) -> SinkSample {
    SinkSample {
        name: Arc::clone(name),
        lag_events: now.lag_events.unwrap_or_default(),
        lag_seconds: now.lag.unwrap_or_default().as_secs_f64(),
        late: now.late,
        events: vec![
            ("sent", now.sent),
            ("failed", now.failed),
            ("dead", now.dead),
            ("skipped", now.skipped),
        ],
    }
}

async fn serve(
    mut commands: mpsc::UnboundedReceiver<Command>,
    source: Arc<LedgerSource>,
    means: Means,
    statuses: Arc<ArcSwap<Statuses>>,
) {
    let mut exports = Exports::new(Arc::clone(&source));
    let mut current = Vec::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Apply(sinks) => {
                let is_removed = |sink: &Sink| !sinks.iter().any(|other| other.name == sink.name);
                let removed = current.iter().any(is_removed);
                exports.apply(sinks.clone(), &means).await;
                if removed {
                    // Another gateway may go on with what is no longer configured here.
                    source.let_go().await;
                }
                current = sinks;
                let all = exports.statuses().map(|(name, status)| (Arc::clone(name), Arc::clone(status)));
                statuses.store(Arc::new(all.collect()));
            }
            Command::Stop(done) => {
                exports.stop().await;
                let _ = done.send(());
                return;
            }
        }
    }
}

fn means(names: &Arc<ArcSwap<Names>>) -> Result<Means, crate::tls::TlsError> {
    let client = Arc::new(HttpClient::new(None)?);
    let connector = Arc::new(Connector::unnamed(None)?);
    let (measures, custom_ids) = (Arc::clone(names), Arc::clone(names));
    Ok(Means {
        http: Http::new(move |request, time| {
            let client = Arc::clone(&client);
            async move {
                let answer = client.deliver(request, Bounds { time, body: MAX_ANSWER }).await;
                answer.map_err(|error| error.to_string())
            }
        }),
        secure: Some(Secure::new(move |host, stream| {
            let connector = Arc::clone(&connector);
            async move { connector.connect(&host, stream, HANDSHAKE).await.map_err(std::io::Error::other) }
        })),
        directory: Directory::new(
            move |meter| measures.load().measures.get(meter).cloned(),
            move |consumer| custom_ids.load().custom_ids.get(consumer).cloned(),
        ),
        clock: Clock::system(),
    })
}

/// The sinks of a configuration, or what is wrong with where they are.
pub(super) fn sinks(config: &Config) -> Result<Vec<Sink>, Vec<Problem>> {
    let (mut sinks, mut problems) = (Vec::new(), Vec::new());
    for sink in &config.sinks {
        match target(&sink.kind) {
            Ok(target) => sinks.push(Sink {
                name: Arc::clone(&sink.name),
                target,
                meters: sink.meters.clone(),
                batch: sink.batch,
                interval: sink.interval,
                timeout: sink.timeout,
                lag_alarm: sink.lag_alarm,
            }),
            Err(error) => {
                let message = format!("sink `{}`: {error}", sink.name);
                problems.push(Problem::new(message).at(sink.place.clone()));
            }
        }
    }
    if problems.is_empty() { Ok(sinks) } else { Err(problems) }
}

fn target(kind: &SinkKind) -> Result<Target, String> {
    Ok(match kind {
        SinkKind::Http { url, format, headers } => Target::Http(HttpTarget {
            url: url.expose().parse().map_err(|_| "its `url` cannot be read".to_owned())?,
            format: match format {
                HttpFormat::CloudEvents => export::HttpFormat::CloudEvents,
                HttpFormat::Lago => export::HttpFormat::Lago,
                HttpFormat::Stripe => export::HttpFormat::Stripe,
            },
            headers: headers.clone(),
        }),
        SinkKind::Nats { url, subject } => Target::Nats(NatsTarget {
            place: url.expose().parse::<NatsPlace>().map_err(|error| format!("its `url`: {error}"))?,
            subject: subject.clone(),
        }),
        SinkKind::Files { directory, format } => Target::Files(FileTarget {
            directory: directory.clone(),
            format: match format {
                FileFormat::Csv => export::FileFormat::Csv,
                FileFormat::Json => export::FileFormat::Json,
            },
        }),
    })
}
