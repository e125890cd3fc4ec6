//! Gateways that share a ledger on a real PostgreSQL server: what they hand out together, and what becomes of it when one of them, or
//! the server, is gone.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::faults::times;
use crate::harness::metering::{Books, consumer, gateway, key, setup};
use crate::harness::postgres::PostgresServer;
use crate::harness::{Connection, Gateway, Origin, config, wait};

const FREE: &str = "[ledger]\ntimeout = \"30s\"\n[plans.free]\ncharges = [{ meter = \"requests\", hard_quota = 200, per = \"year\" }]\n";
const PREPAID: &str = "[ledger]\ntimeout = \"30s\"\n[plans.free]\ncurrency = \"EUR\"\nprepaid = { grant = \"2.00\" }\n\
                       charges = [{ meter = \"requests\", model = \"per_unit\", unit = \"0.01\" }]\n";

/// One of the gateways on a ledger.
fn start(url: &str, id: &str, origin: SocketAddr, more: &str) -> Gateway {
    let text = gateway(url, "[{ meter = \"requests\" }]").replace("id = \"gw\"", &format!("id = \"{id}\""))
        + "[meters.requests]\naggregation = \"count\"\n"
        + &consumer("acme", if more.contains("[plans.free]") { "free" } else { "" })
        + &config::service(origin, &["api-key", "meter"])
        + more;
    setup().start(&format!("workers = 2\n{text}"))
}

/// Sends requests to all gateways at the same time until each client has been refused `refusals` times: how many were served.
fn exhaust(gateways: &[Gateway], refusals: usize) -> usize {
    const CLIENTS: usize = 4;
    let served = AtomicUsize::new(0);
    let (header, acme) = key("acme");
    std::thread::scope(|scope| {
        for gateway in gateways {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let (mut client, mut refused) = (gateway.connect(), 0);
                    while refused < refusals {
                        match client.request("GET", "/", &[(header, &acme)], b"").status {
                            200 => drop(served.fetch_add(1, Ordering::SeqCst)),
                            402 | 429 => {
                                refused += 1;
                                // What another gateway holds and does not use comes back in a second or two.
                                wait::pause(Duration::from_millis(100));
                            }
                            other => panic!("status {other}"),
                        }
                    }
                });
            }
        }
    });
    served.into_inner()
}

#[test]
fn two_gateways_hand_out_a_quota_once() {
    let server = PostgresServer::start();
    let url = server.url(&server.database());
    let gateways = ["one", "two"].map(|id| start(&url, id, Origin::echo(), FREE));
    // To the last unit, and no further.
    assert_eq!(exhaust(&gateways, 30), 200);
    assert_eq!(Books::on(&url).sum("acme", "requests"), 200);
}

#[test]
fn two_gateways_spend_the_last_credit_once() {
    let server = PostgresServer::start();
    let url = server.url(&server.database());
    let gateways = ["one", "two"].map(|id| start(&url, id, Origin::echo(), PREPAID));
    assert_eq!(exhaust(&gateways, 30), 200);
    let books = Books::on(&url);
    assert_eq!(books.sum("acme", "requests"), 200);
    let balance = books.ask(async |reader| reader.balance("acme", jiff::Timestamp::now()).await.unwrap());
    assert_eq!((balance.total, balance.debt), (0, 0));
}

#[test]
fn what_a_gateway_held_is_free_again_when_it_is_gone() {
    let server = PostgresServer::start();
    let url = server.url(&server.database());
    let mut gateways = ["one", "two"].map(|id| start(&url, id, Origin::echo(), FREE));
    let (header, acme) = key("acme");
    for gateway in &gateways {
        gateway.get_with("/", &[(header, &acme)]).expect(200);
    }
    gateways[0].kill();
    let [_gone, left] = gateways;
    // Its grant is nobody's as soon as its lease is over.
    let served = AtomicUsize::new(0);
    wait::within(Duration::from_secs(60), "all of the quota is handed out", || {
        if left.get_with("/", &[(header, &acme)]).status == 200 {
            served.fetch_add(1, Ordering::SeqCst);
        }
        (served.load(Ordering::SeqCst) == 198).then_some(())
    });
    left.get_with("/", &[(header, &acme)]).problem(429);
    assert_eq!(Books::on(&url).sum("acme", "requests"), 200);
}

#[test]
fn one_id_is_one_gateway() {
    let server = PostgresServer::start();
    let url = server.url(&server.database());
    let _first = start(&url, "one", Origin::echo(), "");
    let text = gateway(&url, "[{ meter = \"requests\" }]")
        + "[meters.requests]\naggregation = \"count\"\n"
        + &config::service(Origin::echo(), &["meter"]);
    let ended = setup().try_start(&text.replace("id = \"gw\"", "id = \"one\"")).err().expect("refused");
    assert!(ended.output.contains("another gateway"), "{}", ended.output);
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let mut server = PostgresServer::start();
    let url = server.url(&server.database());
    server.kill();
    let gateway = start(&url, "one", Origin::echo(), "[ledger]\ntimeout = \"500ms\"\n");
    let (header, acme) = key("acme");
    gateway.get_with("/", &[(header, &acme)]).problem(503);
    server.restart();
    wait::until("it is served", || gateway.get_with("/", &[(header, &acme)]).status == 200);
    assert_eq!(Books::on(&url).sum("acme", "requests"), 1);
}

