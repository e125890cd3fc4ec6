//! NATS JetStream, with a real server.

use std::time::Duration;

use data_encoding::BASE64;
use serde_json::Value;
use tokio::time::timeout;

use super::ledger::{Ledger, event, id};
use super::nats_server::{NatsServer, NatsSetup};
use super::{means_with, run, sink_to, status, within};
use crate::metering::export::{Exports, NatsTarget, Sink, Target};

/// Of a busy machine, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

fn sink(url: &str) -> Sink {
    let target = NatsTarget { place: url.parse().unwrap(), subject: "usage.{meter}.{consumer}".into() };
    Sink { interval: Duration::from_millis(50), ..sink_to(Target::Nats(target)) }
}

fn url(server: &NatsServer) -> String {
    format!("nats://{}", server.address())
}

/// The messages of a stream: subject, headers, and what they hold.
fn messages(server: &NatsServer, stream: &str) -> Vec<(String, String, Value)> {
    let all = (1..=server.messages(stream)).map(|number| {
        let answer: Value = serde_json::from_str(&server.message(stream, number)).unwrap();
        let message = &answer["message"];
        let part = |name: &str| BASE64.decode(message[name].as_str().unwrap().as_bytes()).unwrap();
        let headers = String::from_utf8(part("hdrs")).unwrap();
        let subject = message["subject"].as_str().unwrap().to_owned();
        (subject, headers, serde_json::from_slice(&part("data")).unwrap())
    });
    all.collect()
}

