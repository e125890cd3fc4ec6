//! Rate limits that several gateways count together on a real Redis or Valkey server.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::redis::{Certificates, RedisServer, RedisSetup};
use crate::harness::{Connection, Gateway, Origin, Setup, config, plugin, wait};

const GATEWAYS: usize = 3;
const QUOTA: usize = 100;

/// A gateway whose limit of 100 an hour is counted by `algorithm` in the store that `store` describes.
fn start(store: &str, algorithm: &str) -> Gateway {
    let text = config::plugin(
        "rate-limit",
        &format!(
            "capabilities = [\"store\"]\nconfig = {{ key = \"route\", algorithm = \"{algorithm}\", limits = [{{ q = {QUOTA}, w = \"1h\" }}] }}"
        ),
    ) + &config::service(Origin::echo(), &["rate-limit"])
        + &format!("[store]\n{store}\n");
    let gateway = Setup::new().plugin("rate-limit", plugin("rate-limit")).start(&text);
    if store.contains("redis://") {
        wait::until("the server is asked", || connected(&gateway));
    }
    gateway
}

fn connected(gateway: &Gateway) -> bool {
    gateway.snapshot()["store"]["connected"] == true
}

/// How many of 1,000 requests pass that are all under way before the first answer is read.
fn rush(gateways: &[Gateway]) -> usize {
    const THREADS: usize = 50;
    let (passed, sent) = (AtomicUsize::new(0), Barrier::new(THREADS));
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (passed, sent) = (&passed, &sent);
            let gateway = &gateways[number % gateways.len()];
            scope.spawn(move || {
                let mut clients: Vec<Connection> = (0..20).map(|_| gateway.connect()).collect();
                sent.wait();
                for client in &mut clients {
                    client.send("GET / HTTP/1.1\r\nhost: api.example\r\n\r\n");
                }
                sent.wait();
                for client in &mut clients {
                    match client.read().status {
                        200 => drop(passed.fetch_add(1, Ordering::Relaxed)),
                        429 => {}
                        other => panic!("status {other}"),
                    }
                }
            });
        }
    });
    passed.into_inner()
}

#[test]
fn three_gateways_let_exactly_the_quota_through() {
    let redis = RedisServer::start();
    for algorithm in ["gcra", "sliding-window", "fixed-window"] {
        redis.ask(&["FLUSHALL"]);
        // Patient, or a busy machine makes a gateway count by itself for a moment.
        let store = format!("counters = \"{}\"\ntimeout = \"1s\"", redis.url());
        let gateways: Vec<Gateway> = (0..GATEWAYS).map(|_| start(&store, algorithm)).collect();
        assert_eq!(rush(&gateways), QUOTA, "{algorithm}");
        let metrics = gateways[0].metrics();
        assert!(metrics.sum("sluice_store_operations_total", &[]) >= 1.0);
        assert_eq!(metrics.sum("sluice_store_errors_total", &[]), 0.0);
    }
}

#[test]
fn what_is_bought_ahead_stays_within_its_bound() {
    let redis = RedisServer::start();
    let lease = 0.05;
    for (algorithm, over) in [("gcra", GATEWAYS * 5), ("sliding-window", GATEWAYS * 5), ("fixed-window", 0)] {
        redis.ask(&["FLUSHALL"]);
        let store = format!("counters = \"{}\"\nlease = {lease}\ntimeout = \"1s\"", redis.url());
        let gateways: Vec<Gateway> = (0..GATEWAYS).map(|_| start(&store, algorithm)).collect();
        let passed = rush(&gateways);
        assert!((QUOTA - GATEWAYS * 5..=QUOTA + over).contains(&passed), "{algorithm}: {passed}");
    }
}

#[test]
fn in_one_gateway_exactly_the_quota_passes() {
    for algorithm in ["gcra", "sliding-window", "fixed-window"] {
        assert_eq!(rush(&[start("counters = \"memory\"", algorithm)]), QUOTA, "{algorithm}");
    }
}

