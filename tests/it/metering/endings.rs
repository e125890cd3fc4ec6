//! However an exchange ends, it costs what it should.

use std::io::Write as _;

use super::{COUNTED, REQUESTS, books, service};
use crate::harness::metering::{consumer, gateway, key, setup};
use crate::harness::{Origin, config, guest, wait};

/// An upstream that answers by the request's path.
pub(super) fn troubled() -> Origin {
    Origin::new(|request, stream| match request.line[1].as_str() {
        "/broken" => Err(std::io::ErrorKind::ConnectionReset.into()),
        "/half" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it")?;
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
        "/error" => stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"),
        "/missing" => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
        "/endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 16384])?;
            }
        }
        "/never" => {
            // The client leaves first.
            let mut nothing = [0];
            std::io::Read::read(stream, &mut nothing).map(drop)
        }
        _ => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    })
}

#[test]
fn who_got_no_answer_pays_for_none() {
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + "[plans.free]\ncharges = [{ meter = \"requests\", hard_quota = 4, per = \"month\" }]\n"
        + &consumer("acme", "free")
        + &service(troubled().address);
    let gateway = setup().start(&text);
    let books = books(&gateway);
    let (header, acme) = key("acme");
    let get = |path: &str| gateway.get_with(path, &[(header, &acme)]).status;
    // The gateway's own failure, and the upstream's.
    assert_eq!((get("/broken"), get("/error")), (502, 500));
    // A client that leaves before there is an answer.
    let mut client = gateway.connect();
    client.send(format!("GET /never HTTP/1.1\r\nhost: x\r\nx-api-key: {acme}\r\n\r\n"));
    wait::until("the request is under way", || gateway.metrics().sum("sluice_exchanges", &[]) >= 1.0);
    drop(client);
    wait::until("the exchange has ended", || gateway.metrics().sum("sluice_exchanges", &[]) == 0.0);
    assert_eq!(books.sum("acme", "requests"), 0);
    // All of the quota is there still: nothing of what was set aside stayed away.
    for path in ["/", "/missing", "/", "/"] {
        assert!([200, 404].contains(&get(path)));
    }
    assert_eq!(get("/"), 429);
    assert_eq!(books.sum("acme", "requests"), 4);
}

#[test]
fn an_answer_that_is_cut_off_counts_with_what_was_sent() {
    let meters = "[{ meter = \"requests\" }, { meter = \"egress\", value = \"response_bytes\" }]";
    let text = gateway("sqlite:ledger.db", meters)
        + REQUESTS
        + "[meters.egress]\naggregation = \"sum\"\nunit = \"byte\"\n"
        + &consumer("acme", "")
        + &service(troubled().address);
    let gateway = setup().start(&text);
    let books = books(&gateway);
    let (header, acme) = key("acme");
    let mut client = gateway.connect();
    assert!(client.try_request("GET", "/half", &[(header, &acme)], b"").is_err());
    wait::until("it is recorded", || books.sum("acme", "requests") == 1);
    assert_eq!(books.sum("acme", "egress"), 10);
    // The client leaves in the middle.
    let mut client = std::net::TcpStream::connect(gateway.public).unwrap();
    write!(client, "GET /endless HTTP/1.1\r\nhost: x\r\nx-api-key: {acme}\r\n\r\n").unwrap();
    std::io::Read::read_exact(&mut client, &mut [0; 100_000]).unwrap();
    drop(client);
    wait::until("it is recorded", || books.sum("acme", "requests") == 2);
    assert!(books.sum("acme", "egress") > 90_000);
}

#[test]
fn unanswered_requests_cost_what_was_reserved_where_the_meter_says_so() {
    let text =
        gateway("sqlite:ledger.db", "[{ meter = \"work\", value = { response_header = \"x-work\" } }]")
            + "[meters.work]\naggregation = \"sum\"\nreserve = 7\nunanswered = \"reserved\"\n"
            + &consumer("acme", "")
            + &service(troubled().address);
    let gateway = setup().start(&text);
    let (_, acme) = key("acme");
    let mut client = gateway.connect();
    client.send(format!("GET /never HTTP/1.1\r\nhost: x\r\nx-api-key: {acme}\r\n\r\n"));
    wait::until("the request is under way", || gateway.metrics().sum("sluice_exchanges", &[]) >= 1.0);
    drop(client);
    wait::until("it is recorded", || books(&gateway).sum("acme", "work") == 7);
}

#[test]
fn a_step_that_faults_before_it_has_counted_lets_nobody_go_free() {
    let origin = Origin::new(|request, stream| {
        let status = if request.line[1] == "/error" { "500 Internal Server Error" } else { "200 OK" };
        write!(stream, "HTTP/1.1 {status}\r\nx-misbehave: yes\r\ncontent-length: 0\r\n\r\n")
    });
    let text = |on_error: &str| {
        gateway("sqlite:ledger.db", COUNTED)
            + REQUESTS
            + &consumer("acme", "")
            + &config::plugin(
                "uncounted",
                &format!(
                    "capabilities = [\"meter\"]\non_error = \"{on_error}\"\ncircuit = {{ faults = 100000 }}"
                ),
            )
            + &config::service(origin.address, &["api-key", "uncounted"])
    };
    let gateway = setup().plugin("uncounted", guest("uncounted")).start(&text("allow"));
    let (books, (header, acme)) = (books(&gateway), key("acme"));
    let get = |path: &str| gateway.get_with(path, &[(header, &acme)]).status;
    // What it would have said is not known: what was set aside counts, unless the upstream failed.
    assert_eq!((get("/"), get("/"), get("/error")), (200, 200, 500));
    assert_eq!(books.sum("acme", "requests"), 2);
    // Where its fault denies, nobody got an answer and nobody pays.
    let generation = gateway.generation();
    gateway.configure(&text("deny"));
    gateway.wait_for_generation_after(generation);
    assert_eq!(get("/"), 500);
    assert_eq!(books.sum("acme", "requests"), 2);
}

#[test]
fn the_end_of_a_stream_waits_for_the_ledger() {
    let origin = Origin::new(|_, stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n",
        )?;
        for number in 1..=3 {
            let event = format!("data: {{\"usage\":{{\"total_tokens\":{}}}}}\n\n", number * 11);
            write!(stream, "{:x}\r\n{event}\r\n", event.len())?;
        }
        stream.write_all(b"0\r\n\r\n")
    });
    let meters = "[{ meter = \"tokens\", value = { response_json = \"$.usage.total_tokens\" } }]";
    let text = gateway("sqlite:ledger.db", meters)
        + "[meters.tokens]\naggregation = \"sum\"\n"
        + &consumer("acme", "")
        + &service(origin.address);
    let gateway = setup().start(&text);
    let (header, acme) = key("acme");
    for count in 1..=5 {
        let answer = gateway.get_with("/", &[(header, &acme)]).expect(200);
        assert!(answer.text().ends_with("\"total_tokens\":33}}\n\n"));
        assert_eq!(books(&gateway).sum("acme", "tokens"), 33 * count);
    }
}