fn ids(server: &NatsServer, stream: &str) -> Vec<String> {
    messages(server, stream)
        .into_iter()
        .map(|(_, _, event)| event["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_event_is_a_message_of_the_stream() {
    let server = NatsSetup::default().start();
    server.stream("USAGE", "usage.>", "");
    let ledger = Ledger::with(250);
    let mut of_nobody = event(250);
    of_nobody.consumer = "".into();
    ledger.add([of_nobody]);
    let exports = run(&ledger, sink(&url(&server))).await;
    within("all are sent", PATIENCE, || ledger.at("sink") == 251).await;
    let found = messages(&server, "USAGE");
    assert_eq!(ids(&server, "USAGE"), (0..251).map(id).collect::<Vec<_>>());
    let (subject, headers, event) = &found[7];
    assert_eq!(subject, "usage.tokens.acme");
    assert_eq!(
        headers,
        "NATS/1.0\r\nNats-Msg-Id: edge-1/r7/tokens\r\nContent-Type: application/cloudevents+json\r\n\r\n"
    );
    assert_eq!((&event["specversion"], &event["data"]["value"]), (&Value::from("1.0"), &Value::from("7")));
    assert_eq!(found[250].0, "usage.tokens._");
    assert_eq!((status(&exports).sent, status(&exports).failed), (251, 0));
    // Another gateway that sends all once more adds nothing.
    let again = run(&ledger, Sink { name: "again".into(), ..sink(&url(&server)) }).await;
    within("all are sent", PATIENCE, || ledger.at("again") == 251).await;
    assert_eq!((server.messages("USAGE"), status(&again).sent), (251, 251));
}

#[tokio::test]
async fn a_server_that_is_killed_has_each_event_once_in_the_end() {
    let mut server = NatsSetup::default().start();
    server.stream("USAGE", "usage.>", "");
    let ledger = Ledger::with(20_000);
    let exports = run(&ledger, Sink { batch: 500, ..sink(&url(&server)) }).await;
    for part in 1..=2 {
        within("some are sent", PATIENCE, || ledger.at("sink") >= part * 4_000).await;
        server.kill();
        within("it is noticed", PATIENCE, || status(&exports).failed >= part as u64).await;
        server.restart();
    }
    within("all are sent", PATIENCE, || ledger.at("sink") == 20_000).await;
    assert_eq!(server.messages("USAGE"), 20_000);
    let mut all = ids(&server, "USAGE");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 20_000);
}

#[tokio::test]
async fn acknowledgements_that_come_late_are_of_no_use() {
    let server = NatsSetup::default().start();
    server.stream("USAGE", "usage.>", "");
    let ledger = Ledger::with(100);
    let hasty = Sink { timeout: Duration::from_millis(300), ..sink(&url(&server)) };
    let exports = run(&ledger, hasty).await;
    within("all are sent", PATIENCE, || ledger.at("sink") == 100).await;
    server.freeze();
    ledger.add((100..200).map(event));
    within("it is noticed", PATIENCE, || status(&exports).failed > 1).await;
    assert_eq!(ledger.at("sink"), 100);
    assert!(status(&exports).last_error.unwrap().1.contains("within 300ms"));
    server.thaw();
    within("all are sent", PATIENCE, || ledger.at("sink") == 200).await;
    assert_eq!(ids(&server, "USAGE"), (0..200).map(id).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_a_stream_events_wait_for_one() {
    let server = NatsSetup::default().start();
    let ledger = Ledger::with(10);
    let exports = run(&ledger, sink(&url(&server))).await;
    within("it is noticed", PATIENCE, || status(&exports).failed > 0).await;
    let reason = status(&exports).last_error.unwrap().1;
    assert_eq!((&*reason, ledger.at("sink")), ("no stream takes `usage.tokens.acme`", 0));
    server.stream("USAGE", "usage.>", "");
    within("all are sent", PATIENCE, || ledger.at("sink") == 10).await;
    assert_eq!(server.messages("USAGE"), 10);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_given_up_and_others_are_not() {
    let server = NatsSetup::default().start();
    server.stream("USAGE", "usage.>", r#""max_msg_size":2000,"#);
    let ledger = Ledger::with(3);
    for (number, length) in [(3, 3_000), (4, 5_000)] {
        let mut large = event(number);
        large.dimensions = vec![("x".into(), "x".repeat(length).into())];
        ledger.add([large, event(number + 10)]);
    }
    let exports = run(&ledger, sink(&url(&server))).await;
    within("the others are sent", PATIENCE, || ledger.at("sink") == 7).await;
    assert_eq!(ids(&server, "USAGE"), [id(0), id(1), id(2), id(13), id(14)]);
    assert_eq!(status(&exports).dead, 2);
}

#[tokio::test]
async fn a_stream_that_is_full_makes_events_wait() {
    let server = NatsSetup::default().start();
    server.stream("USAGE", "usage.>", r#""max_msgs":5,"discard":"new","#);
    let ledger = Ledger::with(10);
    let exports = run(&ledger, sink(&url(&server))).await;
    within("it is noticed", PATIENCE, || status(&exports).failed > 1).await;
    let status = status(&exports);
    assert_eq!((server.messages("USAGE"), ledger.at("sink"), status.dead), (5, 0, 0));
    assert!(status.last_error.unwrap().1.contains("maximum messages exceeded"));
}

#[tokio::test]
async fn only_who_logs_in_may_publish() {
    let cases = [
        ("authorization { user: me, password: \"s3cret\" }", r#""user":"me","pass":"s3cret""#, "me:s3cret"),
        ("authorization { token: s3cret }", r#""auth_token":"s3cret""#, "s3cret"),
    ];
    for (lines, login, who) in cases {
        let server = NatsSetup::default().lines(lines, login).start();
        server.stream("USAGE", "usage.>", "");
        let ledger = Ledger::with(10);
        let wrong = format!("nats://me:hunter2@{}", server.address());
        let exports = run(&ledger, Sink { name: "wrong".into(), ..sink(&wrong) }).await;
        within("it is noticed", PATIENCE, || status(&exports).failed > 0).await;
        let reason = status(&exports).last_error.unwrap().1;
        assert!(reason.contains("Authorization Violation") && !reason.contains("hunter2"), "{reason}");
        assert_eq!(ledger.at("wrong"), 0);
        let _right = run(&ledger, sink(&format!("nats://{who}@{}", server.address()))).await;
        within("all are sent", PATIENCE, || ledger.at("sink") == 10).await;
        assert_eq!(server.messages("USAGE"), 10);
    }
}

#[tokio::test]
async fn what_a_user_may_not_publish_waits_and_says_why() {
    let lines = "authorization { users: [ { user: me, password: x, permissions: { publish: other } }, { user: root, password: x } ] }";
    let server = NatsSetup::default().lines(lines, r#""user":"root","pass":"x""#).start();
    server.stream("USAGE", "usage.>", "");
    let ledger = Ledger::with(10);
    let exports = run(&ledger, sink(&format!("nats://me:x@{}", server.address()))).await;
    within("it is noticed", PATIENCE, || status(&exports).failed > 0).await;
    let reason = status(&exports).last_error.unwrap().1;
    assert!(reason.contains("Permissions Violation for Publish to \"usage.tokens.acme\""), "{reason}");
    assert_eq!(ledger.at("sink"), 0);
}

#[tokio::test]
async fn tls_is_spoken_where_either_side_wants_it() {
    let authority = crate::tls::testing::Authority::new();
    let (certificate, key) = authority.certify("localhost");
    let server = NatsSetup::default().tls(certificate, key).start();
    let ledger = Ledger::with(1);
    let port = server.address().port();
    for (ca, expected) in [(None, "handshake failed"), (Some(authority.pem()), "no stream takes")] {
        let mut exports = Exports::new(std::sync::Arc::clone(&ledger));
        let means = means_with(ca.as_deref());
        // The one who is trusted gets as far as to learn that nobody has made a stream.
        exports.apply(vec![sink(&format!("nats://localhost:{port}"))], &means).await;
        within("it is noticed", PATIENCE, || status(&exports).failed > 0).await;
        let reason = status(&exports).last_error.unwrap().1;
        assert!(reason.contains(expected), "{reason}");
    }
    let plain = NatsSetup::default().start();
    let exports = run(&ledger, sink(&format!("tls://{}", plain.address()))).await;
    within("it is noticed", PATIENCE, || status(&exports).failed > 0).await;
    assert_eq!(status(&exports).last_error.unwrap().1, "the server has no TLS");
}

#[tokio::test]
async fn another_server_of_the_cluster_does_as_well() {
    let server = NatsSetup::default().start();
    server.stream("USAGE", "usage.>", "");
    let ledger = Ledger::with(1);
    let url = format!("nats://{},{}", super::ports::free(), server.address());
    let _exports = run(&ledger, sink(&url)).await;
    let sent = within("all are sent", PATIENCE, || ledger.at("sink") == 1);
    timeout(PATIENCE, sent).await.unwrap();
}
