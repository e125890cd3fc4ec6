//! What configurations of metering mean.

use std::fmt::Write as _;
use std::time::Duration;

use sluice_metering::Decimal;
use sluice_metering::meter::{Aggregation, Unanswered};
use sluice_metering::period::Every;
use sluice_metering::plan::{Fee, Plan, Price, Quota, RateLimit, Rounding, Tier};

use super::{valid, with};
use crate::config::model::{
    Destination, Durability, FileFormat, HttpFormat, LedgerLocation, OnLedgerFailure, SinkKind,
};
use crate::config::{Capability, Config};

const DAY: Duration = Duration::from_secs(86_400);

fn money(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// What is told of a configuration with a meter, a ledger and this.
fn told(more: &str) -> String {
    with(&format!("{METERED}\n{more}")).load().map_or_else(|problems| problems.to_string(), |_| String::new())
}

const METERED: &str = "store.ledger = \"sqlite:ledger.db\"\nmeters.requests.aggregation = \"count\"";

#[test]
fn every_meter_means_what_it_says() {
    let Config { meters, gateway_id, plugins, .. } = valid("everything.toml");
    assert_eq!(&*gateway_id, "edge-1.example_com");
    assert!(plugins["auth"].capabilities.contains(&Capability::Meter));
    let names: Vec<&str> = meters.keys().map(|name| &**name).collect();
    assert_eq!(names, ["concurrency", "gigabytes", "requests", "seats", "storage", "tokens"]);
    let tokens = &meters["tokens"];
    let (aggregation, unit) = (tokens.aggregation, tokens.unit.as_deref());
    assert_eq!((&*tokens.name, aggregation, unit), ("tokens", Aggregation::Sum, Some("token")));
    assert_eq!((tokens.decimals, tokens.reserve), (0, 500));
    assert_eq!(
        (tokens.unanswered, tokens.dimensions.concat()),
        (Unanswered::Reserved, "kindmodel".to_owned())
    );
    let reserves: Vec<i64> = meters.values().map(|meter| meter.reserve).collect();
    assert_eq!(reserves, [0, 250, 1, 0, 0, 500]);
    let decimals = with(&format!("{METERED}\nmeters.gb = {{ aggregation = \"sum\", decimals = 3 }}"));
    assert_eq!(decimals.load().unwrap().meters["gb"].reserve, 1_000, "one unit");
}

#[test]
fn every_charge_means_what_it_says() {
    let config = valid("everything.toml");
    let pro = &config.plans["pro"];
    assert_eq!((pro.currency.code(), pro.rounding, pro.exhausted), ("EUR", Rounding::HalfEven, 429));
    let yearly = Fee { name: "pro".into(), amount: money("99"), every: Every::Year, prorate: false };
    let monthly = Fee { name: "Pro".into(), amount: money("49.00"), every: Every::Month, prorate: true };
    assert_eq!(pro.fees, [monthly, yearly]);
    assert_eq!((pro.minimum, pro.trial), (Some(money("10.00")), Some(14 * DAY)));
    let limit = |quota, seconds| RateLimit { quota, window: Duration::from_secs(seconds) };
    assert_eq!(pro.limits, [limit(100, 60), limit(1_000, 3_600)]);

    let charge = |meter: &str| pro.charges.iter().find(|charge| *charge.meter == *meter).unwrap();
    let tier = |up_to, unit, flat| Tier { up_to, unit: money(unit), flat: money(flat) };
    let tokens = charge("tokens");
    let tiers = vec![tier(Some(1_000_000), "0", "0"), tier(None, "0.0000015", "1.00")];
    assert_eq!(
        (&*tokens.name, tokens.included, &tokens.price),
        ("Tokens", 1000, &Price::Graduated { tiers })
    );
    let requests = charge("requests");
    assert_eq!((&*requests.name, requests.aggregation), ("requests", Aggregation::Count));
    assert_eq!(requests.price, Price::PerUnit { unit: money("0.001") });
    let tiers = vec![tier(Some(10), "0", "5.00"), tier(None, "0.40", "0")];
    assert_eq!(charge("seats").price, Price::Volume { tiers });
    let gigabytes = charge("gigabytes");
    assert_eq!((gigabytes.decimals, gigabytes.included), (3, 1_125));
    assert_eq!(gigabytes.price, Price::Package { size: 500, price: money("5.00") });
    assert_eq!(charge("concurrency").price, Price::Flat { amount: money("10.00") });
    assert_eq!(pro.charges.len(), 5, "what has no model has no price");

    let quota = |meter: &str, limit, per, hard| Quota { meter: meter.into(), limit, per, hard };
    let expected = [
        quota("tokens", 50_000_000, Every::Month, true),
        quota("tokens", 40_000_000, Every::Month, false),
        quota("gigabytes", 10_500, Every::Month, true),
        quota("requests", 1_000, Every::Day, true),
        quota("requests", 1_000, Every::Day, false),
        quota("requests", 900, Every::Hour, false),
    ];
    assert_eq!(pro.quotas, expected);
}

#[test]
fn plans_that_are_paid_ahead_answer_402() {
    let config = valid("everything.toml");
    let plan = |name: &str| Plan::clone(&config.plans[name]);
    let ahead = plan("ahead").prepaid.unwrap();
    assert_eq!((ahead.grant, ahead.expires), (Some(money("500")), Some(90 * DAY)));
    assert_eq!((plan("ahead").exhausted, plan("ahead").currency.places()), (402, 0));
    let topped_up = plan("topped-up").prepaid.unwrap();
    assert_eq!((topped_up.grant, topped_up.expires, plan("topped-up").exhausted), (None, None, 429));
    assert_eq!((plan("free").prepaid, plan("free").exhausted), (None, 429));
    assert_eq!(plan("free").quotas[0].limit, 0, "nobody on it may");

    let acme = config.consumers.iter().find(|consumer| &*consumer.name == "acme").unwrap();
    assert_eq!(acme.plan.as_deref(), Some("pro"));
    assert_eq!(acme.plan_since.unwrap().to_string(), "2026-10-31T23:00:00Z");
    let other = config.consumers.iter().find(|consumer| consumer.name.contains('@')).unwrap();
    assert_eq!((&other.plan, other.plan_since), (&None, None));
}

#[test]
fn a_ledger_has_its_defaults() {
    let everything = valid("everything.toml");
    let ledger = everything.ledger.unwrap();
    assert!(
        matches!(&ledger.location, LedgerLocation::Sqlite(path) if path.ends_with("valid/data/ledger.db"))
    );
    assert_eq!((ledger.durability, ledger.on_failure), (Durability::Group, OnLedgerFailure::Allow));
    assert_eq!((ledger.sync_interval, ledger.timeout), (Duration::from_millis(100), Duration::from_secs(5)));
    assert_eq!((ledger.queue, ledger.retention, ledger.ca), (100_000, 400 * DAY, None));
    let plain = with(METERED).load().unwrap();
    let plain = plain.ledger.unwrap();
    assert_eq!((plain.sync_interval, plain.timeout), (ledger.sync_interval, ledger.timeout));
    assert_eq!((plain.queue, plain.retention), (ledger.queue, ledger.retention));
    assert_eq!(plain.on_failure, OnLedgerFailure::Deny);
    assert_eq!(with("").load().unwrap().ledger, None);
}

#[test]
fn sinks_are_told_apart_by_their_urls() {
    let config = valid("everything.toml");
    let sink = |name: &str| config.sinks.iter().find(|sink| &*sink.name == name).unwrap();
    let names: Vec<&str> = config.sinks.iter().map(|sink| &*sink.name).collect();
    assert_eq!(names, ["bus", "files", "lago", "lines", "openmeter", "stripe"]);
    let SinkKind::Http { url, format, headers } = &sink("openmeter").kind else { panic!("HTTP") };
    assert!(url.expose().ends_with("?token=hunter2"));
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let expected = [("authorization", "Bearer hunter2-and-more"), ("x-environment", "production")];
    assert_eq!((*format, headers), (HttpFormat::CloudEvents, expected.to_vec()));
    assert_eq!(
        (sink("openmeter").batch, sink("openmeter").meters.join(" ")),
        (1000, "requests tokens".into())
    );
    let files = sink("files");
    assert_eq!((files.batch, files.interval, files.meters.len()), (100, Duration::from_secs(1), 0));
    assert_eq!((files.timeout, files.lag_alarm), (Duration::from_secs(10), Duration::from_secs(300)));
    assert!(
        matches!(&files.kind, SinkKind::Files { directory, format: FileFormat::Csv } if directory.ends_with("valid/data/usage"))
    );
    assert!(
        matches!(&sink("lines").kind, SinkKind::Files { directory, format: FileFormat::Json } if directory.is_absolute())
    );
    assert!(
        matches!(&sink("bus").kind, SinkKind::Nats { subject, .. } if subject == "usage.{meter}.{consumer}")
    );
    assert!(matches!(&sink("lago").kind, SinkKind::Http { format: HttpFormat::Lago, .. }));
    assert!(matches!(&sink("stripe").kind, SinkKind::Http { format: HttpFormat::Stripe, .. }));
}

#[test]
fn the_gateway_serves_what_was_used() {
    let config = valid("everything.toml");
    let route = |name: &str| config.routes.iter().find(|route| &*route.name == name).unwrap();
    assert_eq!(route("my-usage").destination, Destination::Usage);
    assert!(
        matches!(&route("orders").destination, Destination::Upstream(upstream) if &*upstream.name == "orders")
    );
}

#[test]
fn a_gateway_without_an_id_is_called_as_its_machine() {
    let (first, again) = (with("").load().unwrap().gateway_id, with("").load().unwrap().gateway_id);
    assert!(!first.is_empty() && first == again);
    assert!(told("gateway.id = \"\"").contains("found nothing"));
}

#[test]
fn ledgers_are_files_or_servers() {
    let location = |url: &str| {
        let files = with(&format!("gateway.id = \"a\"\nstore.ledger = \"{url}\""));
        files.load().map(|config| config.ledger.unwrap().location).map_err(|problems| problems.to_string())
    };
    for url in
        ["postgres://u:hunter2@db/usage?sslmode=require", "postgresql://db", "postgres:///d?host=/run/pg"]
    {
        assert!(matches!(location(url), Ok(LedgerLocation::Postgres(secret)) if secret.expose() == url));
    }
    assert!(
        matches!(location("sqlite:/var/l.db"), Ok(LedgerLocation::Sqlite(path)) if path.to_str() == Some("/var/l.db"))
    );
    for (url, hint) in [
        ("sqlite:", "write \"sqlite:data/ledger.db\""),
        ("sqlite::memory:", "write \"sqlite:data/ledger.db\""),
        ("sqlite:data/ledger.db?mode=ro", "write \"sqlite:data/ledger.db\""),
        ("sqlite:///var/l.db", "write \"sqlite:/var/l.db\""),
        ("sqlite://l.db", "write \"sqlite:l.db\""),
        ("data/ledger.db", "write \"sqlite:FILE\""),
        ("mysql://u:hunter2@db/usage", "known kinds: `sqlite`, `postgres`"),
        ("postgres:db", "write \"postgres://"),
        ("postgres://", "write \"postgres://"),
        ("host=db user=u password=hunter2", "write \"sqlite:FILE\""),
        ("", "write \"sqlite:FILE\""),
    ] {
        let told = location(url).unwrap_err();
        assert!(told.contains(&format!("hint: {hint}")), "{url}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(told.matches("error: ").count(), 2, "one problem and the sum: {told}");
    }
}

#[test]
fn what_is_paid_needs_a_ledger_too() {
    let told = |text: &str| with(text).load().map_or_else(|problems| problems.to_string(), |_| String::new());
    assert_eq!(told("plans.a.limits = [{ q = 1, w = \"1s\" }]"), "");
    for plan in ["charges = [{ fee = \"1\" }]", "prepaid = {}", "minimum = \"1\""] {
        let told = told(&format!("plans.a = {{ currency = \"EUR\", {plan} }}"));
        assert!(told.contains("there is no ledger"), "{plan}: {told}");
    }
    // What is meant by a key that does not exist may be the ledger.
    let told = told("store.ledgr = \"sqlite:l.db\"\nmeters.a.aggregation = \"sum\"");
    assert_eq!(told.matches("error: ").count(), 2, "{told}");
}

#[test]
fn there_are_only_so_many() {
    let many = |count: usize, of: fn(usize) -> String| {
        (0..count).fold(String::new(), |mut text, number| {
            writeln!(text, "{}", of(number)).unwrap();
            text
        })
    };
    let meter = |number| format!("meters.m{number}.aggregation = \"sum\"");
    assert_eq!(told(&many(255, meter)), "");
    assert!(told(&many(256, meter)).contains("there are 257 meters, and 256 are the most"));
    let plan = |number| format!("plans.p{number} = {{}}");
    assert_eq!(told(&many(10_000, plan)), "");
    assert!(told(&many(10_001, plan)).contains("there are 10001 plans, and 10000 are the most"));
}

#[test]
fn what_changes_is_another_configuration() {
    let read = |more: &str| with(&format!("{METERED}\n{more}")).load().unwrap();
    let plan = |price: &str| {
        format!(
            "plans.a = {{ currency = \"EUR\", charges = [{{ meter = \"requests\", model = \"per_unit\", unit = \"{price}\" }}] }}"
        )
    };
    assert_eq!(read(&plan("0.10")).plans, read(&plan("0.10")).plans);
    assert_eq!(read(&plan("0.10")).plans, read(&plan("0.1")).plans, "the same price");
    assert_ne!(read(&plan("0.10")).plans, read(&plan("0.11")).plans);
    let sink = |token: &str| {
        format!("sinks.a = {{ url = \"https://a.example\", headers = {{ token = \"{token}\" }} }}")
    };
    assert_eq!(read(&sink("a")).sinks, read(&format!("\n{}", sink("a"))).sinks);
    assert_ne!(read(&sink("a")).sinks, read(&sink("b")).sinks);
}
