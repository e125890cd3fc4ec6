//! When the server is away: nobody waits long, and nobody has to start anything anew.

use std::time::{Duration, Instant};

use sluice_abi::{Algorithm, Take};

use super::redis_server::RedisServer;
use super::{LONG_MS, NOW, World, patient, settings, take, wait};
use crate::store::remote::{Budget, ErrorKind, RemoteError, RemoteStore, Settings};

/// Short enough to show, long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_millis(200);

/// Far more than a thousand operations take that do not wait, far less than they would if each did.
const AT_ONCE: Duration = Duration::from_secs(5);

fn hasty(server: &RedisServer) -> Settings {
    Settings { timeout: TIMEOUT, ..settings(&server.url()) }
}

fn one() -> [Take; 1] {
    [take("k", Algorithm::Gcra, 1000, LONG_MS)]
}

/// Takes until there is an error.
#[track_caller]
fn first_error(world: &World, store: &RemoteStore) -> RemoteError {
    wait::until_some("an operation fails", || world.take(store, NOW, &one()).err())
}

#[track_caller]
fn recovers(world: &World, store: &RemoteStore) {
    wait::until("operations work again", || world.take(store, NOW, &one()).is_ok());
}

/// A thousand operations are refused without waiting.
#[track_caller]
fn all_fail_at_once(world: &World, store: &RemoteStore) {
    let start = Instant::now();
    for _ in 0..1000 {
        assert_eq!(world.take(store, NOW, &one()), Err(RemoteError::Unavailable));
    }
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

#[test]
fn a_frozen_server_costs_one_timeout() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(hasty(&server));
    assert!(world.take(&store, NOW, &one()).is_ok());
    server.freeze();
    let start = Instant::now();
    assert_eq!(first_error(&world, &store), RemoteError::Timeout);
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    all_fail_at_once(&world, &store);
    assert_eq!(store.status().errors(ErrorKind::Timeout), 1);
    assert!(store.status().errors(ErrorKind::Unavailable) >= 1000);
    assert!(store.status().last_error().is_some_and(|reason| reason.contains("no answer within 200ms")));
    server.thaw();
    recovers(&world, &store);
    assert!(store.status().connections() >= 2);
}

#[test]
fn many_who_wait_for_a_frozen_server_wait_together() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(hasty(&server));
    server.freeze();
    let start = Instant::now();
    let errors = world.run(async {
        let local = tokio::task::LocalSet::new();
        let store = &store;
        let tasks = (0..500).map(|_| {
            let store = std::sync::Arc::clone(store);
            local.spawn_local(async move { store.take(&patient(), NOW, "p", &one()).await })
        });
        let tasks: Vec<_> = tasks.collect();
        local
            .run_until(async {
                let mut errors = Vec::new();
                for task in tasks {
                    errors.extend(task.await.unwrap().err());
                }
                errors
            })
            .await
    });
    assert_eq!(errors.len(), 500);
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    server.thaw();
    recovers(&world, &store);
}

#[test]
fn an_exchange_waits_no_longer_than_its_budget() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(settings(&server.url()));
    server.freeze();
    let budget = Budget::new(Duration::from_millis(50));
    let start = Instant::now();
    for _ in 0..100 {
        assert_eq!(world.run(store.take(&budget, NOW, "p", &one())), Err(RemoteError::Timeout));
    }
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert!(store.status().is_connected(), "the others' timeout is not over");
    server.thaw();
    assert!(world.take(&store, NOW, &one()).is_ok());
}

#[test]
fn a_killed_server_is_missed_and_found_again() {
    let (mut server, world) = (RedisServer::start(), World::new());
    let store = world.connect(hasty(&server));
    for round in 2..5 {
        assert!(world.take(&store, NOW, &one()).is_ok());
        server.kill();
        wait::until("the store has noticed by itself", || !store.status().is_connected());
        all_fail_at_once(&world, &store);
        server.restart();
        wait::until("the store is back by itself", || store.status().is_connected());
        recovers(&world, &store);
        assert!(store.status().connections() >= round);
    }
}

#[test]
fn a_server_that_hangs_up_is_called_again() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(hasty(&server));
    server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    wait::until("there is another connection", || {
        store.status().connections() > 1 && store.status().is_connected()
    });
    recovers(&world, &store);
}

#[test]
fn a_server_that_comes_later_is_found() {
    let (mut server, world) = (RedisServer::start(), World::new());
    server.kill();
    let store = world.open(hasty(&server));
    all_fail_at_once(&world, &store);
    server.restart();
    wait::until("the store is connected", || store.status().is_connected());
    recovers(&world, &store);
}

#[test]
fn a_server_that_forgets_is_no_outage() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(settings(&server.url()));
    let all = Take { cost: 1000, ..one()[0].clone() };
    assert!(world.take_one(&store, NOW, &all).allowed);
    assert!(!world.take_one(&store, NOW, &all).allowed);
    for _ in 0..20 {
        server.ask(&["SCRIPT", "FLUSH"]);
        assert!(!world.take_one(&store, NOW, &all).allowed);
        assert!(world.run(store.add(&patient(), "p", b"n", 1, None)).is_ok());
    }
    server.ask(&["FLUSHALL"]);
    assert!(world.take_one(&store, NOW, &all).allowed);
    assert_eq!(store.status().connections(), 1);
    assert!(ErrorKind::ALL.iter().all(|kind| store.status().errors(*kind) == 0));
}

#[test]
fn states_of_the_server_open_the_breaker_until_they_are_over() {
    let (server, primary, world) = (RedisServer::start(), RedisServer::start(), World::new());
    let store = world.connect(hasty(&server));
    let port = primary.address().port().to_string();
    let states: [(&[&str], &[&str], &str); 3] = [
        (&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"], "out of memory"),
        (&["REPLICAOF", "127.0.0.1", &port], &["REPLICAOF", "NO", "ONE"], "read-only replica"),
        (
            &["CONFIG", "SET", "min-replicas-to-write", "3"],
            &["CONFIG", "SET", "min-replicas-to-write", "0"],
            "too few replicas",
        ),
    ];
    for (begin, end, expected) in states {
        server.ask(begin);
        assert_eq!(first_error(&world, &store), RemoteError::Unavailable, "{expected}");
        wait::until(expected, || store.status().last_error().is_some_and(|reason| reason.contains(expected)));
        assert!(!store.status().is_connected(), "{expected}");
        server.ask(end);
        recovers(&world, &store);
    }
}

#[test]
fn a_store_that_is_dropped_lets_go() {
    let (server, world) = (RedisServer::start(), World::new());
    let clients = || server.ask(&["CLIENT", "LIST"]).lines().count();
    let store = world.connect(hasty(&server));
    assert_eq!(clients(), 2, "the store and this question");
    drop(store);
    wait::until("the connection is closed", || clients() == 1);
}
