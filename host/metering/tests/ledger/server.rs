//! Several gateways on one server, and a server that comes and goes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sluice_metering::ledger::{Backend, Cursor, Entry, Error, Ledger, Pool, Reader, Settings};

use crate::backend::{Place, Which, credit, day, entry, events, noon, on, paid, server, want};
use crate::postgres::PostgresServer;

/// Waits until something is, with a deadline.
async fn until<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt().await {
            return value;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        tokio::task::yield_now().await;
    }
}

fn quick(place: &Place, gateway: &str) -> Settings {
    Settings { lease: Duration::from_millis(1500), ..place.settings(gateway) }
}

#[test]
fn the_last_unit_is_granted_once() {
    on(Which::Postgres, async |place| {
        let mut ledgers = Vec::new();
        for n in 0..3 {
            ledgers.push(Ledger::open(place.settings(&format!("edge-{n}"))).await.unwrap());
        }
        let work = ledgers.iter_mut().enumerate().map(|(n, ledger)| async move {
            let (mut used, mut requests) = (0, 0);
            loop {
                let granted = ledger.acquire(&[want(day("acme"), 100, 1)]).await.unwrap()[0];
                if granted.amount == 0 {
                    return used;
                }
                // One goes back, the others are used one by one: each has what it needs, or nobody would end.
                let keep = (granted.amount - 1).max(1);
                ledger.give_back(&[(day("acme"), granted.amount - keep)]).await.unwrap();
                for _ in 0..keep {
                    requests += 1;
                    let mut entry = entry(&format!("{n}-{requests}"), 1);
                    entry.event.gateway = format!("edge-{n}").into();
                    entry.quotas = vec![(day("acme"), 1)];
                    ledger.write(&[entry]).await.unwrap();
                }
                used += keep;
            }
        });
        let used: Vec<i64> = join(work.collect()).await;
        assert_eq!(used.iter().sum::<i64>(), 100, "{used:?}");
        assert_eq!(ledgers[0].check().await.unwrap().problems, Vec::<String>::new());
    });
}

/// All at once, on this thread.
async fn join<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, outcome) in &mut futures {
            if outcome.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *outcome = Some(value);
            }
        }
        if futures.iter().all(|(_, outcome)| outcome.is_some()) {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
    futures.into_iter().filter_map(|(_, outcome)| outcome).collect()
}

