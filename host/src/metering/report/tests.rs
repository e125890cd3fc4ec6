//! Reports over a ledger in a file.

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
    let consumers = [("acme", "pro"), ("bolt", "paygo"), ("cobra", "trial"), ("dane", "")];
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

#[tokio::test]
async fn usage_has_the_shape_that_is_documented() {
    let case = november().await;
    let document = case.usage("consumer=acme&meter=storage").await.unwrap();
    assert_eq!(
        document,
        json!({
            "from": "2026-11-01T00:00:00Z",
            "to": "2026-11-23T13:00:00Z",
            "by": "total",
            "group": null,
            "meters": { "storage": { "aggregation": "sum", "unit": "GB", "decimals": 3 } },
            "rows": [{
                "start": "2026-11-01T00:00:00Z",
                "end": "2026-11-23T13:00:00Z",
                "consumer": "acme",
                "meter": "storage",
                "plan": "pro",
                "group": null,
                "quantity": "1.5",
                "unit": "GB",
                "events": 1,
            }],
            "next": null,
        })
    );
}

#[tokio::test]
async fn usage_is_split_and_filtered() {
    let mut case = november().await;
    for (query, expected) in [
        ("meter=requests", &["acme 2026-11-01T00:00:00Z - 3", "bolt 2026-11-01T00:00:00Z - 1"][..]),
        (
            "consumer=acme&meter=requests&by=day",
            &["acme 2026-11-01T00:00:00Z - 1", "acme 2026-11-23T00:00:00Z - 2"],
        ),
        (
            "consumer=acme&meter=requests&from=2026-10-01&by=month",
            &["acme 2026-10-01T00:00:00Z - 1", "acme 2026-11-01T00:00:00Z - 3"],
        ),
        (
            "meter=requests&consumer=acme&group=model",
            &["acme 2026-11-01T00:00:00Z a 1", "acme 2026-11-01T00:00:00Z b 2"],
        ),
        ("meter=requests&dimension=model:b", &["acme 2026-11-01T00:00:00Z - 2"]),
        ("plan=paygo", &["bolt 2026-11-01T00:00:00Z - 1"]),
        ("meter=requests&from=2026-11-23T12:00:00Z", &["acme 2026-11-23T12:00:00Z - 1"]),
        ("meter=users", &[]),
        ("consumer=dane", &[]),
    ] {
        assert_eq!(rows(&case.usage(query).await.unwrap()), expected, "{query}");
    }
    // Different texts, and not the sum of each day's.
    for (day, user) in [(1, "x"), (2, "x"), (2, "y")] {
        case.used("acme", "users", &format!("2026-11-0{day}T00:00:00Z"), 1, user).await;
    }
    assert_eq!(rows(&case.usage("meter=users").await.unwrap()), ["acme 2026-11-01T00:00:00Z - 2"]);
}

#[tokio::test]
async fn pages_come_to_the_whole() {
    let case = november().await;
    let whole = rows(&case.usage("by=hour").await.unwrap());
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = case.usage(&format!("by=hour&limit=2{cursor}")).await.unwrap();
        paged.extend(rows(&page));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((paged.len(), &paged), (5, &whole));

    let mut reader = Reader::open(&case.settings).await.unwrap();
    let query = UsageQuery { by: Some(Every::Hour), ..UsageQuery::all(at("2026-11-01T00:00:00Z"), at(NOW)) };
    let all = Usage::ask_all(&mut reader, &case.catalog, query).await.unwrap();
    assert_eq!((all.rows.len(), all.next), (5, None));
}

