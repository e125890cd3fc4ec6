//! Who may do what, and how a refusal is told: users, passwords, databases, TLS, sockets.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sluice_abi::{Mode, Take};

use super::redis_server::{Certificates, RedisServer, RedisSetup};
use super::{ALL, NOW, World, patient, settings, take, wait};
use crate::store::remote::{RemoteError, RemoteStore, Secure, Settings, parse};
use crate::tls::Connector;

const PAGE: &str = include_str!("../../../../../docs/store.md");

/// What the page tells operators to let the user do: all that makes the user, and of that the commands.
fn documented() -> (&'static str, Vec<&'static str>) {
    let mut lines = PAGE.lines().filter_map(|line| line.strip_prefix("ACL SETUSER sluice "));
    let (Some(rules), None) = (lines.next(), lines.next()) else { panic!("the page has one line for it") };
    (rules, rules.split(' ').filter(|rule| rule.starts_with('+')).collect())
}

/// What a store says that cannot connect.
#[track_caller]
fn trouble(world: &World, settings: Settings) -> String {
    assert!(!format!("{settings:?}").contains("hunter2"));
    let store = world.open(settings);
    let reason = wait::until_some("the store has something to say", || store.status().last_error());
    assert!(!store.status().is_connected());
    assert!(!reason.contains("hunter2"), "{reason}");
    assert_eq!(world.take(&store, NOW, &[take("k", ALL[0], 1, 1)]), Err(RemoteError::Unavailable));
    reason
}

/// Whatever the store does.
fn use_everything(world: &World, store: &RemoteStore) {
    for algorithm in ALL {
        for mode in [Mode::Try, Mode::Try, Mode::Force, Mode::GiveBack, Mode::GiveBack] {
            for holder in ["", "a"] {
                world.take_one(
                    store,
                    NOW,
                    &Take { mode, holder: holder.into(), ..take("k", algorithm, 1, 60_000) },
                );
            }
        }
    }
    world.run(store.set(&patient(), "p", b"k", b"+1", None)).unwrap();
    assert_eq!(world.run(store.add(&patient(), "p", b"k", 1, None)), Ok(2));
    assert_eq!(world.run(store.add(&patient(), "p", b"k", i64::MAX, None)), Ok(i64::MAX));
    assert_eq!(world.run(store.add(&patient(), "p", b"l", 1, Some(Duration::from_secs(9)))), Ok(1));
    assert!(world.run(store.get(&patient(), "p", b"k")).unwrap().is_some());
    for key in [b"k", b"l"] {
        assert_eq!(world.run(store.delete(&patient(), "p", key)), Ok(true));
    }
}

#[test]
fn a_user_with_the_documented_permissions_is_enough() {
    let rules = documented().0.replace("PASSWORD", "hunter2");
    let server = RedisSetup::new().line(&format!("user sluice {rules}")).start();
    let world = World::new();
    let store = world.connect(settings(&server.url_as("sluice:hunter2")));
    use_everything(&world, &store);
    server.ask(&["SCRIPT", "FLUSH"]);
    use_everything(&world, &store);
    assert_eq!(store.status().connections(), 1);
}

#[test]
fn every_permission_is_needed_and_missed_when_connecting() {
    let server = RedisServer::start();
    let world = World::new();
    let permissions = documented().1;
    for (number, missing) in permissions.iter().copied().enumerate() {
        // For another database, and for a server that has lost the scripts.
        if ["+select", "+eval"].contains(&missing) {
            continue;
        }
        let user = format!("u{number}");
        let mut rules: Vec<&str> = vec!["ACL", "SETUSER", &user, "on", ">hunter2", "~sluice:*", "-@all"];
        rules.extend(permissions.iter().filter(|permission| **permission != missing));
        server.ask(&rules);
        let reason = trouble(&world, settings(&server.url_as(&format!("{user}:hunter2"))));
        assert!(reason.contains("lacks a permission"), "{missing}: {reason}");
    }
    server.ask(&["ACL", "SETUSER", "keys", "on", ">hunter2", "~other:*", "+@all"]);
    let reason = trouble(&world, settings(&server.url_as("keys:hunter2")));
    assert!(reason.contains("lacks a permission"), "{reason}");
    let mut other = settings(&server.url_as("keys:hunter2"));
    other.prefix = "other:".to_owned();
    use_everything(&world, &world.connect(other));
}

#[test]
fn what_the_server_refuses_is_said_in_plain_words() {
    let (locked, open) = (RedisSetup::new().password("secret").start(), RedisServer::start());
    let world = World::new();
    let cases = [
        (locked.url_as(":hunter2"), "the user or the password is wrong"),
        (locked.url_as("nobody:hunter2"), "the user or the password is wrong"),
        (locked.url(), "the server wants a password"),
        (open.url_as(":hunter2"), "the server has no password"),
        (format!("{}/99", open.url()), "no database of this number"),
        ("redis+unix:///nowhere/redis.sock".to_owned(), "no connection"),
        ("redis://127.0.0.1:1".to_owned(), "no connection"),
    ];
    for (url, expected) in cases {
        let reason = trouble(&world, settings(&url));
        assert!(reason.contains(expected), "{url}: {reason}");
    }
    use_everything(&world, &world.connect(settings(&locked.url_as(":secret"))));
}

#[test]
fn databases_do_not_meet() {
    let (server, world) = (RedisServer::start(), World::new());
    let [first, second] = ["/1", "/2"].map(|path| world.connect(settings(&(server.url() + path))));
    world.run(first.set(&patient(), "p", b"k", b"v", None)).unwrap();
    assert_eq!(world.run(second.get(&patient(), "p", b"k")), Ok(None));
    assert!(world.run(first.get(&patient(), "p", b"k")).unwrap().is_some());
}

#[test]
fn a_socket_is_a_way_too() {
    let (server, world) = (RedisServer::start(), World::new());
    use_everything(&world, &world.connect(settings(&server.socket_url())));
}

fn certificates() -> Certificates {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &authority).unwrap();
    Certificates { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

fn trusting(authority: &str) -> Secure {
    let connector = Arc::new(Connector::unnamed(Some(authority.as_bytes())).unwrap());
    Secure::new(move |host, stream| {
        let connector = Arc::clone(&connector);
        async move {
            connector.connect(&host, stream, Duration::from_secs(20)).await.map_err(std::io::Error::other)
        }
    })
}

#[test]
fn with_tls_the_server_has_to_prove_who_it_is() {
    let (right, wrong) = (certificates(), certificates());
    let trusted = trusting(&right.authority);
    let untrusted = trusting(&wrong.authority);
    let server = RedisSetup::new().password("secret").tls(right).start();
    let world = World::new();
    let url = server.tls_url().replace("rediss://", "rediss://:secret@");
    let with = |url: &str, tls: &Secure| Settings { tls: Some(tls.clone()), ..settings(url) };
    use_everything(&world, &world.connect(with(&url, &trusted)));
    let reason = trouble(&world, with(&url, &untrusted));
    assert!(reason.contains("invalid peer certificate"), "{reason}");
    let reason = trouble(&world, with(&url.replace("localhost", "127.0.0.1"), &trusted));
    assert!(reason.contains("not valid for name"), "{reason}");
    let plain =
        Settings { tls: Some(trusted), ..settings(&server.url_as(":secret").replace("redis:", "rediss:")) };
    let reason = trouble(&world, plain);
    assert!(reason.contains("no connection"), "it waits for more of what is no command: {reason}");
    assert!(parse(&url).is_ok_and(|endpoint| !format!("{endpoint} {endpoint:?}").contains("secret")));
}
