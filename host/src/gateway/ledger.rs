//! Opens the ledger that the configuration asks for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_metering::ledger::{self, Backend, Handshake, Secure, Settings as LedgerSettings, Stream};
use tokio::net::TcpStream;

use crate::config::{self, Config, Durability, LedgerLocation, OnLedgerFailure, Problem};
use crate::metering::{Health, Metering, OnFailure, Settings};
use crate::telemetry::{MeteringSample, SinkSample};
use crate::tls::Connector;

/// How long a TLS handshake with the ledger's server may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Metering, if the configuration has a ledger. A server that is away is waited for later; everything else that is wrong is said now.
pub(super) async fn open(config: &Config) -> Result<Option<Arc<Metering>>, Problem> {
    let Some(ledger) = &config.ledger else { return Ok(None) };
    let refuse = |message: String| Problem::new(message).at(ledger.place.clone());
    let settings = Settings {
        gateway: Arc::clone(&config.gateway_id),
        on_failure: match ledger.on_failure {
            OnLedgerFailure::Deny => OnFailure::Deny,
            OnLedgerFailure::Allow => OnFailure::Allow,
        },
        timeout: ledger.timeout,
        queue: ledger.queue,
        sync_interval: ledger.sync_interval,
        groups: ledger.durability == Durability::Group,
        retention: ledger.retention,
    };
    let (metering, opened) = Metering::start(settings, location(config, ledger)?)
        .map_err(|error| refuse(format!("cannot start the ledger's thread: {error}")))?;
    match opened.await {
        Ok(Ok(())) => Ok(Some(metering)),
        Ok(Err(error)) if error.is_transient() => {
            tracing::warn!(%error, "the ledger is not there yet");
            Ok(Some(metering))
        }
        Ok(Err(error)) => Err(refuse(format!("the ledger cannot be opened: {error}"))),
        Err(_) => Err(refuse("the ledger's thread ended".to_owned())),
    }
}

/// Where the ledger is and how it is kept.
pub(crate) fn location(config: &Config, ledger: &config::Ledger) -> Result<LedgerSettings, Problem> {
    let backend = match &ledger.location {
        LedgerLocation::Sqlite(path) => Backend::Sqlite { path: path.clone() },
        LedgerLocation::Postgres(url) => {
            let connector = Connector::unnamed(ledger.ca.as_ref().map(String::as_bytes));
            let connector = connector.map_err(|error| {
                Problem::new(format!("the ledger's `ca`: {error}")).at(ledger.place.clone())
            })?;
            let connector: Arc<dyn Secure> = Arc::new(Tls(Arc::new(connector)));
            Backend::Postgres { config: url.expose().to_owned(), connector: Some(connector) }
        }
    };
    Ok(LedgerSettings {
        backend,
        durability: match ledger.durability {
            Durability::Group => ledger::Durability::Group,
            Durability::Sync => ledger::Durability::Sync,
        },
        gateway: Arc::clone(&config.gateway_id),
        lease: LedgerSettings::LEASE,
    })
}

/// Whether nothing that is metered is served before a restart. A ledger that cannot be written for a while, or has yet to be opened, does
/// not keep a gateway from being ready: that is mostly the same for all gateways, and routes that meter nothing are served.
pub(super) fn keeps_out(metering: &Metering) -> bool {
    metering.status().health() == Health::Failed && metering.on_failure() == OnFailure::Deny
}

/// How metering fares, for metrics.
pub(super) fn sample(metering: &Metering, sinks: Vec<SinkSample>) -> MeteringSample {
    let (status, counts) = (metering.status(), metering.status().counts());
    MeteringSample {
        state: status.health().name(),
        waiting: counts.waiting,
        written: counts.written,
        duplicates: counts.duplicates,
        batches: counts.batches,
        withdrawn: counts.withdrawn,
        lost: counts.lost,
        refused: vec![
            ("quota", counts.refused_quota),
            ("credit", counts.refused_credit),
            ("ledger", counts.refused_unavailable),
        ],
        soft_quotas_passed: counts.passed,
        sinks,
    }
}

/// How metering fares, for `/ledger` and `/snapshot`.
pub(super) fn to_json(metering: &Metering, sinks: Value) -> Value {
    let (status, counts) = (metering.status(), metering.status().counts());
    let on_failure = match metering.on_failure() {
        OnFailure::Deny => "deny",
        OnFailure::Allow => "allow",
    };
    json!({
        "gateway": metering.gateway(),
        "state": status.health().name(),
        "last_error": status.last_error(),
        "on_failure": on_failure,
        "waiting_exchanges": counts.waiting,
        "events": { "written": counts.written, "duplicate": counts.duplicates },
        "batches": counts.batches,
        "given_up": { "unanswered": counts.withdrawn, "answered": counts.lost },
        "refused": {
            "quota": counts.refused_quota,
            "credit": counts.refused_credit,
            "ledger": counts.refused_unavailable,
        },
        "soft_quotas_passed": counts.passed,
        "sinks": sinks,
    })
}

struct Tls(Arc<Connector>);

impl Secure for Tls {
    fn handshake(&self, host: &str, stream: TcpStream) -> Handshake {
        let (connector, host) = (Arc::clone(&self.0), host.to_owned());
        Box::pin(async move {
            let secured = connector.connect(&host, stream, HANDSHAKE).await.map_err(std::io::Error::other)?;
            let secured: Stream = Box::pin(secured);
            Ok(secured)
        })
    }
}