#[tokio::test]
async fn slips_are_told() {
    let case = november().await;
    for (query, expected) in [
        ("by=week", "by: `week` is not one of total, hour, day, month, year"),
        ("from=tomorrow", "from: `tomorrow` is not a day such as 2026-11-01 or a full hour"),
        ("from=2026-12-01", "from: the time that is asked for ends before it begins"),
        ("from=2026-11-02&to=2026-11-02", "to: the time that is asked for ends before it begins"),
        ("limit=0", "limit: `0` is not a number from 1 to 1000"),
        ("limit=1001", "limit: `1001` is not a number from 1 to 1000"),
        ("cursor=zz", "cursor: no page named this"),
        ("dimension=model", "dimension: `model` is not a dimension's name and value"),
        ("dimension=modle:a", "dimension: there is no dimension `modle`; did you mean `model`?"),
        ("group=region", "group: there is no dimension `region`; known dimensions: `model`"),
        ("meter=request", "meter: there is no meter `request`; did you mean `requests`?"),
        ("plan=max", "plan: there is no plan `max`; known plans: `paygo`, `pro`, `trial`"),
    ] {
        let problem = problem(case.usage(query).await);
        assert!(problem.starts_with(expected), "{query}: {problem}");
    }
    let unknown = case.usage("consumer=acmee").await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "neither the configuration nor the ledger knows a consumer `acmee`; did you mean `acme`?"
    );
    // Who is no longer configured is still in the ledger.
    assert!(case.usage("consumer=gone").await.is_ok());
    assert!(case.balance("gone").await.is_ok());
    assert!(case.invoice("consumer=gone").await.is_ok());
    for refused in [case.balance("nobody").await, case.invoice("consumer=nobody").await.map(|_| Value::Null)]
    {
        assert!(matches!(refused, Err(Refused::Consumer { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn usage_of_a_meter_that_is_gone_is_its_sum() {
    let mut case = november().await;
    case.catalog.meters.remove("storage");
    let document = case.usage("meter=storage").await.unwrap();
    assert_eq!(
        (&document["meters"]["storage"], &document["rows"][0]["quantity"]),
        (&Value::Null, &json!("1500"))
    );
}

#[tokio::test]
async fn a_balance_tells_of_every_quota_and_of_credit() {
    let mut case = november().await;
    let balance = case.balance("acme").await.unwrap();
    assert_eq!(
        balance,
        json!({
            "consumer": "acme",
            "at": NOW,
            "plan": "pro",
            "quotas": [
                {
                    "meter": "requests", "unit": "request", "kind": "hard", "per": "month",
                    "limit": "5", "used": "3", "remaining": "2",
                    "since": "2026-11-01T00:00:00Z", "resets": "2026-12-01T00:00:00Z",
                },
                {
                    "meter": "requests", "unit": "request", "kind": "soft", "per": "day",
                    "limit": "2", "used": "2", "remaining": "0",
                    "since": "2026-11-23T00:00:00Z", "resets": "2026-11-24T00:00:00Z",
                },
                {
                    "meter": "storage", "unit": "GB", "kind": "hard", "per": "month",
                    "limit": "10", "used": "1.5", "remaining": "8.5",
                    "since": "2026-11-01T00:00:00Z", "resets": "2026-12-01T00:00:00Z",
                },
            ],
            "credit": null,
        })
    );
    // What was used without credit is a debt, which is paid first.
    let credit = |balance: Value| balance["credit"].clone();
    let debt = credit(case.balance("bolt").await.unwrap());
    assert_eq!((&debt["balance"], &debt["debt"]), (&json!("-0.01"), &json!("0.01")));
    case.paid("bolt", "pay-1", "1.00", None).await;
    case.paid("bolt", "pay-2", "0.5", Some("2027-01-01T00:00:00Z")).await;
    assert_eq!(
        credit(case.balance("bolt").await.unwrap()),
        json!({
            "currency": "EUR",
            "balance": "1.49",
            "debt": "0.00",
            "reserved": "0.00",
            "credits": [
                {
                    "id": "pay-2", "amount": "0.50", "left": "0.50",
                    "since": "2026-11-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z",
                },
                {
                    "id": "pay-1", "amount": "1.00", "left": "0.99",
                    "since": "2026-11-01T00:00:00Z", "expires": null,
                },
            ],
        })
    );
    assert_eq!(case.balance("dane").await.unwrap()["plan"], Value::Null);
}

#[tokio::test]
async fn an_invoice_is_of_what_is_in_the_ledger() {
    let mut case = november().await;
    case.used("cobra", "requests", "2026-11-10T23:59:00Z", 1, "").await;
    case.used("cobra", "requests", "2026-11-11T00:00:00Z", 1, "").await;
    let invoice = |text: &Document| serde_json::from_str::<Value>(&text.text).unwrap();
    let acme = invoice(&case.invoice("consumer=acme").await.unwrap());
    assert_eq!((&acme["month"], &acme["status"]), (&json!("2026-11"), &json!("preview")));
    assert_eq!(acme["due"], json!([{ "currency": "EUR", "amount": "0.03" }]));
    let october = invoice(&case.invoice("consumer=acme&period=2026-10").await.unwrap());
    assert_eq!((&october["status"], &october["due"][0]["amount"]), (&json!("final"), &json!("0.01")));
    // What was used in the trial is free.
    let cobra = invoice(&case.invoice("consumer=cobra").await.unwrap());
    assert_eq!(cobra["due"][0]["amount"], "0.01", "{cobra:#}");
    // Credit pays what it can; what it cannot is due, and a debt until a top-up pays it.
    let due = |document: Document| invoice(&document)["due"][0]["amount"].clone();
    assert_eq!(due(case.invoice("consumer=bolt").await.unwrap()), "0.01");
    case.paid("bolt", "pay-1", "1.00", None).await;
    let bolt = invoice(&case.invoice("consumer=bolt").await.unwrap());
    assert_eq!(
        (&bolt["due"][0]["amount"], &bolt["sections"][0]["before_credit"]),
        (&json!("0.00"), &json!("0.01"))
    );
    for (format, content_type, begins) in [
        ("csv", "text/csv; charset=utf-8", "consumer,"),
        ("html", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("json", "application/json", "{"),
    ] {
        let document = case.invoice(&format!("consumer=acme&format={format}")).await.unwrap();
        assert_eq!(document.content_type, content_type);
        assert!(document.text.to_lowercase().starts_with(&begins.to_lowercase()), "{}", document.text);
    }
    let missing = case.invoice("period=2026-11").await.map(|_| Value::Null);
    assert_eq!(problem(missing), "consumer: it is missing; the name of a consumer is expected");
}

#[tokio::test]
async fn a_consumer_sees_itself_and_nobody_else() {
    let case = november().await;
    for query in [
        "",
        "by=day",
        "period=2026-10",
        "group=model",
        "view=balance",
        "view=invoice&format=csv",
        "view=invoice",
    ] {
        let document = case.own("acme", query).await.unwrap();
        assert!(!document.text.contains("bolt"), "{query}: {}", document.text);
        assert!(document.text.contains("acme"), "{query}: {}", document.text);
    }
    for query in
        ["consumer=bolt", "consumer=acme", "plan=paygo", "from=2026-01-01", "view=all", "view=balance&by=day"]
    {
        assert!(matches!(case.own("acme", query).await, Err(Refused::Parameter { .. })), "{query}");
    }
    // A page of another's is a place in one's own.
    let page = case.usage("consumer=bolt&limit=1").await.unwrap();
    assert_eq!(page["next"], Value::Null);
    let page = case.usage("by=hour&limit=4").await.unwrap();
    let cursor = page["next"].as_str().unwrap();
    let rest = case.own("bolt", &format!("by=hour&cursor={cursor}")).await.unwrap();
    assert!(!rest.text.contains("acme"), "{}", rest.text);

    let summary = case.own("acme", "meter=requests").await.unwrap();
    let summary: Value = serde_json::from_str(&summary.text).unwrap();
    let names: Vec<&String> = summary.as_object().unwrap().keys().collect();
    let expected = ["at", "consumer", "credit", "period", "plan", "quotas", "usage"];
    let mut sorted: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!((&summary["plan"], &summary["period"]), (&json!("pro"), &json!("2026-11")));
    assert_eq!(summary["usage"]["to"], "2026-12-01T00:00:00Z");
    assert_eq!(rows(&summary["usage"]), ["acme 2026-11-01T00:00:00Z - 3"]);
}

#[test]
fn top_ups_are_read_with_care() {
    type Change = dyn Fn(&mut WrittenTopUp);
    let catalog = catalog();
    let written = |change: &Change| {
        let mut written = WrittenTopUp {
            id: "pay-1".to_owned(),
            consumer: "acme".to_owned(),
            amount: "50.00".to_owned(),
            expires: Some("2027-01-01T00:00:00Z".to_owned()),
        };
        change(&mut written);
        top_up(&written, &catalog, at(NOW))
    };
    assert_eq!(
        written(&|_| ()).unwrap(),
        TopUp {
            id: "pay-1".to_owned(),
            consumer: "acme".into(),
            amount: 50_000_000_000,
            at: at(NOW),
            expires: Some(at("2027-01-01T00:00:00Z")),
        }
    );
    let refused: [(&Change, &str); 8] = [
        (&|it| it.id.clear(), "`id`"),
        (&|it| it.id.push('\n'), "`id`"),
        (&|it| it.consumer.push('x'), "did you mean `acme`?"),
        (&|it| it.amount = "0.00".to_owned(), "`amount`"),
        (&|it| it.amount = "-5".to_owned(), "`amount`"),
        (&|it| it.amount = "1e3".to_owned(), "`amount`"),
        (&|it| it.amount = "0.0000000001".to_owned(), "`amount`"),
        (&|it| it.expires = Some("2026-11-01T00:00:00Z".to_owned()), "over already"),
    ];
    for (change, told) in refused {
        let problem = written(change).unwrap_err().to_string();
        assert!(problem.contains(told), "{problem}");
    }
}
