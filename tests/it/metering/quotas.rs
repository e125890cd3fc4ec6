//! What is left of quotas and credit, and who may still come in.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{COUNTED, REQUESTS, ask, books, service};
use crate::harness::faulty_disk::SetClock;
use crate::harness::metering::{consumer, gateway, key, setup};
use crate::harness::{Gateway, Origin, wait};

#[test]
fn a_hard_quota_lets_exactly_as_many_through() {
    const QUOTA: usize = 100;
    let plan = format!(
        "[plans.free]\ncharges = [{{ meter = \"requests\", hard_quota = {QUOTA}, per = \"month\" }}]\n"
    );
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + &plan
        + &consumer("acme", "free")
        + &consumer("bolt", "free")
        + &service(Origin::echo());
    let mut gateway = setup().start(&format!("workers = 2\n{text}"));
    let answers = rush(&gateway, "acme", 3 * QUOTA);
    assert_eq!(answers, (QUOTA, 2 * QUOTA));
    assert_eq!(books(&gateway).sum("acme", "requests"), QUOTA as i128);

    let (header, acme) = key("acme");
    let refused = gateway.get_with("/", &[(header, &acme)]);
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    assert!(refused.header("ratelimit").unwrap().starts_with("\"requests-month\";r=0;t="));
    let problem = refused.problem(429);
    assert_eq!(problem["type"], "urn:sluice:problem:quota-exceeded");
    assert_eq!(
        (&problem["meter"], &problem["limit"], &problem["per"]),
        (&"requests".into(), &"100".into(), &"month".into())
    );

    // Another's quota is another's, and its client sees how much is left.
    let (_, bolt) = key("bolt");
    let served = gateway.get_with("/", &[(header, &bolt)]).expect(200);
    assert_eq!(
        served.header("ratelimit").map(|field| field.split(";t=").next().unwrap().to_owned()),
        Some("\"requests-month\";r=99".to_owned())
    );
    assert!(
        served
            .header("ratelimit-policy")
            .is_some_and(|field| field.starts_with("\"requests-month\";q=100;w="))
    );

    gateway.kill();
    gateway.restart(&[]).unwrap();
    assert_eq!((ask(&gateway, "acme"), ask(&gateway, "bolt")), (429, 200));
    // A larger quota takes effect at once.
    let generation = gateway.generation();
    gateway.configure(&format!("workers = 2\n{}", text.replace("hard_quota = 100", "hard_quota = 101")));
    gateway.wait_for_generation_after(generation);
    assert_eq!((ask(&gateway, "acme"), ask(&gateway, "acme")), (200, 429));
}

/// Sends so many requests from eight clients: how many were served, and how many refused.
pub(super) fn rush(gateway: &Gateway, name: &str, count: usize) -> (usize, usize) {
    const CLIENTS: usize = 8;
    let (served, refused, left) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(count));
    let (header, key) = key(name);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = gateway.connect();
                while left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                    .is_ok()
                {
                    match client.request("GET", "/", &[(header, &key)], b"").status {
                        200 => served.fetch_add(1, Ordering::SeqCst),
                        402 | 429 => refused.fetch_add(1, Ordering::SeqCst),
                        other => panic!("status {other}"),
                    };
                }
            });
        }
    });
    (served.into_inner(), refused.into_inner())
}

#[test]
fn credit_is_spent_to_the_last_cent_and_not_beyond() {
    let plan = "[plans.paygo]\ncurrency = \"EUR\"\nprepaid = { grant = \"1.00\" }\n\
                charges = [{ meter = \"requests\", model = \"per_unit\", unit = \"0.01\" }]\n";
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + plan
        + &consumer("acme", "paygo")
        + &service(Origin::echo());
    let gateway = setup().start(&format!("workers = 2\n{text}"));
    let (header, acme) = key("acme");
    let first = gateway.get_with("/", &[(header, &acme)]).expect(200);
    assert!(first.header("x-credit-remaining").is_some_and(|field| field.ends_with(" EUR")));
    assert_eq!(rush(&gateway, "acme", 300), (99, 201));
    let refused = gateway.get_with("/", &[(header, &acme)]);
    assert_eq!(refused.header("x-credit-remaining"), Some("0.00 EUR"));
    let problem = refused.problem(402);
    assert_eq!(problem["type"], "urn:sluice:problem:quota-exceeded");
    let balance =
        books(&gateway).ask(async |reader| reader.balance("acme", jiff::Timestamp::now()).await.unwrap());
    assert_eq!((balance.total, balance.debt), (0, 0));
}

