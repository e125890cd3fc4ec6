//! Opens the store that the configuration asks for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::{Builder as RuntimeBuilder, Handle};

use crate::config::{self, Config, OnStoreError, Problem};
use crate::store::remote::{Endpoint, ErrorKind, Fallback, RemoteStore, Secure, Settings, parse};
use crate::store::{MemoryStore, Stores};
use crate::telemetry::StoreSample;
use crate::tls::Connector;

/// How long a TLS handshake with the store's server may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What is wrong with where the counters should be, without asking the server.
pub(super) fn check(config: &Config) -> Option<Problem> {
    config.remote_store.as_ref().and_then(|remote| settings(config, remote).err())
}

/// The stores of a gateway. A server is connected to in the background, on a thread of its own: what keeps the control thread
/// busy, as a reload may for longer than the store's timeout, must not cut the connection.
pub(super) fn open(config: &Config) -> Result<Stores, Problem> {
    let memory = Arc::new(MemoryStore::new(&config.store));
    let Some(remote) = &config.remote_store else { return Ok(Stores::local(memory)) };
    let fallback = match remote.on_error {
        OnStoreError::Local => Fallback::Local,
        OnStoreError::Deny => Fallback::Deny,
        OnStoreError::Allow => Fallback::Allow,
    };
    let settings = settings(config, remote)?;
    let failed = |error| Problem::new(format!("cannot start the store's thread: {error}"));
    let store = RemoteStore::open(settings, thread().map_err(failed)?);
    Ok(Stores::shared(memory, store, fallback, remote.timeout * 2))
}

/// A thread that runs what is spawned on it until the process ends.
fn thread() -> std::io::Result<Handle> {
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("store".to_owned()).spawn(run)?;
    Ok(handle)
}

fn settings(config: &Config, remote: &config::RemoteStore) -> Result<Settings, Problem> {
    let refuse = |message: String| Problem::new(message).at(remote.place.clone());
    let endpoint: Endpoint = parse(remote.url.expose()).map_err(refuse)?;
    let connector = Connector::unnamed(remote.ca.as_ref().map(String::as_bytes));
    let connector = Arc::new(connector.map_err(|error| refuse(format!("the store's `ca`: {error}")))?);
    let secure = Secure::new(move |host, stream| {
        let connector = Arc::clone(&connector);
        async move { connector.connect(&host, stream, HANDSHAKE).await.map_err(std::io::Error::other) }
    });
    Ok(Settings {
        tls: Some(secure),
        prefix: remote.prefix.clone(),
        timeout: remote.timeout,
        lease: remote.lease,
        max_value: config.store.value,
        ..Settings::new(endpoint)
    })
}

/// The connection to the store's server, for metrics.
pub(super) fn sample(store: &RemoteStore) -> StoreSample {
    let status = store.status();
    let trips = status.round_trips();
    StoreSample {
        connected: status.is_connected(),
        connections: status.connections(),
        operations: status.operations(),
        leased: status.leased(),
        errors: ErrorKind::ALL.iter().map(|kind| (kind.name(), status.errors(*kind))).collect(),
        round_trips: trips.buckets.iter().sum(),
        round_trip_time: trips.sum,
    }
}

/// The connection to the store's server, for `/snapshot`.
pub(super) fn to_json(store: &RemoteStore) -> Value {
    let status = store.status();
    json!({ "connected": status.is_connected(), "last_error": status.last_error() })
}
