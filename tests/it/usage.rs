//! What was used, as operators and consumers ask for it: admin pages, commands, the route of a consumer's own usage.

use serde_json::{Value, json};

use crate::harness::faulty_disk::{Fault, FaultyDisk};
use crate::harness::metering::{consumer, gateway, key, setup};
use crate::harness::postgres::PostgresServer;
use crate::harness::{Connection, Gateway, Origin, Response, config, wait};

const METERS: &str = "[{ meter = \"requests\" }, { meter = \"egress\", value = \"response_bytes\" }]";
const PLANS: &str = "
[meters.requests]
aggregation = \"count\"
unit = \"request\"
[meters.egress]
aggregation = \"sum\"
unit = \"byte\"
decimals = 3
[plans.pro]
currency = \"EUR\"
charges = [
    { fee = \"49.00\", every = \"month\", name = \"Pro\", prorate = false },
    { meter = \"requests\", model = \"per_unit\", unit = \"0.10\", hard_quota = 100 },
]
[plans.told]
charges = [{ meter = \"requests\", soft_quota = 3 }]
[plans.paygo]
currency = \"EUR\"
prepaid = {}
charges = [{ meter = \"requests\", model = \"per_unit\", unit = \"0.01\" }]
[routes.mine]
match = { path = \"/my/usage\" }
steps = [\"api-key\"]
serve = \"usage\"
[routes.open]
match = { path = \"/open/usage\" }
serve = \"usage\"
";

fn text(more: &str) -> String {
    gateway("sqlite:ledger.db", METERS)
        + PLANS
        + &consumer("acme", "pro")
        + &consumer("bolt", "paygo")
        + &consumer("cobra", "told")
        + &config::service(Origin::echo(), &["api-key", "meter"])
        + more
}

fn ask(gateway: &Gateway, name: &str) -> u16 {
    let (header, key) = key(name);
    gateway.get_with("/", &[(header, &key)]).status
}

/// A page of the admin listener.
fn page(gateway: &Gateway, path: &str) -> Response {
    Connection::open(gateway.admin).get(path)
}

/// A consumer's question for its own usage.
fn own(gateway: &Gateway, name: &str, query: &str) -> Response {
    let (header, key) = key(name);
    gateway.get_with(&format!("/my/usage{query}"), &[(header, &key)])
}

fn pay(gateway: &Gateway, top_up: &Value) -> Response {
    let body = top_up.to_string();
    Connection::open(gateway.admin).request(
        "POST",
        "/credit",
        &[("content-type", "application/json")],
        body.as_bytes(),
    )
}

/// Two requests, as every report has them.
fn assert_reports(gateway: &Gateway) {
    for _ in 0..2 {
        assert_eq!(ask(gateway, "acme"), 200);
    }
    let usage = page(gateway, "/usage?consumer=acme&meter=requests").expect(200);
    assert_eq!(usage.header("cache-control"), Some("private, no-store"));
    let usage = usage.json();
    assert_eq!((&usage["rows"][0]["quantity"], &usage["rows"][0]["plan"]), (&json!("2"), &json!("pro")));
    let egress = page(gateway, "/usage?meter=egress").expect(200).json();
    let bytes: u64 = egress["rows"][0]["quantity"].as_str().unwrap().parse().unwrap();
    assert!(bytes > 100, "{egress}");

    let balance = page(gateway, "/balance?consumer=acme").expect(200).json();
    let quota = &balance["quotas"][0];
    assert_eq!(
        (&quota["kind"], &quota["limit"], &quota["used"], &quota["remaining"]),
        (&json!("hard"), &json!("100"), &json!("2"), &json!("98"))
    );
    let invoice = page(gateway, "/invoices/preview?consumer=acme").expect(200).json();
    assert_eq!(invoice["due"], json!([{ "currency": "EUR", "amount": "49.20" }]), "{invoice:#}");
    let html = page(gateway, "/invoices/preview?consumer=acme&format=html").expect(200);
    assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(html.header("content-security-policy").is_some());
}

#[test]
fn operators_see_what_was_used_and_what_is_left() {
    let gateway = setup().start(&text(""));
    assert_reports(&gateway);
    for (path, status, kind) in [
        ("/usage?by=week", 400, "invalid-parameter"),
        ("/usage?x=1", 400, "invalid-parameter"),
        ("/balance", 400, "invalid-parameter"),
        ("/invoices/preview?consumer=acme&period=11", 400, "invalid-parameter"),
        ("/balance?consumer=acmee", 404, "consumer-unknown"),
        ("/usage?consumer=acmee", 404, "consumer-unknown"),
        ("/invoices/preview?consumer=acmee", 404, "consumer-unknown"),
    ] {
        let problem = page(&gateway, path).problem(status);
        assert_eq!(problem["type"], format!("urn:sluice:problem:{kind}"), "{path}");
    }
    let problem = page(&gateway, "/usage?consumer=acmee").json();
    assert!(problem["detail"].as_str().unwrap().ends_with("did you mean `acme`?"), "{problem}");
}

#[test]
fn operators_see_how_the_ledger_fares() {
    let gateway = setup().start(&text(""));
    assert_eq!(ask(&gateway, "acme"), 200);
    let ledger = || page(&gateway, "/ledger").expect(200).json();
    wait::until("both events are counted", || ledger()["events"]["written"] == 2);
    assert_eq!((&ledger()["state"], &ledger()["gateway"]), (&json!("well"), &json!("gw")));
    assert_eq!(gateway.snapshot()["ledger"]["state"], "well");
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("sluice_ledger_state", &[("state", "well")]), 1.0);
    assert_eq!(metrics.sum("sluice_ledger_events_total", &[("result", "written")]), 2.0);
}

#[test]
fn credit_is_booked_once_and_spent() {
    let gateway = setup().start(&text(""));
    assert_eq!(ask(&gateway, "bolt"), 402);
    let top_up = json!({ "id": "pay-1", "consumer": "bolt", "amount": "0.02" });
    assert_eq!(pay(&gateway, &top_up).expect(201).json(), json!({ "id": "pay-1", "result": "booked" }));
    assert_eq!(pay(&gateway, &top_up).expect(200).json(), json!({ "id": "pay-1", "result": "known" }));
    let other = json!({ "id": "pay-1", "consumer": "bolt", "amount": "0.03" });
    assert_eq!(pay(&gateway, &other).expect(409).json()["type"], "urn:sluice:problem:top-up-conflict");
    assert_eq!((ask(&gateway, "bolt"), ask(&gateway, "bolt"), ask(&gateway, "bolt")), (200, 200, 402));
    let credit = &page(&gateway, "/balance?consumer=bolt").expect(200).json()["credit"];
    assert_eq!((&credit["balance"], &credit["currency"]), (&json!("0.00"), &json!("EUR")));

    for (top_up, status) in [
        (json!({ "id": "x", "consumer": "bolt", "amount": 5 }), 400),
        (json!({ "id": "x", "consumer": "bolt", "amount": "5", "currency": "EUR" }), 400),
        (json!({ "id": "x", "consumer": "bolt", "amount": "-5" }), 400),
        (json!({ "id": "x", "consumer": "nobody", "amount": "5" }), 404),
        (json!({ "id": "x".repeat(20_000), "consumer": "bolt", "amount": "5" }), 400),
    ] {
        pay(&gateway, &top_up).problem(status);
    }
    // As a form of a page that somebody looks at would send it.
    let form = [("content-type", "text/plain")];
    Connection::open(gateway.admin).request("POST", "/credit", &form, b"{}").problem(415);
    assert_eq!(Connection::open(gateway.admin).get("/credit").expect(405).header("allow"), Some("POST"));
}

#[test]
fn a_consumer_sees_its_own_usage_and_nobody_else_s() {
    let gateway = setup().start(&text(""));
    pay(&gateway, &json!({ "id": "pay-1", "consumer": "bolt", "amount": "1.00" })).expect(201);
    assert_eq!((ask(&gateway, "acme"), ask(&gateway, "acme"), ask(&gateway, "bolt")), (200, 200, 200));
    let answer = own(&gateway, "acme", "?meter=requests").expect(200);
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    let summary = answer.json();
    assert_eq!((&summary["consumer"], &summary["plan"]), (&json!("acme"), &json!("pro")));
    assert_eq!(summary["quotas"][0]["remaining"], "98");
    assert_eq!(summary["usage"]["rows"].as_array().unwrap().len(), 1);
    assert_eq!(summary["usage"]["rows"][0]["quantity"], "2");
    assert_eq!(own(&gateway, "bolt", "").expect(200).json()["credit"]["balance"], "0.99");

    for query in ["", "?by=hour", "?view=balance", "?view=invoice", "?view=invoice&format=html"] {
        let text = own(&gateway, "acme", query).expect(200).text();
        assert!(
            text.contains("acme") && !text.contains("bolt") && !text.contains("paygo"),
            "{query}: {text}"
        );
    }
    for query in ["?consumer=bolt", "?consumer=acme", "?plan=paygo", "?view=all", "?period=2026"] {
        let problem = own(&gateway, "acme", query).problem(400);
        assert_eq!(problem["type"], "urn:sluice:problem:invalid-parameter", "{query}");
    }
    // Asking costs nothing, since nothing is metered on that route.
    assert_eq!(own(&gateway, "acme", "").json()["quotas"][0]["used"], "2");
}

#[test]
fn who_is_not_known_sees_nothing() {
    let gateway = setup().start(&text(""));
    gateway.get("/my/usage").problem(401);
    let problem = gateway.get("/open/usage").problem(403);
    assert_eq!(problem["type"], "urn:sluice:problem:consumer-unknown");
    // What a client says of itself is not believed.
    let (_, acme) = key("acme");
    for header in [("x-consumer-username", "acme"), ("x-api-key", &*acme)] {
        gateway.get_with("/open/usage", &[header]).problem(403);
    }
    let refused = gateway.connect().request("POST", "/my/usage", &[("x-api-key", &acme)], b"");
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    refused.problem(405);
    let head = gateway.connect().request("HEAD", "/my/usage", &[("x-api-key", &acme)], b"").expect(200);
    assert!(head.body.is_empty() && head.header("content-type") == Some("application/json"));
}

#[test]
fn a_soft_quota_that_is_passed_is_told_once() {
    let gateway = setup().start(&text(""));
    let (header, cobra) = key("cobra");
    let passed = || {
        let answer = gateway.get_with("/", &[(header, &cobra)]).expect(200);
        answer.header("x-quota-passed").map(str::to_owned)
    };
    for _ in 0..3 {
        assert_eq!(passed(), None);
    }
    assert_eq!(ask(&gateway, "cobra"), 200);
    gateway.wait_for_log(&["WARN", "a soft quota is passed", "cobra", "requests", "month"]);
    assert_eq!(passed().as_deref(), Some("\"requests-month\""));
    // A reload makes new quotas of the same: it is not told again.
    let generation = gateway.generation();
    gateway.configure(&text("[reload]\ndrain = \"1s\"\n"));
    gateway.wait_for_generation_after(generation);
    wait::until("the new quota is looked at", || passed().is_some());
    assert_eq!(gateway.log().matches("a soft quota is passed").count(), 1);
    assert_eq!(gateway.metrics().sum("sluice_soft_quotas_passed_total", &[]), 1.0);
}

#[test]
fn a_gateway_whose_ledger_has_failed_is_not_ready() {
    let (setup, disk) = FaultyDisk::under(setup(), "ledger.db");
    let gateway = setup.start(&text("[ledger]\ndurability = \"sync\"\ntimeout = \"300ms\"\n"));
    assert_eq!(page(&gateway, "/readyz").status, 200);
    disk.fail(Fault::Fsync);
    assert_eq!(ask(&gateway, "acme"), 503);
    wait::until("it is known", || page(&gateway, "/readyz").status == 503);
    let snapshot = gateway.snapshot();
    assert_eq!(snapshot["ledger"]["state"], "failed");
    assert!(snapshot["not_ready_because"].to_string().contains("ledger"), "{snapshot:#}");
    assert!(page(&gateway, "/ledger").json()["last_error"].is_string());
}

#[test]
fn without_a_ledger_there_is_nothing_to_see() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    for path in ["/usage", "/balance?consumer=x", "/invoices/preview?consumer=x", "/ledger"] {
        assert_eq!(page(&gateway, path).problem(404)["type"], "urn:sluice:problem:no-ledger");
    }
    assert!(gateway.snapshot()["ledger"].is_null());
}

#[test]
fn a_ledger_on_a_server_tells_the_same() {
    let server = PostgresServer::start();
    let url = server.url(&server.database());
    let gateway = setup().start(&text("").replace("sqlite:ledger.db", &url));
    assert_reports(&gateway);
    let run = |arguments: &[&str]| {
        let output = gateway.command(arguments).output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let (code, table) = run(&["usage", "acme", "--meter", "requests", "--by", "month"]);
    assert!(code == 0 && table.contains("acme      requests  pro          2  request       2\n"), "{table}");
    let (code, invoice) = run(&["invoice", "acme"]);
    assert!(code == 0 && invoice.ends_with("Due: 49.20 EUR\n"), "{invoice}");
    assert_eq!(run(&["ledger", "check"]), (0, "the ledger is in order: 4 events are kept\n".to_owned()));
    // A server has room for a command beside the gateway.
    assert_eq!(ask(&gateway, "bolt"), 402);
    let credit = ["credit", "bolt", "5.00", "--id", "pay-1"];
    assert_eq!(run(&credit), (0, "5.00 EUR are booked for `bolt` as `pay-1`\n".to_owned()));
    wait::until("the credit is there", || ask(&gateway, "bolt") == 200);
    let mine = own(&gateway, "acme", "?meter=requests").expect(200).text();
    assert!(mine.contains("\"quantity\": \"2\""), "{mine}");
}

#[test]
fn commands_read_the_ledger_while_the_gateway_runs_and_after() {
    let mut gateway = setup().start(&text(""));
    for _ in 0..2 {
        assert_eq!(ask(&gateway, "acme"), 200);
    }
    let run = |gateway: &Gateway, arguments: &[&str]| {
        let output = gateway.command(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code().unwrap(), told)
    };
    let looks = |gateway: &Gateway| {
        let (code, table) = run(gateway, &["usage", "acme", "--meter", "requests"]);
        assert_eq!(code, 0, "{table}");
        assert!(table.ends_with("acme      requests  pro          2  request       2\n"), "{table}");
        let (code, csv) = run(gateway, &["usage", "--by", "day", "--format", "csv"]);
        assert_eq!((code, csv.lines().count()), (0, 3), "{csv}");
        let (code, json) = run(gateway, &["usage", "--format", "json"]);
        assert_eq!(code, 0);
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["next"], Value::Null);
        let (code, invoice) = run(gateway, &["invoice", "acme"]);
        assert!(code == 0 && invoice.ends_with("Due: 49.20 EUR\n"), "{invoice}");
        let (code, told) = run(gateway, &["ledger", "check"]);
        assert_eq!((code, &*told), (0, "the ledger is in order: 4 events are kept\n"));
    };
    looks(&gateway);
    let credit = ["credit", "bolt", "5.00", "--id", "pay-1"];
    let (code, told) = run(&gateway, &credit);
    assert_eq!(code, 1);
    assert!(told.contains("hint: send it to the gateway: `POST /credit`"), "{told}");

    gateway.terminate();
    gateway.wait_for_end();
    looks(&gateway);
    assert_eq!(run(&gateway, &credit), (0, "5.00 EUR are booked for `bolt` as `pay-1`\n".to_owned()));
    assert_eq!(run(&gateway, &credit), (0, "`pay-1` was booked before: nothing has changed\n".to_owned()));
    gateway.restart(&[]).unwrap();
    assert_eq!(ask(&gateway, "bolt"), 200);

    for (arguments, code, told) in [
        (&["usage", "acmee"][..], 1, "did you mean `acme`?"),
        (&["usage", "--by", "week"], 1, "`by`: `week` is not one of total, hour"),
        (&["usage", "--format", "xml"], 2, "invalid value 'xml'"),
        (&["invoice", "acme", "--period", "2026"], 1, "is not a month such as 2026-11"),
        (&["credit", "bolt", "5,00", "--id", "x"], 1, "`amount`"),
        (&["credit", "bolt", "5.00"], 2, "--id"),
        (&["usage", "--config", "other.toml"], 1, "other.toml"),
    ] {
        let (ended, words) = run(&gateway, arguments);
        assert!(ended == code && words.contains(told), "{arguments:?}: {ended} {words}");
    }
}

#[test]
fn a_meter_that_would_mean_something_else_is_refused_with_its_place() {
    let before = text("");
    let mut gateway = setup().start(&before);
    assert_eq!(ask(&gateway, "acme"), 200);
    let after = before.replace("unit = \"byte\"\ndecimals = 3", "unit = \"byte\"\ndecimals = 0");
    let refused = |gateway: &Gateway| {
        let answer = Connection::open(gateway.admin).request("POST", "/reload", &[], b"").expect(422).json();
        answer["problems"].to_string()
    };
    gateway.configure(&after);
    let problem = refused(&gateway);
    assert!(
        problem.contains("`egress` as `sum` with 3 decimals") && problem.contains("gateway.toml"),
        "{problem}"
    );
    assert_eq!(ask(&gateway, "acme"), 200);
    // Nor does a gateway start so.
    gateway.kill();
    let ended = gateway.restart(&[]).expect_err("it must not start");
    assert!(ended.output.contains("`egress` as `sum` with 3 decimals"), "{}", ended.output);
}
