//! Connections to upstreams: kept, replaced, shared out, never reused when that could confuse two exchanges.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{Gateway, Origin, config, wait};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn a_connection_serves_many_exchanges() {
    let origin = Origin::always(OK);
    let gateway = Gateway::start(&format!("workers = 1\n{}", config::service(origin.address, &[])));
    let mut client = gateway.connect();
    for _ in 0..50 {
        client.get("/").expect(200);
        gateway.get("/").expect(200);
    }
    assert_eq!(origin.requests().len(), 100);
    assert!(origin.connections() <= 2, "{} connections", origin.connections());
}

#[test]
fn a_connection_that_the_upstream_closed_is_replaced_unseen() {
    let origin = Origin::new(|_, stream| {
        stream.write_all(OK.as_bytes())?;
        // Closes without having said so.
        Err(std::io::ErrorKind::ConnectionAborted.into())
    });
    let gateway = Gateway::start(&format!("workers = 1\n{}", config::service(origin.address, &[])));
    let mut client = gateway.connect();
    for _ in 0..100 {
        assert_eq!(client.get("/").expect(200).text(), "ok");
    }
}

#[test]
fn an_announced_close_is_respected() {
    let origin = Origin::always("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    let gateway = Gateway::start(&format!("workers = 1\n{}", config::service(origin.address, &[])));
    let mut client = gateway.connect();
    for _ in 0..5 {
        client.get("/").expect(200);
    }
    assert_eq!(origin.connections(), 5);
}

#[test]
fn a_request_that_may_have_been_processed_is_not_sent_again() {
    let origin = Origin::new(|_, _| Err(std::io::ErrorKind::ConnectionAborted.into()));
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let problem = gateway.connect().request("POST", "/", &[], b"pay").problem(502);
    assert_eq!(problem["upstream"], "service");
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_response_that_nobody_waits_for_spoils_no_other() {
    let turns = Arc::new(AtomicUsize::new(0));
    let origin = {
        let turns = Arc::clone(&turns);
        Origin::new(move |request, stream| {
            if request.line[1] == "/abandoned" {
                turns.fetch_add(1, Ordering::SeqCst);
                wait::pause(std::time::Duration::from_millis(100));
            }
            let body = &request.line[1];
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        })
    };
    let gateway = Gateway::start(&format!("workers = 1\n{}", config::service(origin.address, &[])));
    for turn in 0..5 {
        let mut client = gateway.connect();
        client.send("GET /abandoned HTTP/1.1\r\nhost: a\r\n\r\n");
        wait::until("the origin has the request", || turns.load(Ordering::SeqCst) > turn);
        drop(client);
        for path in ["/1", "/2", "/3"] {
            assert_eq!(gateway.get(path).expect(200).text(), path);
        }
    }
}

#[test]
fn targets_take_turns_by_weight() {
    let (light, heavy) = (Origin::always(OK), Origin::always(OK));
    let text = format!(
        "workers = 1\n[upstreams.service]\ntargets = [{{ url = \"http://{}\" }}, {{ url = \"http://{}\", weight = 3 }}]\n{}",
        light.address,
        heavy.address,
        config::route("all", "/**", &[]),
    );
    let gateway = Gateway::start(&text);
    let mut client = gateway.connect();
    for _ in 0..40 {
        client.get("/").expect(200);
    }
    assert_eq!((light.requests().len(), heavy.requests().len()), (10, 30));
}

#[test]
fn a_target_that_cannot_be_reached_is_passed_over() {
    let (gone, there) = (crate::harness::ports::free(), Origin::always(OK));
    let text = format!(
        "[upstreams.service]\ntargets = [{{ url = \"http://{gone}\" }}, {{ url = \"http://{}\" }}]\n{}",
        there.address,
        config::route("all", "/**", &[]),
    );
    let gateway = Gateway::start(&text);
    let mut client = gateway.connect();
    for _ in 0..10 {
        client.get("/").expect(200);
    }
}
