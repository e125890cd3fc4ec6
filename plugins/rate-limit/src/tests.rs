//! What the harness cannot play: a store that is away, a client that leaves while it is asked, and the names of counters.

mod host;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;
use sluice_sdk::Code;
use sluice_sdk::export;
use sluice_sdk::prelude::*;
use sluice_sdk::store::{Algorithm, Mode};

use super::RateLimit;
use host::World;

const ALLOWED: Taken = Taken { allowed: true, remaining: 7, reset_ms: 30_000, retry_ms: 0 };
const REFUSED: Taken = Taken { allowed: false, remaining: 0, reset_ms: 30_000, retry_ms: 1000 };

fn plugin(config: serde_json::Value) -> RateLimit {
    RateLimit::new(serde_json::from_value(config).unwrap()).unwrap()
}

/// What a phase decided: the status of its answer, if it gave one.
fn run(plugin: &RateLimit, phase: Phase) -> Result<Option<u16>> {
    export::call(plugin, phase, false).map(|verdict| match verdict {
        Verdict::Continue => None,
        Verdict::Respond(reply) => Some(reply.status()),
    })
}

fn modes(takes: &[Take]) -> Vec<(Mode, u64)> {
    takes.iter().map(|take| (take.mode, take.cost)).collect()
}

#[test]
fn a_client_that_leaves_while_the_store_is_asked_leaves_no_place_behind() {
    let plugin = plugin(
        json!({ "minute": 10, "concurrency": { "q": 2 }, "settle": { "response_header": "x-units" } }),
    );
    // The take may have been done, and nobody is there to hear of it.
    let world = World::install(|_| panic!("the client has left"));
    let left = catch_unwind(AssertUnwindSafe(|| run(&plugin, Phase::Request)));
    assert!(left.is_err());
    let holder = world.asked()[0].last().unwrap().holder.clone();
    world.answer(|takes| Ok(vec![ALLOWED; takes.len()]));
    run(&plugin, Phase::Complete).unwrap();
    let last = world.asked().pop().unwrap();
    assert_eq!(modes(&last), [(Mode::GiveBack, 1)], "and nothing of the minute, of which nothing is known");
    assert_eq!((last[0].algorithm, &last[0].holder), (Algorithm::Concurrency, &holder));
}

#[test]
fn who_is_refused_has_nothing_to_give_back() {
    for (shadow, expected) in [(false, Some(429)), (true, None)] {
        let plugin = plugin(json!({ "minute": 10, "concurrency": { "q": 2 }, "shadow": shadow }));
        let world = World::install(|takes| Ok(vec![REFUSED; takes.len()]));
        assert_eq!(run(&plugin, Phase::Request).unwrap(), expected);
        run(&plugin, Phase::Complete).unwrap();
        assert_eq!(world.asked().len(), 1);
    }
}

#[test]
fn a_store_that_is_away_is_no_fault() {
    let config = |shadow: bool| json!({ "minute": 10, "concurrency": { "q": 2 }, "shadow": shadow });
    for (shadow, expected) in [(false, Some(503)), (true, None)] {
        let plugin = plugin(config(shadow));
        let world = World::install(|_| Err(Code::Unavailable));
        assert_eq!(run(&plugin, Phase::Request).unwrap(), expected);
        run(&plugin, Phase::Response).unwrap();
        assert_eq!(world.told("ratelimit"), None);
        // It may have been a lost answer.
        run(&plugin, Phase::Complete).unwrap();
        assert_eq!(modes(&world.asked()[1]), [(Mode::GiveBack, 1)]);
    }
    let plugin = plugin(config(false));
    let world = World::install(|_| Err(Code::TooLarge));
    assert!(run(&plugin, Phase::Request).is_err());
    run(&plugin, Phase::Complete).unwrap();
    assert_eq!(world.asked().len(), 1, "what was refused was not done");
}

