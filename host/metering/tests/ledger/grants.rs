//! What is held of quotas and credit.

use sluice_metering::ledger::{Error, Granted, Ledger, TopUp};

use crate::backend::{Which, credit, day, entry, noon, on, on_both, paid, want};

#[test]
fn what_is_used_and_what_is_held_never_exceed_the_quota() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let mut held = 0;
        let mut used = 0;
        for n in 0..10 {
            let granted = ledger.acquire(&[want(day("acme"), 100, 10)]).await.unwrap()[0];
            assert_eq!(granted.left, 100 - used - held);
            held += granted.amount;
            let mut entry = entry(&n.to_string(), 7);
            entry.quotas = vec![(day("acme"), 10)];
            ledger.write(&[entry]).await.unwrap();
            used += 7;
            held -= 7;
            assert_eq!(ledger.held(&day("acme")), held);
            assert!(used + held <= 100);
        }
        ledger.give_back(&[(day("acme"), held)]).await.unwrap();
        assert_eq!(ledger.held(&day("acme")), 0);
        let granted =
            ledger.acquire(&[want(day("acme"), 100, 31), want(day("acme"), 100, 30)]).await.unwrap();
        assert_eq!(granted, [Granted { amount: 0, left: 30 }, Granted { amount: 30, left: 30 }]);
        assert_eq!(
            ledger.acquire(&[want(day("acme"), 100, 1)]).await.unwrap(),
            [Granted { amount: 0, left: 0 }]
        );
    });
}

#[test]
fn what_was_held_by_an_earlier_process_is_free_again() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        assert_eq!(ledger.acquire(&[want(day("acme"), 9, 9)]).await.unwrap()[0].amount, 9);
        drop(ledger);
        let mut ledger = place.ledger().await;
        assert_eq!(
            ledger.acquire(&[want(day("acme"), 9, 9)]).await.unwrap(),
            [Granted { amount: 9, left: 9 }]
        );
    });
}

#[test]
fn credit_is_held_and_drawn() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        assert_eq!(
            ledger.acquire(&[want(credit("acme"), 0, 1)]).await.unwrap(),
            [Granted { amount: 0, left: 0 }]
        );
        let top_up = |id: &str, amount| TopUp {
            id: id.into(),
            consumer: "acme".into(),
            amount,
            at: noon(),
            expires: None,
        };
        assert!(ledger.top_up(&top_up("one", 100)).await.unwrap());
        assert!(!ledger.top_up(&top_up("one", 100)).await.unwrap());
        assert_eq!(ledger.top_up(&top_up("one", 900)).await, Err(Error::Conflict("one".into())));
        assert_eq!(ledger.acquire(&[want(credit("acme"), 0, 90)]).await.unwrap()[0].left, 100);
        let before = ledger.held(&credit("acme"));
        // 30 were reserved, and 40 it is.
        ledger.write(&[paid("a", 40, 30)]).await.unwrap();
        assert_eq!(ledger.held(&credit("acme")), before - 30);
        ledger.write(&[paid("b", 70, 0)]).await.unwrap();
        let mut reader = place.reader().await;
        let balance = reader.balance("acme", noon()).await.unwrap();
        assert_eq!((balance.total, balance.debt), (-10, 10));
        assert!(ledger.top_up(&top_up("two", 50)).await.unwrap());
        let balance = reader.balance("acme", noon()).await.unwrap();
        assert_eq!((balance.total, balance.debt), (40, 0));
        assert_eq!(balance.credits.iter().map(|credit| credit.drawn).collect::<Vec<_>>(), [100, 10]);
        assert!(matches!(ledger.top_up(&top_up("none", 0)).await, Err(Error::Invalid(_))));
        assert_eq!(ledger.check().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn there_is_one_gateway_of_a_name() {
    on_both(async |place| {
        let first = place.ledger().await;
        let mut settings = place.settings("edge-1");
        settings.lease = std::time::Duration::from_millis(500);
        let second = Ledger::open(settings.clone()).await;
        assert!(matches!(second, Err(Error::Taken(_))), "{:?}", second.err());
        drop(first);
        settings.lease = std::time::Duration::from_secs(10);
        Ledger::open(settings).await.unwrap();
    });
}

#[test]
fn on_a_server_a_gateway_gets_a_third_or_what_it_needs() {
    on(Which::Postgres, async |place| {
        let mut one = place.ledger().await;
        let mut two = Ledger::open(place.settings("edge-2")).await.unwrap();
        let ask = |amount| want(day("acme"), 90, amount);
        assert_eq!(one.acquire(&[ask(1)]).await.unwrap(), [Granted { amount: 30, left: 90 }]);
        assert_eq!(two.acquire(&[ask(1)]).await.unwrap(), [Granted { amount: 20, left: 60 }]);
        assert_eq!(two.acquire(&[ask(40)]).await.unwrap(), [Granted { amount: 40, left: 40 }]);
        assert_eq!(one.acquire(&[ask(1)]).await.unwrap(), [Granted { amount: 0, left: 0 }]);
        two.give_back(&[(day("acme"), 5)]).await.unwrap();
        assert_eq!(one.acquire(&[ask(5)]).await.unwrap(), [Granted { amount: 5, left: 5 }]);
    });
}
