//! Reports over a ledger in a file.

mod accounts;
mod own;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use sluice_metering::event::Event;
use sluice_metering::ledger::{
    Backend, Draw, Durability, Entry, Ledger, Settings, Subscription, TopUp, UsageQuery,
};
use sluice_metering::meter::{Aggregation, Meter, Unanswered};
use sluice_metering::period::Every;
use sluice_metering::plan::{Charge, Currency, Plan, Prepaid, Price, Quota};

use super::*;

const NOW: &str = "2026-11-23T12:30:00Z";

/// A ledger of its own, and what is configured.
struct Case {
    _directory: tempfile::TempDir,
    settings: Settings,
    ledger: Ledger,
    catalog: Catalog,
    events: usize,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn meter(name: &str, aggregation: Aggregation, unit: Option<&str>, decimals: u8) -> Meter {
    Meter {
        name: name.into(),
        aggregation,
        unit: unit.map(str::to_owned),
        decimals,
        dimensions: vec!["model".into()],
        reserve: 1,
        unanswered: Unanswered::Free,
    }
}

fn charge(meter: &str, unit: &str) -> Charge {
    Charge {
        meter: meter.into(),
        aggregation: Aggregation::Count,
        decimals: 0,
        name: meter.to_owned(),
        included: 0,
        price: Price::PerUnit { unit: Decimal::from_str_exact(unit).unwrap() },
    }
}

fn plan(name: &str) -> Plan {
    let quota = |meter: &str, limit, per, hard| Quota { meter: meter.into(), limit, per, hard };
    Plan {
        currency: Currency::new("EUR").unwrap(),
        charges: vec![charge("requests", "0.01")],
        quotas: vec![
            quota("requests", 5, Every::Month, true),
            quota("requests", 2, Every::Day, false),
            quota("storage", 10_000, Every::Month, true),
        ],
        ..Plan::named(name.into())
    }
}

fn catalog() -> Catalog {
    let prepaid = Some(Prepaid { grant: None, expires: None });
    let trial = Some(Duration::from_secs(10 * 86_400));
    let meters = vec![
        meter("requests", Aggregation::Count, Some("request"), 0),
        meter("storage", Aggregation::Sum, Some("GB"), 3),
        meter("users", Aggregation::Unique, None, 0),
    ];
    let plans = vec![plan("pro"), Plan { prepaid, ..plan("paygo") }, Plan { trial, ..plan("trial") }];
    let consumers = [("acme", "pro"), ("bolt", "paygo"), ("cobra", "trial"), ("dane", ""), ("egon", "trial")];
    Catalog::of(meters, plans, &consumers)
}

impl Case {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            backend: Backend::Sqlite { path: directory.path().join("ledger.db") },
            durability: Durability::Group,
            gateway: "gw".into(),
            lease: Settings::LEASE,
        };
        let mut ledger = Ledger::open(settings.clone()).await.unwrap();
        let on = |consumer: &str, plan: &str, since: &str| Subscription {
            consumer: consumer.into(),
            plan: plan.into(),
            since: Some(at(since)),
            grant: None,
        };
        let all = [
            on("acme", "pro", "2026-10-01T00:00:00Z"),
            on("bolt", "paygo", "2026-10-01T00:00:00Z"),
            on("cobra", "trial", "2026-11-01T00:00:00Z"),
            on("egon", "trial", "2026-11-02T10:20:00Z"),
            on("gone", "pro", "2026-11-01T00:00:00Z"),
        ];
        ledger.subscribe(&all, at(NOW)).await.unwrap();
        Self { _directory: directory, settings, ledger, catalog: catalog(), events: 0 }
    }

    async fn used(&mut self, consumer: &str, meter: &str, time: &str, value: i64, model: &str) {
        self.events += 1;
        let plan = self.catalog.plan_of(consumer).cloned();
        let charge = plan.as_ref().filter(|plan| plan.prepaid.is_some()).and_then(|plan| {
            plan.charges.iter().find(|charge| *charge.meter == *meter).cloned().map(Arc::new)
        });
        let subject = (meter == "users").then(|| {
            let mut subject = [0; 16];
            subject[..model.len()].copy_from_slice(model.as_bytes());
            subject
        });
        let event = Event {
            gateway: "gw".into(),
            request: self.events.to_string().into(),
            meter: meter.into(),
            consumer: consumer.into(),
            plan: plan.map_or_else(|| Arc::from(""), |plan| Arc::clone(&plan.name)),
            route: "r".into(),
            at: at(time),
            value,
            subject,
            dimensions: (!model.is_empty()).then(|| ("model".into(), model.into())).into_iter().collect(),
        };
        let credit = charge.map(|charge| Draw { charge, reserved: 0, free_until: None });
        self.ledger.write(&[Entry { event, quotas: Vec::new(), credit }]).await.unwrap();
    }

    async fn paid(&mut self, consumer: &str, id: &str, amount: &str, expires: Option<&str>) {
        let written = WrittenTopUp {
            id: id.to_owned(),
            consumer: consumer.to_owned(),
            amount: amount.to_owned(),
            expires: expires.map(str::to_owned),
        };
        let top_up = top_up(&written, &self.catalog, at("2026-11-01T00:00:00Z")).unwrap();
        assert!(self.ledger.top_up(&top_up).await.unwrap());
    }

    async fn ask(&self, question: Result<Question, Refused>) -> Result<Document, Refused> {
        let mut reader = Reader::open(&self.settings).await.unwrap();
        question?.answer(&mut reader, &self.catalog, at(NOW)).await
    }

    async fn usage(&self, query: &str) -> Result<Value, Refused> {
        let asked = Parameters::of_query(Some(query), Parameters::USAGE)
            .and_then(|parameters| Question::usage(&parameters, at(NOW)));
        self.ask(asked).await.map(|document| serde_json::from_str(&document.text).unwrap())
    }

    async fn balance(&self, consumer: &str) -> Result<Value, Refused> {
        let asked = Question::Balance { consumer: consumer.to_owned() };
        self.ask(Ok(asked)).await.map(|document| serde_json::from_str(&document.text).unwrap())
    }

    async fn invoice(&self, query: &str) -> Result<Document, Refused> {
        let asked = Parameters::of_query(Some(query), Parameters::INVOICE)
            .and_then(|parameters| Question::invoice(&parameters, at(NOW)));
        self.ask(asked).await
    }

    async fn own(&self, consumer: &str, query: &str) -> Result<Document, Refused> {
        let asked = Parameters::of_query(Some(query), Parameters::OWN)
            .and_then(|parameters| Question::own(consumer, &parameters, at(NOW)));
        self.ask(asked).await
    }
}

/// Consumer, start, group and quantity of each row.
fn rows(document: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let row = |row: &Value| ["consumer", "start", "group", "quantity"].map(|name| text(&row[name])).join(" ");
    document["rows"].as_array().unwrap().iter().map(row).collect()
}

fn problem(refused: Result<Value, Refused>) -> String {
    match refused {
        Err(Refused::Parameter { name, problem }) => format!("{name}: {problem}"),
        other => panic!("{other:?}"),
    }
}

async fn november() -> Case {
    let mut case = Case::new().await;
    case.used("acme", "requests", "2026-10-31T23:59:59Z", 1, "a").await;
    case.used("acme", "requests", "2026-11-01T00:00:00Z", 1, "a").await;
    case.used("acme", "requests", "2026-11-23T10:00:00Z", 1, "b").await;
    case.used("acme", "requests", "2026-11-23T12:10:00Z", 1, "b").await;
    case.used("acme", "storage", "2026-11-23T12:10:00Z", 1_500, "").await;
    case.used("bolt", "requests", "2026-11-02T00:00:00Z", 1, "a").await;
    case
}