#[test]
fn what_could_not_be_settled_with_the_head_is_settled_in_the_end() {
    let plugin = plugin(
        json!({ "minute": 1000, "cost": 100, "settle": { "response_header": "x-units", "hide": true } }),
    );
    for (code, is_fault) in [(None, false), (Some(Code::Unavailable), false), (Some(Code::TooLarge), true)] {
        let world = World::install(|takes| Ok(vec![ALLOWED; takes.len()]));
        run(&plugin, Phase::Request).unwrap();
        world.respond("x-units", "250");
        world.answer(|_| Err(Code::Unavailable));
        run(&plugin, Phase::Response).unwrap();
        assert_eq!(
            (world.told("x-units"), world.told("ratelimit")),
            (None, Some("\"minute\";r=7;t=30".into()))
        );
        world.answer(move |takes| code.map_or_else(|| Ok(vec![ALLOWED; takes.len()]), Err));
        assert_eq!(run(&plugin, Phase::Complete).is_err(), is_fault, "{code:?}");
        let asked: Vec<_> = world.asked().iter().map(|takes| modes(takes)).collect();
        assert_eq!(asked, [[(Mode::Try, 100)], [(Mode::Force, 150)], [(Mode::Force, 150)]], "{code:?}");
    }
}

#[test]
fn what_was_counted_elsewhere_is_not_given_back() {
    for algorithm in ["gcra", "sliding-window", "fixed-window"] {
        let plugin = plugin(json!({
            "algorithm": algorithm,
            "limits": [{ "q": 1000, "w": "10m" }],
            "cost": 100,
            "settle": { "response_header": "x-units" },
        }));
        for (reset_ms, back, told) in [(900_000, 2, "\"10m\";r=7;t=900"), (0, 1, "\"10m\";r=7")] {
            let world = World::install(move |takes| Ok(vec![Taken { reset_ms, ..ALLOWED }; takes.len()]));
            run(&plugin, Phase::Request).unwrap();
            world.respond("x-units", "30");
            run(&plugin, Phase::Response).unwrap();
            run(&plugin, Phase::Complete).unwrap();
            assert_eq!(world.asked().len(), back, "{algorithm}, whole in {reset_ms} ms");
            assert_eq!(world.told("ratelimit").as_deref(), Some(told));
        }
    }
}

#[test]
fn the_header_is_hidden_whatever_was_counted() {
    let plugin = plugin(json!({
        "key": "consumer", "missing": "allow", "minute": 5, "settle": { "response_header": "x-units", "hide": true },
    }));
    let world = World::install(|_| panic!("nobody is counted"));
    run(&plugin, Phase::Request).unwrap();
    world.respond("x-units", "30");
    run(&plugin, Phase::Response).unwrap();
    assert_eq!(world.told("x-units"), None);
}

/// The name of the counter of a request.
fn name(key: &str, consumer: Option<(&str, &str)>, header: &str) -> Vec<u8> {
    let plugin = plugin(json!({ "key": key, "missing": "deny", "minute": 5 }));
    let world = World::install(|takes| Ok(vec![ALLOWED; takes.len()]));
    world.identify(consumer);
    world.request("x-tenant", header);
    assert_eq!(run(&plugin, Phase::Request).unwrap(), None, "{key}");
    world.asked()[0][0].key.clone()
}

#[test]
fn credentials_of_two_consumers_are_two_whatever_they_are_called() {
    let name = |consumer: &str, credential: &str| name("credential", Some((consumer, credential)), "");
    let long = "x".repeat(256);
    let names = [
        name("acme", "first"),
        name("bolt", "first"),
        name("acme", "second"),
        name("acmef", "irst"),
        name("acme", &long),
        name("bolt", &long),
        name("acme", &(long.clone() + "y")),
    ];
    for (index, one) in names.iter().enumerate() {
        assert!(!names[..index].contains(one), "{index}");
        assert!(one.len() < 110, "{index}");
    }
    assert_eq!(name("acme", &long), names[4]);
}

#[test]
fn what_may_be_a_secret_is_in_no_name() {
    for value in ["Bearer hunter2", &"hunter2".repeat(100)] {
        let one = name("header:x-tenant", None, value);
        assert!(!String::from_utf8_lossy(&one).contains("hunter2"));
        assert_eq!(one, name("header:x-tenant", None, value));
        assert_ne!(one, name("header:x-tenant", None, "Bearer hunter3"));
    }
    let consumer = |name_of: &str| name("consumer", Some((name_of, "")), "");
    assert!(String::from_utf8_lossy(&consumer("acme")).contains("acme"), "operators find their consumers");
    let long = "a".repeat(300);
    assert_ne!(consumer(&long), consumer(&(long.clone() + "a")));
}
