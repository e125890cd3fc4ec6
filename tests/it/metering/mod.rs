//! Usage that is set aside, settled and recorded: by whom it is counted, whom it stops, and what is not.

mod endings;
mod quotas;

use std::io::Write as _;

use self::endings::troubled;
use self::quotas::rush;
use crate::harness::h2::H2;
use crate::harness::metering::{Books, consumer, gateway, key, setup};
use crate::harness::{Gateway, Origin, config, echo};

const REQUESTS: &str = "[meters.requests]\naggregation = \"count\"\n";
const COUNTED: &str = "[{ meter = \"requests\" }]";

fn service(origin: std::net::SocketAddr) -> String {
    config::service(origin, &["api-key", "meter"])
}

fn ask(gateway: &Gateway, name: &str) -> u16 {
    let (header, key) = key(name);
    gateway.get_with("/", &[(header, &key)]).status
}

fn books(gateway: &Gateway) -> Books {
    Books::at(&gateway.path("ledger.db"))
}

#[test]
fn a_request_that_was_answered_is_in_the_ledger() {
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + &consumer("acme", "")
        + &consumer("bolt", "")
        + &service(Origin::echo());
    let mut gateway = setup().start(&text);
    let books = books(&gateway);
    for count in 1..=20 {
        assert_eq!(ask(&gateway, "acme"), 200);
        assert_eq!(books.sum("acme", "requests"), count);
    }
    assert_eq!(ask(&gateway, "bolt"), 200);
    assert_eq!(ask(&gateway, "nobody"), 401);
    assert_eq!((books.sum("acme", "requests"), books.sum("bolt", "requests")), (20, 1));
    gateway.kill();
    assert_eq!(books.sum("acme", "requests"), 20);
    gateway.restart(&[]).unwrap();
    assert_eq!(ask(&gateway, "acme"), 200);
    assert_eq!(books.sum("acme", "requests"), 21);
}

#[test]
fn what_is_tried_again_counts_once() {
    // Each connection serves one request and is gone when the next one comes.
    let origin = Origin::raw(|mut stream, _| {
        let mut reader = std::io::BufReader::new(stream.try_clone()?);
        if echo::read(&mut reader)?.is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
        }
        echo::read(&mut reader).map(drop)
    });
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + "[plans.free]\ncharges = [{ meter = \"requests\", hard_quota = 10, per = \"year\" }]\n"
        + &consumer("acme", "free")
        + &service(origin.address);
    let gateway = setup().start(&format!("workers = 1\n{text}"));
    for _ in 0..10 {
        assert_eq!(ask(&gateway, "acme"), 200);
    }
    assert!(origin.connections() >= 10, "it was tried again");
    assert_eq!(books(&gateway).sum("acme", "requests"), 10);
    assert_eq!(ask(&gateway, "acme"), 429);
}

#[test]
fn a_request_id_that_a_trusted_proxy_repeats_counts_once() {
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + "[plans.free]\ncharges = [{ meter = \"requests\", hard_quota = 2, per = \"year\" }]\n"
        + &consumer("acme", "free")
        + &service(Origin::echo())
        + "[listeners.public]\nbind = \"@public@\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let gateway = setup().start(&text);
    let (header, acme) = key("acme");
    for _ in 0..5 {
        gateway.get_with("/", &[(header, &acme), ("x-request-id", "the-same")]).expect(200);
    }
    assert_eq!(books(&gateway).sum("acme", "requests"), 1);
    assert_eq!(gateway.metrics().sum("sluice_ledger_events_total", &[("result", "duplicate")]), 4.0);
    gateway.get_with("/", &[(header, &acme), ("x-request-id", "another")]).expect(200);
    gateway.get_with("/", &[(header, &acme), ("x-request-id", "a-third")]).problem(429);
}

#[test]
fn streams_of_one_connection_are_metered_each() {
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + "[plans.free]\ncharges = [{ meter = \"requests\", hard_quota = 30, per = \"year\" }]\n"
        + &consumer("acme", "free")
        + &service(Origin::echo());
    let gateway = setup().start(&text);
    let (header, acme) = key("acme");
    let mut connection = H2::open(gateway.public);
    let answers = connection.together_with(40, "/", &[(header, &acme)]);
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((served, answers.len()), (30, 40));
    assert_eq!(books(&gateway).sum("acme", "requests"), 30);
}

#[test]
fn a_reload_moves_nobody_s_usage() {
    let text = |quota: u32, route: &str| {
        gateway("sqlite:ledger.db", COUNTED)
            + REQUESTS
            + &format!("[plans.free]\ncharges = [{{ meter = \"requests\", hard_quota = {quota} }}]\n")
            + &consumer("acme", "free")
            + &config::upstream("service", troubled().address)
            + &config::route(route, "/**", &["api-key", "meter"])
    };
    let gateway = setup().start(&text(1000, "a"));
    let mut sent = 0;
    for round in 0..10 {
        let generation = gateway.generation();
        gateway.configure(&text(1000 + round, if round % 2 == 0 { "b" } else { "a" }));
        sent += rush(&gateway, "acme", 20).0;
        gateway.wait_for_generation_after(generation);
    }
    assert_eq!(sent, 200);
    assert_eq!(books(&gateway).sum("acme", "requests"), 200);
}

#[test]
fn two_gateways_do_not_share_a_file() {
    let text =
        gateway("sqlite:@ledger@", COUNTED) + REQUESTS + &consumer("acme", "") + &service(Origin::echo());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db").display().to_string();
    let text = text.replace("@ledger@", &path);
    let first = setup().start(&text);
    let ended = setup().try_start(&text).err().expect("the file is taken");
    assert!(ended.output.contains("another gateway is using the ledger"), "{}", ended.output);
    assert_eq!(ask(&first, "acme"), 200);
}