/// The statuses of some requests, one after the other, and how long the longest took.
fn ask(gateway: &Gateway, count: usize) -> (Vec<u16>, Duration) {
    let mut connection = Connection::open(gateway.public);
    let mut longest = Duration::ZERO;
    let statuses = (0..count).map(|_| {
        let began = Instant::now();
        let status = connection.get("/").status;
        longest = longest.max(began.elapsed());
        status
    });
    let statuses = statuses.collect();
    (statuses, longest)
}

#[test]
fn while_the_server_is_away_the_declared_behaviour_holds() {
    for (behaviour, expected) in [("local", 200), ("allow", 200), ("deny", 503)] {
        let mut redis = RedisServer::start();
        let store = format!("counters = \"{}\"\non_store_error = \"{behaviour}\"", redis.url());
        let gateway = start(&store, "gcra");
        assert_eq!(ask(&gateway, 3).0, [200; 3]);

        // Frozen: connections stand, and nobody answers.
        redis.freeze();
        let (statuses, longest) = ask(&gateway, 20);
        assert!(statuses.iter().all(|status| *status == expected), "{behaviour}: {statuses:?}");
        assert!(longest < Duration::from_secs(2), "{behaviour}: nobody waits for an answer: {longest:?}");
        redis.thaw();
        wait::until("the server is asked again", || connected(&gateway));

        redis.kill();
        let (statuses, _) = ask(&gateway, 20);
        assert!(statuses.iter().all(|status| *status == expected), "{behaviour}: {statuses:?}");
        assert!(gateway.metrics().sum("sluice_store_errors_total", &[]) >= 1.0);

        redis.restart();
        wait::until("the server is asked again", || connected(&gateway));
        // It knows nothing any more: the whole quota is there.
        let (statuses, _) = ask(&gateway, QUOTA + 1);
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), QUOTA, "{behaviour}");
    }
}