/// Clients that go on whatever happens, and what they know.
/// Ends the clients, also where a test fails: their scope waits for them.
struct End<'a>(&'a Clients);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Clients {
    over: AtomicBool,
    answered: Mutex<HashSet<String>>,
    refused: AtomicUsize,
}

impl Clients {
    fn run(&self, gateway: SocketAddr) {
        let (header, acme) = key("acme");
        while !self.over.load(Ordering::Relaxed) {
            let Ok(mut client) = Connection::try_open(gateway) else {
                wait::pause(Duration::from_millis(1));
                continue;
            };
            while !self.over.load(Ordering::Relaxed) {
                let Ok(answer) = client.try_request("GET", "/", &[(header, &acme)], b"") else { break };
                match answer.status {
                    200 => {
                        let id = answer.header("x-request-id").expect("an id").to_owned();
                        assert!(self.answered.lock().unwrap().insert(id));
                    }
                    503 => {
                        self.refused.fetch_add(1, Ordering::Relaxed);
                        // Asked again at once, gateways would take the processor from the server that is to come back.
                        wait::pause(Duration::from_millis(2));
                    }
                    other => panic!("status {other}"),
                }
            }
        }
    }

    fn answered(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    fn wait_for_more(&self) {
        let before = self.answered();
        wait::until("requests are answered", || self.answered() > before + 20);
    }
}

#[test]
fn whatever_becomes_of_the_server_nothing_that_was_answered_is_lost_or_there_twice() {
    let mut server = PostgresServer::start();
    let database = server.database();
    let url = server.url(&database);
    let ledger = "[ledger]\ndurability = \"sync\"\ntimeout = \"300ms\"\n";
    let gateways = ["one", "two"].map(|id| start(&url, id, Origin::echo(), ledger));
    let clients = Clients::default();
    std::thread::scope(|scope| {
        let _end = End(&clients);
        for gateway in &gateways {
            for _ in 0..3 {
                scope.spawn(|| clients.run(gateway.public));
            }
        }
        for _ in 0..2 {
            clients.wait_for_more();
            server.freeze();
            let before = clients.refused.load(Ordering::Relaxed);
            wait::until("requests are refused", || clients.refused.load(Ordering::Relaxed) > before + 20);
            server.thaw();
            clients.wait_for_more();
            server.kill();
            let before = clients.refused.load(Ordering::Relaxed);
            wait::until("requests are refused", || clients.refused.load(Ordering::Relaxed) > before + 20);
            server.restart();
            clients.wait_for_more();
        }
    });
    assert_whole(&server, &database, &clients);
}

#[test]
fn a_gateway_that_is_killed_again_and_again_has_lost_nothing_that_was_answered() {
    let server = PostgresServer::start();
    let database = server.database();
    let url = server.url(&database);
    let mut gateways =
        ["one", "two"].map(|id| start(&url, id, Origin::echo(), "[ledger]\ntimeout = \"30s\"\n"));
    let clients = Clients::default();
    let addresses = [gateways[0].public, gateways[1].public];
    std::thread::scope(|scope| {
        let _end = End(&clients);
        for address in addresses.iter().cycle().take(6) {
            scope.spawn(|| clients.run(*address));
        }
        for round in 0..times(10) {
            clients.wait_for_more();
            // A moment that differs from round to round.
            wait::pause(Duration::from_micros((round as u64 * 7_919) % 40_000));
            let gateway = &mut gateways[round % 2];
            gateway.kill();
            gateway.restart(&[]).unwrap();
        }
        clients.wait_for_more();
    });
    assert_whole(&server, &database, &clients);
}

/// Every request that was answered is in the ledger once, and what is in the ledger adds up.
fn assert_whole(server: &PostgresServer, database: &str, clients: &Clients) {
    let answered = clients.answered.lock().unwrap();
    let books = Books::on(&server.url(database));
    // What was under way and never answered may still be written.
    let recorded = wait::until_some("the sum is that of the events", || {
        let recorded = server.ask(database, "SELECT request FROM sluice.events");
        (books.sum("acme", "requests") == recorded.lines().count() as i128).then_some(recorded)
    });
    let all: Vec<&str> = recorded.lines().collect();
    let recorded: HashSet<&str> = all.iter().copied().collect();
    assert_eq!(recorded.len(), all.len(), "an event is there twice");
    let lost = answered.iter().filter(|id| !recorded.contains(id.as_str())).count();
    assert_eq!(lost, 0, "of {} answered requests", answered.len());
    let checked = books.ask(async |reader| reader.check().await.unwrap());
    assert!(checked.problems.is_empty(), "{:?}", checked.problems);
}
