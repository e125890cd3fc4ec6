//! Who answers on a NATS port as no server should.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::ledger::{Ledger, event};
use super::{run, sink_to, status, within};
use crate::metering::export::{NatsTarget, Sink, Target};

const PATIENCE: Duration = Duration::from_secs(60);

fn sink(port: u16) -> Sink {
    sink_to_all(&[port])
}

fn sink_to_all(ports: &[u16]) -> Sink {
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let place = format!("nats://{}", hosts.join(",")).parse().unwrap();
    let target = Target::Nats(NatsTarget { place, subject: "usage".into() });
    Sink { interval: Duration::from_millis(20), timeout: Duration::from_secs(2), ..sink_to(target) }
}

async fn next(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).await.unwrap();
    line
}

async fn say(reader: &mut BufReader<TcpStream>, text: &str) {
    reader.get_mut().write_all(text.as_bytes()).await.unwrap();
}

/// A connection that has logged in.
async fn welcome(listener: &TcpListener) -> BufReader<TcpStream> {
    let mut reader = BufReader::new(listener.accept().await.unwrap().0);
    say(&mut reader, "INFO {\"headers\":true,\"max_payload\":1048576}\r\n").await;
    while next(&mut reader).await.trim_end() != "PING" {}
    say(&mut reader, "PONG\r\n").await;
    reader
}

/// Where the answers to so many messages are expected.
async fn replies(reader: &mut BufReader<TcpStream>, messages: usize) -> Vec<String> {
    let mut replies = Vec::new();
    while replies.len() < messages {
        let line = next(reader).await;
        assert!(!line.is_empty(), "the connection is closed");
        if let Some(words) = line.strip_prefix("HPUB usage ") {
            replies.push(words.split(' ').next().unwrap().to_owned());
        }
    }
    replies
}

fn stored(reply: &str) -> String {
    let body = r#"{"stream":"S","seq":1}"#;
    format!("MSG {reply} 1 {}\r\n{body}\r\n", body.len())
}

#[tokio::test]
async fn each_acknowledgement_counts_once_and_for_its_own_message() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ledger = Ledger::with(3);
    let exports = run(&ledger, sink(listener.local_addr().unwrap().port())).await;
    let mut reader = welcome(&listener).await;
    let first = replies(&mut reader, 3).await;
    // The last one first, twice; somebody else's; none for the second.
    let (inbox, _) = first[0].rsplit_once('.').unwrap();
    for answer in [
        stored(&first[2]),
        stored(&first[2]),
        stored(&first[2]),
        stored(&format!("{inbox}.999")),
        stored("other.1"),
        "PING\r\n".to_owned(),
        "INFO {}\r\n".to_owned(),
        stored(&first[0]),
    ] {
        say(&mut reader, &answer).await;
    }
    within("it is noticed", PATIENCE, || status(&exports).failed == 1).await;
    assert_eq!((ledger.at("sink"), status(&exports).sent), (0, 2));
    // It comes back with what is missing, and hears nothing of what was said before.
    let mut reader = welcome(&listener).await;
    let second = replies(&mut reader, 1).await;
    say(&mut reader, &stored(&first[1])).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(ledger.at("sink"), 0);
    say(&mut reader, "PING\r\n").await;
    say(&mut reader, &stored(&second[0])).await;
    within("all are sent", PATIENCE, || ledger.at("sink") == 3).await;
    while next(&mut reader).await != "PONG\r\n" {}
}

#[tokio::test]
async fn who_is_no_server_for_events_gets_none() {
    for (said, reason) in [
        ("HTTP/1.1 400 Bad Request\r\n", "not of the protocol"),
        ("+OK\r\n", "no NATS server"),
        ("INFO {}\r\n", "no headers"),
        ("INFO what\r\n", "expected value"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ledger = Ledger::with(1);
        let exports = run(&ledger, sink(listener.local_addr().unwrap().port())).await;
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        within("it is noticed", PATIENCE, || status(&exports).failed > 0).await;
        let found = status(&exports).last_error.unwrap().1;
        assert!(found.contains(reason), "{said}: {found}");
    }
}

#[tokio::test]
async fn a_subscriber_who_answers_is_no_stream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ledger = Ledger::with(1);
    let exports = run(&ledger, sink(listener.local_addr().unwrap().port())).await;
    let mut reader = welcome(&listener).await;
    let reply = replies(&mut reader, 1).await.remove(0);
    say(&mut reader, &format!("MSG {reply} 1 2\r\nhi\r\n")).await;
    within("it is noticed", PATIENCE, || status(&exports).failed > 0).await;
    assert_eq!(status(&exports).last_error.unwrap().1, "who answered on `usage` is no stream");
    assert_eq!(ledger.at("sink"), 0);
}

/// Accepts connections and says so much of what a server says.
async fn silent(says: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(says.as_bytes()).await.unwrap();
            held.push(stream);
        }
    });
    port
}

/// A server whose stream stores whatever comes.
async fn willing(listener: TcpListener) {
    loop {
        let mut reader = welcome(&listener).await;
        loop {
            let line = next(&mut reader).await;
            if line.is_empty() {
                break;
            }
            if let Some(words) = line.strip_prefix("HPUB usage ") {
                let answer = stored(words.split(' ').next().unwrap());
                say(&mut reader, &answer).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_does_not_keep_the_others_from_being_tried() {
    let info = "INFO {\"headers\":true,\"max_payload\":1048576}\r\n";
    // At the first word, when one logs in, and when one publishes.
    for says in ["", info, "INFO {\"headers\":true,\"max_payload\":1048576}\r\nPONG\r\n"] {
        let hanging = [silent(says).await, silent(says).await, silent(says).await];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ports = [&hanging[..], &[listener.local_addr().unwrap().port()]].concat();
        tokio::spawn(willing(listener));
        let ledger = Ledger::with(3);
        let exports = run(&ledger, sink_to_all(&ports)).await;
        within("all are sent", PATIENCE, || ledger.at("sink") == 3).await;
        // It stays with the one that works.
        let failed = status(&exports).failed;
        ledger.add([event(3)]);
        within("it is sent", PATIENCE, || ledger.at("sink") == 4).await;
        assert_eq!(status(&exports).failed, failed);
    }
}