/// Clients never stop asking while the server is frozen, killed and started again.
#[test]
fn an_outage_in_the_middle_of_a_run_is_met_as_declared() {
    for (behaviour, refusal, lease) in
        [("local", 429, ""), ("allow", 200, ""), ("deny", 503, ""), ("local", 429, "lease = 0.05")]
    {
        let mut redis = RedisServer::start();
        let store = format!("counters = \"{}\"\non_store_error = \"{behaviour}\"\n{lease}", redis.url());
        let gateway = start(&store, "gcra");
        let (is_over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut client = gateway.connect();
                    while !is_over.load(Ordering::Relaxed) {
                        let status = client.get("/").status;
                        assert!([200, 429, refusal].contains(&status), "{behaviour}: {status}");
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let go_on = |requests: usize| {
                let from = asked.load(Ordering::Relaxed);
                wait::until("requests are answered", || asked.load(Ordering::Relaxed) > from + requests);
            };
            go_on(200);
            redis.freeze();
            wait::until("that it is away is known", || !connected(&gateway));
            go_on(200);
            redis.thaw();
            wait::until("the server is asked again", || connected(&gateway));
            redis.kill();
            wait::until("that it is away is known", || !connected(&gateway));
            go_on(200);
            redis.restart();
            wait::until("the server is asked again", || connected(&gateway));
            go_on(200);
            is_over.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn a_reload_leaves_the_connection_alone() {
    let redis = RedisServer::start();
    let gateway = start(&format!("counters = \"{}\"", redis.url()), "gcra");
    let text = std::fs::read_to_string(gateway.path("gateway.toml")).unwrap();
    for generation in 2..=6 {
        gateway.write("gateway.toml", format!("{text}\n[consumers.c{generation}]\n"));
        wait::until("the reload takes effect", || gateway.snapshot()["generation"] == generation);
        gateway.get("/").expect(200);
    }
    assert_eq!(gateway.metrics().sum("sluice_store_connections_total", &[]), 1.0);
    assert_eq!(gateway.metrics().sum("sluice_store_errors_total", &[]), 0.0);
}

#[test]
fn local_counting_still_limits() {
    let mut redis = RedisServer::start();
    let gateway = start(&format!("counters = \"{}\"", redis.url()), "gcra");
    redis.kill();
    wait::until("that it is away is known", || {
        gateway.get("/");
        !connected(&gateway)
    });
    let (statuses, _) = ask(&gateway, 2 * QUOTA);
    assert!(statuses.iter().filter(|status| **status == 200).count() <= QUOTA);
    assert_eq!(statuses.last(), Some(&429));
}

#[test]
fn a_password_is_used_and_never_shown() {
    let redis = RedisSetup::new().password("hunter2-and-more").start();
    let url = redis.url_as(":hunter2-and-more");
    let gateway = start(&format!("counters = \"{url}\""), "gcra");
    assert_eq!(ask(&gateway, 1).0, [200]);
    let wrong = redis.url_as(":hunter2-wrong");
    let text = format!("counters = \"{wrong}\"\non_store_error = \"deny\"");
    let text = config::plugin(
        "rate-limit",
        "capabilities = [\"store\"]\nconfig = { limits = [{ q = 1, w = \"1h\" }] }",
    ) + &config::service(Origin::echo(), &["rate-limit"])
        + &format!("[store]\n{text}\n");
    let gateway = Setup::new().plugin("rate-limit", plugin("rate-limit")).start(&text);
    wait::until("what is wrong is told", || gateway.snapshot()["store"]["last_error"].is_string());
    gateway.get("/").problem(503);
    let snapshot = gateway.snapshot().to_string();
    assert!(!snapshot.contains("hunter2") && !gateway.log().contains("hunter2"), "{snapshot}");
}

#[test]
fn a_wrong_url_is_refused_at_its_place() {
    for (url, told) in [
        ("postgres://h", "the scheme `postgres` is not known"),
        ("redis-sentinel://h", "standalone"),
        ("redis://hunter2@", "a user needs a password"),
    ] {
        let text = config::plugin(
            "rate-limit",
            "capabilities = [\"store\"]\nconfig = { limits = [{ q = 1, w = \"1h\" }] }",
        ) + &config::service("127.0.0.1:1", &["rate-limit"])
            + &format!("[store]\ncounters = \"{url}\"\n");
        let (code, words) = Setup::new().plugin("rate-limit", plugin("rate-limit")).check(&text);
        assert_eq!(code, 1, "{url}: {words}");
        assert!(words.contains(told) && !words.contains("hunter2"), "{url}: {words}");
    }
}

/// A certificate for `localhost` and the authority that vouches for it.
fn certificates() -> Certificates {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap().pem();
    Certificates { authority: authority_pem, certificate, key: key.serialize_pem() }
}

#[test]
fn the_server_may_be_behind_tls_or_a_socket() {
    let certificates = certificates();
    let authority = certificates.authority.clone();
    let redis = RedisSetup::new().tls(certificates).start();
    let text = |url: &str| {
        config::plugin(
            "rate-limit",
            "capabilities = [\"store\"]\nconfig = { limits = [{ q = 3, w = \"1h\" }] }",
        ) + &config::service(Origin::echo(), &["rate-limit"])
            + &format!("[store]\ncounters = \"{url}\"\nca = \"${{file:ca.pem}}\"\n")
    };
    for url in [redis.tls_url(), redis.socket_url()] {
        redis.ask(&["FLUSHALL"]);
        let setup = Setup::new().plugin("rate-limit", plugin("rate-limit")).file("ca.pem", &authority);
        let gateway = setup.start(&text(&url));
        wait::until("the server is asked", || connected(&gateway));
        assert_eq!(ask(&gateway, 5).0, [200, 200, 200, 429, 429], "{url}");
        assert_ne!(redis.ask(&["DBSIZE"]), "0", "{url}: counted there");
    }
}
