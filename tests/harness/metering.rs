//! A gateway that meters: its configuration, its consumers' keys, and its ledger as it lies on disk.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::hmac;
use sluice_metering::ledger::{Backend, Durability, Reader, Settings, UsageQuery, UsageRow};

use super::{Setup, config, plugin};

const PEPPER: &str = "a pepper for tests alone";

/// A consumer `name` on a plan, whose API key is `name-key`.
pub(crate) fn consumer(name: &str, plan: &str) -> String {
    let pepper = hmac::Key::new(hmac::HMAC_SHA256, PEPPER.as_bytes());
    let digest = hmac::sign(&pepper, format!("{name}-key").as_bytes());
    let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let plan = if plan.is_empty() { String::new() } else { format!("plan = \"{plan}\"\n") };
    format!("[consumers.{name}]\n{plan}keys = [{{ hash = \"hmac-sha256:{digits}\" }}]\n")
}

/// The header with a consumer's key.
pub(crate) fn key(name: &str) -> (&'static str, String) {
    ("x-api-key", format!("{name}-key"))
}

/// A gateway `gw` that knows consumers by key and meters by `meters`, the plugin's configuration.
pub(crate) fn gateway(ledger: &str, meters: &str) -> String {
    format!("[gateway]\nid = \"gw\"\n[credentials]\npepper = \"{PEPPER}\"\n[store]\nledger = \"{ledger}\"\n")
        + &config::plugin("api-key", "capabilities = [\"consumers\"]")
        + &config::plugin("meter", &format!("capabilities = [\"meter\"]\nconfig = {{ meters = {meters} }}"))
}

/// With the plugins that such a gateway has.
pub(crate) fn setup() -> Setup {
    Setup::new().plugin("api-key", plugin("api-key")).plugin("meter", plugin("meter"))
}

/// A ledger as others than its gateway see it.
pub(crate) struct Books {
    settings: Settings,
    runtime: tokio::runtime::Runtime,
}

impl Books {
    /// In a file.
    pub(crate) fn at(path: &Path) -> Self {
        Self::of(Backend::Sqlite { path: path.to_owned() })
    }

    /// On a PostgreSQL server.
    pub(crate) fn on(url: &str) -> Self {
        Self::of(Backend::Postgres { config: url.to_owned(), connector: None })
    }

    fn of(backend: Backend) -> Self {
        let settings = Settings {
            backend,
            durability: Durability::Group,
            gateway: Arc::from("a test"),
            lease: Settings::LEASE,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self { settings, runtime: runtime.expect("a runtime") }
    }

    /// Asks.
    pub(crate) fn ask<T>(&self, question: impl AsyncFnOnce(&mut Reader) -> T) -> T {
        self.runtime.block_on(async {
            let mut reader = Reader::open(&self.settings).await.expect("the ledger");
            question(&mut reader).await
        })
    }

    /// All usage of a consumer, of whatever time, on one meter.
    pub(crate) fn usage(&self, consumer: &str, meter: &str) -> Option<UsageRow> {
        self.ask(async |reader| {
            let query = UsageQuery {
                consumer: Some(consumer.to_owned()),
                meter: Some(meter.to_owned()),
                ..UsageQuery::all(jiff::Timestamp::MIN, jiff::Timestamp::MAX)
            };
            let page = reader.usage(&query).await.expect("an answer");
            assert!(page.rows.len() < 2, "{page:?}");
            page.rows.into_iter().next()
        })
    }

    /// The sum of it.
    pub(crate) fn sum(&self, consumer: &str, meter: &str) -> i128 {
        self.usage(consumer, meter).map_or(0, |row| row.usage.sum)
    }
}