#[test]
fn what_is_used_beyond_what_was_set_aside_is_not_there_for_the_next() {
    let origin = Origin::always("HTTP/1.1 200 OK\r\nx-tokens: 400\r\ncontent-length: 0\r\n\r\n");
    let text =
        gateway("sqlite:ledger.db", "[{ meter = \"tokens\", value = { response_header = \"x-tokens\" } }]")
            + "[meters.tokens]\naggregation = \"sum\"\n"
            + "[plans.free]\ncharges = [{ meter = \"tokens\", hard_quota = 1_000, per = \"year\" }]\n"
            + "[plans.paygo]\ncurrency = \"EUR\"\nprepaid = { grant = \"1.00\" }\n\
               charges = [{ meter = \"tokens\", model = \"per_unit\", unit = \"0.001\" }]\n"
            + &consumer("acme", "free")
            + &consumer("bolt", "paygo")
            + &service(origin.address);
    let gateway = setup().start(&text);
    // One token is set aside for each, and 400 are used: after the third 1,200 are.
    let answers = |name| (0..5).map(|_| ask(&gateway, name)).collect::<Vec<_>>();
    assert_eq!(answers("acme"), [200, 200, 200, 429, 429]);
    assert_eq!(answers("bolt"), [200, 200, 200, 402, 402]);
    let books = books(&gateway);
    assert_eq!((books.sum("acme", "tokens"), books.sum("bolt", "tokens")), (1_200, 1_200));
    let balance = books.ask(async |reader| reader.balance("bolt", jiff::Timestamp::now()).await.unwrap());
    assert_eq!((balance.total, balance.debt), (-200_000_000, 200_000_000));
}

#[test]
fn nobody_comes_in_where_nothing_is_left_whatever_is_expected() {
    let text =
        gateway("sqlite:ledger.db", "[{ meter = \"work\", value = { response_header = \"x-work\" } }]")
            + "[meters.work]\naggregation = \"sum\"\nreserve = 0\n\
           [plans.none]\ncharges = [{ meter = \"work\", hard_quota = 0 }]\n"
            + &consumer("acme", "none")
            + &service(Origin::echo());
    assert_eq!(ask(&setup().start(&text), "acme"), 429);
}

#[test]
fn a_quota_that_is_lowered_holds_for_who_never_pauses() {
    let text = |quota: u32| {
        gateway("sqlite:ledger.db", COUNTED)
            + REQUESTS
            + &format!(
                "[plans.free]\ncharges = [{{ meter = \"requests\", hard_quota = {quota}, per = \"year\" }}]\n"
            )
            + &consumer("acme", "free")
            + &service(Origin::echo())
    };
    let gateway = setup().start(&format!("workers = 2\n{}", text(1_000_000)));
    let (header, acme) = key("acme");
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = gateway.connect();
                while !over.load(Ordering::SeqCst) {
                    let status = client.request("GET", "/", &[(header, &acme)], b"").status;
                    assert!([200, 429].contains(&status), "{status}");
                }
            });
        }
        wait::until("it is used", || books(&gateway).sum("acme", "requests") > 50);
        let generation = gateway.generation();
        gateway.configure(&format!("workers = 2\n{}", text(10)));
        gateway.wait_for_generation_after(generation);
        wait::until("it is refused", || ask(&gateway, "acme") == 429);
        let used = books(&gateway).sum("acme", "requests");
        assert!((0..50).all(|_| ask(&gateway, "acme") == 429));
        assert_eq!(books(&gateway).sum("acme", "requests"), used);
        over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn credit_that_has_expired_lets_nobody_in() {
    let text = gateway("sqlite:ledger.db", COUNTED)
        + REQUESTS
        + "[plans.paygo]\ncurrency = \"EUR\"\nprepaid = { grant = \"5.00\", expires = \"30m\" }\n\
           charges = [{ meter = \"requests\", model = \"per_unit\", unit = \"0.01\" }]\n"
        + &consumer("acme", "paygo")
        + &service(Origin::echo());
    let (setup, clock) = SetClock::of(setup());
    let gateway = setup.start(&text);
    assert_eq!((ask(&gateway, "acme"), ask(&gateway, "acme")), (200, 200));
    // Without a pause in which what is held would be given back.
    clock.set(3600);
    assert_eq!((ask(&gateway, "acme"), ask(&gateway, "acme")), (402, 402));
    assert_eq!(books(&gateway).sum("acme", "requests"), 2);
}
