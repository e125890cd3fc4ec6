//! More than a gateway is to carry: what is new is turned away, with a word on when to come back, and what is under way goes on.

use std::io::Write as _;
use std::sync::{Arc, Barrier};

use crate::harness::{Connection, Gateway, Origin, Setup, config, guest, wait};

fn listener(more: &str) -> String {
    format!("[listeners.public]\nbind = \"@public@\"\n{more}\n")
}

/// An origin that answers when both meet.
fn held() -> (Origin, Arc<Barrier>) {
    let barrier = Arc::new(Barrier::new(2));
    let held = Arc::clone(&barrier);
    let origin = Origin::new(move |request, stream| {
        if request.line[1].starts_with("/held") {
            held.wait();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    });
    (origin, barrier)
}

#[test]
fn requests_beyond_the_limit_are_told_to_come_back_and_the_connection_stays() {
    let (origin, barrier) = held();
    let text = "workers = 1\n".to_owned()
        + &config::service(origin.address, &[])
        + &listener("limits = { exchanges = 1 }");
    let gateway = Gateway::start(&text);
    let mut first = gateway.connect();
    first.send("GET /held HTTP/1.1\r\nhost: a\r\n\r\n");
    wait::until("it is under way", || origin.requests().len() == 1);
    let mut second = gateway.connect();
    let refused = second.get("/second");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.problem(503)["type"].as_str().is_some_and(|kind| kind.ends_with("overloaded")));
    // The operator gets in.
    gateway.snapshot();
    let labels = [("listener", "public"), ("kind", "overloaded")];
    assert!(gateway.metrics().sum("sluice_listener_refused_total", &labels) >= 1.0);
    barrier.wait();
    first.read().expect(200);
    second.get("/again").expect(200);
}

#[test]
fn an_address_has_so_many_connections_and_trusted_proxies_have_more() {
    let text = |more: &str| {
        config::service(Origin::echo(), &[])
            + &listener(&format!("limits = {{ connections_per_address = 3 }}\n{more}"))
    };
    let gateway = Gateway::start(&text(""));
    let open = |gateway: &Gateway| -> Vec<Connection> {
        (0..3)
            .map(|_| {
                let mut client = gateway.connect();
                client.get("/").expect(200);
                client
            })
            .collect()
    };
    let first = open(&gateway);
    let mut fourth = gateway.connect();
    assert!(fourth.try_get("/").is_err(), "one too many");
    assert!(fourth.is_closed());
    drop(first);
    wait::until("there is room again", || gateway.connect().try_get("/").is_ok());
    let trusting = Gateway::start(&text("trusted_proxies = [\"127.0.0.0/8\"]"));
    let _first = open(&trusting);
    trusting.connect().get("/").expect(200);
}

#[test]
fn bodies_that_steps_take_whole_have_so_much_room() {
    let text = "buffered_bytes = \"1MiB\"\n".to_owned()
        + &config::plugin("rewrite", "limits = { body = \"2MiB\", memory = \"64MiB\" }")
        + &config::service(Origin::echo(), &["rewrite"]);
    let gateway = Setup::new().plugin("rewrite", guest("rewrite")).start(&text);
    let mut first = gateway.connect();
    first.send(format!("POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 900 << 10));
    first.send("x".repeat(800 << 10));
    // Another of the kind finds no room, and a small one always does.
    let second = wait::until_some("the room is taken", || {
        let answer = gateway.connect().request("POST", "/second", &[], &[b'x'; 20 << 10]);
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(second.header("retry-after"), Some("1"));
    assert!(second.problem(503)["type"].as_str().is_some_and(|kind| kind.ends_with("overloaded")));
    gateway.connect().request("POST", "/small", &[], b"abc").expect(200);
    first.send("x".repeat(100 << 10));
    first.read().expect(200);
    gateway.connect().request("POST", "/third", &[], &vec![b'x'; 300 << 10]).expect(200);
}