#[test]
fn two_gateways_do_not_price_the_same_units() {
    on(Which::Postgres, async |place| {
        let mut one = place.ledger().await;
        let mut two = Ledger::open(place.settings("edge-2")).await.unwrap();
        let charge = crate::backend::a_nano(500);
        let batch = |gateway: &str, n: usize| -> Vec<Entry> {
            let entries = (0..20).map(|i| {
                let mut entry = paid(&format!("{n}-{i}"), 3, 0);
                entry.event.gateway = gateway.into();
                entry.event.consumer = ["acme", "other"][(i + n) % 2].into();
                entry.credit.as_mut().unwrap().charge = charge.clone();
                entry
            });
            entries.collect()
        };
        let write = async |ledger: &mut Ledger, gateway: &str| {
            let mut cost = 0;
            for n in 0..20 {
                let written = ledger.write(&batch(gateway, n)).await.unwrap();
                cost += written.iter().map(|written| written.cost).sum::<i64>();
            }
            cost
        };
        let (first, second) = (write(&mut one, "edge-1"), write(&mut two, "edge-2"));
        let costs = {
            let futures: Vec<std::pin::Pin<Box<dyn Future<Output = i64>>>> =
                vec![Box::pin(first), Box::pin(second)];
            join(futures).await
        };
        // 800 events of 3 units, 500 free for each consumer.
        assert_eq!(costs.iter().sum::<i64>(), 800 * 3 - 2 * 500);
        assert_eq!(one.check().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn what_a_dead_gateway_held_comes_back_after_its_lease() {
    on(Which::Postgres, async |place| {
        let mut dead = Ledger::open(quick(&place, "edge-2")).await.unwrap();
        let granted = dead.acquire(&[want(day("acme"), 10, 10), want(credit("acme"), 0, 1)]).await.unwrap();
        assert_eq!(granted[0].amount, 10);
        let mut ledger = place.ledger().await;
        assert_eq!(ledger.acquire(&[want(day("acme"), 10, 1)]).await.unwrap()[0].amount, 0);
        // It is frozen: it says nothing, and knows nothing.
        until("the grants are back", async || {
            let granted = ledger.acquire(&[want(day("acme"), 10, 10)]).await.unwrap()[0];
            (granted.amount == 10).then_some(())
        })
        .await;
        // Now it wakes.
        assert!(matches!(dead.acquire(&[want(day("acme"), 10, 1)]).await, Err(Error::Away(_))));
        let epoch = dead.epoch();
        assert!(dead.renew().await.unwrap() > Instant::now());
        assert_ne!(dead.epoch(), epoch);
        assert_eq!(dead.held(&day("acme")), 0);
        assert_eq!(dead.acquire(&[want(day("acme"), 10, 1)]).await.unwrap()[0].amount, 0);
        // What was reserved before is written all the same.
        let mut entry = entry("late", 3);
        entry.event.gateway = "edge-2".into();
        dead.write(&[entry]).await.unwrap();
        assert_eq!(dead.check().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn exports_wait_for_transactions_that_began_before() {
    on(Which::Postgres, async |place| {
        let mut ledger = place.ledger().await;
        let mut reader = place.reader().await;
        let Backend::Postgres { config, .. } = place.settings("edge-1").backend else { unreachable!() };
        let (client, connection) = tokio_postgres::connect(&config, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
            .batch_execute(
                "BEGIN; INSERT INTO sluice.events (gateway, request, meter, consumer, plan, route, at, value, dimensions, cost) \
                 VALUES ('other', 'slow', 'tokens', 'acme', 'pro', '', 0, 0, '{}', 0)",
            )
            .await
            .unwrap();
        ledger.write(&[entry("quick", 1)]).await.unwrap();
        assert_eq!(reader.events(Cursor::default(), 10).await.unwrap(), (Vec::new(), Cursor::default()));
        assert_eq!(reader.lag("bus").await.unwrap().events, 1);
        client.batch_execute("COMMIT").await.unwrap();
        let (events, _) = events(&mut reader, Cursor::default(), 2).await;
        let ids: Vec<_> = events.iter().map(|event| &*event.event.request).collect();
        assert_eq!(ids, ["slow", "quick"]);
    });
}

#[test]
fn a_server_may_go_and_come_back() {
    on(Which::Sqlite, async |_| {
        let mut server = PostgresServer::start();
        let backend = Backend::Postgres { config: server.url("postgres"), connector: None };
        let settings = Settings {
            backend,
            durability: sluice_metering::ledger::Durability::Sync,
            gateway: "edge-1".into(),
            lease: Duration::from_secs(2),
        };
        let mut ledger = Ledger::open(settings.clone()).await.unwrap();
        let batch = |n: usize| -> Vec<Entry> {
            let entries =
                (0..3).map(|i| Entry { quotas: vec![(day("acme"), 5)], ..paid(&format!("{n}-{i}"), 2, 2) });
            entries.collect()
        };
        ledger.acquire(&[want(day("acme"), 1000, 100)]).await.unwrap();
        ledger.write(&batch(0)).await.unwrap();
        server.freeze();
        let start = Instant::now();
        assert!(matches!(ledger.write(&batch(1)).await, Err(Error::Away(_))));
        assert!(start.elapsed() < Duration::from_secs(10));
        server.thaw();
        let written = until("the server is back", async || ledger.write(&batch(1)).await.ok()).await;
        assert!(written.iter().all(|written| written.fresh));
        server.kill();
        assert!(matches!(ledger.write(&batch(2)).await, Err(Error::Away(_))));
        assert!(matches!(ledger.renew().await, Err(Error::Away(_))));
        server.restart();
        let written = until("the server is back", async || ledger.write(&batch(2)).await.ok()).await;
        assert!(written.iter().all(|written| written.fresh));
        until("the lease is back", async || ledger.renew().await.ok()).await;
        let mut reader = Reader::open(&settings).await.unwrap();
        assert_eq!(events(&mut reader, Cursor::default(), 9).await.0.len(), 9);
        assert_eq!(reader.balance("acme", noon()).await.unwrap().debt, 18);
        assert_eq!(ledger.check().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn a_batch_of_which_nobody_knows_is_repeated_without_harm() {
    on(Which::Postgres, async |place| {
        let mut ledger = Ledger::open(quick(&place, "edge-1")).await.unwrap();
        let pool: Pool = day("acme");
        let mut outcomes = BTreeSet::new();
        for n in 0..60_u64 {
            ledger.renew().await.unwrap();
            let held = ledger.held(&pool);
            let granted = ledger.acquire(&[want(pool.clone(), 1_000_000, 10)]).await.unwrap()[0].amount;
            let entries =
                (0..20).map(|i| Entry { quotas: vec![(pool.clone(), 5)], ..paid(&format!("{n}-{i}"), 3, 0) });
            let batch: Vec<_> = entries.collect();
            // Given up at some moment, which may be after its commit was sent.
            let patience = Duration::from_micros(100 * n);
            let outcome = tokio::time::timeout(patience, ledger.write(&batch)).await;
            outcomes.insert(outcome.is_ok());
            let written = match outcome {
                Ok(written) => written.unwrap(),
                Err(_) => ledger.write(&batch).await.unwrap(),
            };
            assert!(written.iter().all(|written| written.fresh && written.cost == 3), "{n}: {written:?}");
            assert_eq!(ledger.held(&pool), held + granted - 60);
            let rows = server().ask(place.database(), "SELECT sum(amount) FROM sluice.grants");
            assert_eq!(rows, ledger.held(&pool).to_string());
        }
        assert!(outcomes.contains(&false), "none was given up");
        let checked = ledger.check().await.unwrap();
        assert_eq!((checked.events, checked.problems), (1200, Vec::new()));
    });
}

#[test]
fn a_copy_on_another_server_loses_nothing_for_its_sinks() {
    on(Which::Postgres, async |place| {
        let mut ledger = place.ledger().await;
        let mut reader = place.reader().await;
        ledger.write(&[entry("had", 1)]).await.unwrap();
        ledger.write(&[entry("not yet", 1)]).await.unwrap();
        let (had, _) = events(&mut reader, Cursor::default(), 2).await;
        assert!(ledger.advance("bus", (Cursor::default(), ""), (had[0].cursor, "")).await.unwrap());
        drop(ledger);
        // As it looks on a server that has not seen as many transactions.
        let ahead = "UPDATE sluice.events SET xid = (xid::text::bigint + 1000000000)::text::xid8; \
                     UPDATE sluice.sinks SET xid = xid + 1000000000";
        server().ask(place.database(), ahead);
        let mut ledger = place.ledger().await;
        ledger.write(&[entry("new", 1)]).await.unwrap();
        // Who was about to say that a sink has had the second one speaks of transactions that are not the same here.
        let before = |n: usize| -> Cursor {
            let text = had[n].cursor.to_string();
            let (transaction, sequence) = text.split_once('.').unwrap();
            let transaction: u64 = transaction.parse().unwrap();
            format!("{}.{sequence}", transaction + 1_000_000_000).parse().unwrap()
        };
        assert!(!ledger.advance("bus", (before(0), ""), (before(1), "")).await.unwrap());
        let (cursor, _) = reader.cursor("bus").await.unwrap();
        let (rest, _) = events(&mut reader, cursor, 2).await;
        let ids: Vec<_> = rest.iter().map(|event| &*event.event.request).collect();
        assert_eq!(ids, ["not yet", "new"]);
        assert_eq!(reader.lag("bus").await.unwrap().events, 2);
    });
}

#[test]
fn what_a_server_cannot_keep_is_told_from_what_it_has_lost() {
    on(Which::Postgres, async |place| {
        let mut ledger = place.ledger().await;
        let mut odd = entry("odd", 1);
        odd.event.consumer = "a\0b".into();
        assert!(matches!(ledger.write(&[odd]).await, Err(Error::Invalid(_))));
        let mut long = entry("long", 1);
        // Not one letter many times: that is compressed.
        long.event.consumer = (0..4000).map(|n| format!("{n:x}")).collect::<String>().into();
        assert!(matches!(ledger.write(&[long]).await, Err(Error::Invalid(_))));
        assert!(ledger.write(&[entry("good", 1)]).await.unwrap()[0].fresh);
    });
}

#[test]
fn grants_of_which_nothing_is_left_are_no_rows_for_ever() {
    on(Which::Postgres, async |place| {
        let mut ledger = place.ledger().await;
        let wants = [want(day("acme"), 30, 10), want(day("other"), 30, 10)];
        ledger.acquire(&wants).await.unwrap();
        ledger.give_back(&[(day("acme"), 10)]).await.unwrap();
        let rows =
            || server().ask(place.database(), "SELECT consumer, amount FROM sluice.grants ORDER BY consumer");
        assert_eq!(rows(), "acme|0\nother|10");
        let year = Duration::from_secs(366 * 86_400);
        let retention = sluice_metering::ledger::Retention { events: year, hours: year, piece: 10 };
        ledger.maintain(&retention, &[], noon()).await.unwrap();
        assert_eq!((rows(), ledger.held(&day("other"))), ("other|10".to_owned(), 10));
        ledger.maintain(&retention, &[], crate::backend::at("2026-11-25T01:00:00Z")).await.unwrap();
        assert_eq!((rows(), ledger.held(&day("other"))), ("".to_owned(), 0));
    });
}

#[test]
fn on_a_replica_no_sink_is_claimed() {
    on(Which::Sqlite, async |place| {
        let mut server = PostgresServer::start();
        let database = server.database();
        let backend = Backend::Postgres { config: server.url(&database), connector: None };
        let durability = sluice_metering::ledger::Durability::Sync;
        let settings = Settings { backend, durability, ..place.settings("edge-1") };
        let mut ledger = Ledger::open(settings.clone()).await.unwrap();
        ledger.write(&[entry("a", 1)]).await.unwrap();
        assert!(Reader::open(&settings).await.unwrap().claim("bus").await.unwrap());
        drop(ledger);
        server.kill();
        server.restart_as_replica();
        let mut reader = Reader::open(&settings).await.unwrap();
        assert_eq!(reader.lag("bus").await.unwrap().events, 1);
        let claimed = reader.claim("bus").await;
        assert!(matches!(&claimed, Err(Error::Away(why)) if why.contains("replica")), "{claimed:?}");
    });
}
