//! `sluice run --upgrade`: one process takes over from another.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::harness::{Connection, Gateway, Origin, Probe, config, h2::H2, wait};

/// New connections, connections that last and streams of HTTP/2, while processes take over from each other.
#[test]
fn twenty_processes_take_over_from_each_other_and_no_request_fails() {
    let mut gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let (public, admin) = (gateway.public, gateway.admin);
    let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let lasting = Probe::start(public, "/lasting");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    Connection::open(public).get("/new").expect(200);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (mut former, mut before) = (Vec::new(), 0);
        for _ in 0..20 {
            former.push(gateway.upgrade().unwrap());
            H2::open(public).get("/h2").expect(200);
            // It is this one that answers for itself.
            Connection::open(admin).get("/readyz").expect(200);
            wait::until("requests are served", || served.load(Ordering::Relaxed) > before + 20);
            before = served.load(Ordering::Relaxed);
        }
        for mut process in former {
            assert_eq!(process.wait_for_end().code(), Some(0));
        }
        over.store(true, Ordering::Relaxed);
    });
    lasting.finish();
}

#[test]
fn what_is_under_way_finishes_in_the_process_that_began_it() {
    let (got, arrivals) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::new(move |request, stream| {
        if request.line[1] == "/slow" {
            let _ = got.send(());
            let _ = gate.lock().unwrap().recv_timeout(wait::DEADLINE);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone")
    });
    let mut gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut client = gateway.connect();
    client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut h2 = H2::open(gateway.public);
    let h2 = std::thread::spawn(move || h2.get("/slow"));
    for _ in 0..2 {
        arrivals.recv_timeout(wait::DEADLINE).unwrap();
    }
    let mut former = gateway.upgrade().unwrap();
    gateway.get("/fast").expect(200);
    assert!(former.is_running());
    go.send(()).unwrap();
    go.send(()).unwrap();
    let answer = client.read().expect(200);
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("done", Some("close")));
    assert_eq!(h2.join().unwrap().expect(200).text(), "done");
    assert_eq!(former.wait_for_end().code(), Some(0));
}

#[test]
fn who_cannot_serve_takes_nothing_over() {
    let mut gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let good = std::fs::read_to_string(gateway.path("gateway.toml")).unwrap();
    gateway.overwrite("gateway.toml", good.clone() + "[nonsense]\n");
    gateway.wait_for_log(&["reload refused"]);
    let refused = gateway.upgrade().err().unwrap();
    assert!(refused.output.contains("nonsense"), "{}", refused.output);
    gateway.get("/").expect(200);
    // A listener that it cannot have.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let more = format!("[listeners.more]\nbind = \"{}\"\n", taken.local_addr().unwrap());
    gateway.overwrite("gateway.toml", good + &more);
    let refused = gateway.upgrade().err().unwrap();
    assert!(refused.output.contains("cannot bind"), "{}", refused.output);
    gateway.get("/").expect(200);
    assert!(gateway.is_running());
}

#[test]
fn there_has_to_be_somebody_to_take_over_from() {
    let mut gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    gateway.terminate();
    gateway.wait_for_end();
    let told = gateway.command(&["run", "--config", "gateway.toml", "--upgrade"]).output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("no gateway to take over from") && told.contains("hint:"), "{told}");
}

/// Two processes cannot write one file.
#[test]
fn a_ledger_in_a_file_is_not_taken_over() {
    let text = config::service(Origin::echo(), &[]) + "[store]\nledger = \"sqlite:ledger.db\"\n";
    let mut gateway = Gateway::start(&text);
    let refused = gateway.upgrade().err().unwrap();
    assert!(refused.output.contains("belongs to one process"), "{}", refused.output);
    gateway.get("/").expect(200);
}
