//! Subscriptions, exports, and growing old.

use std::sync::Arc;
use std::time::Duration;

use sluice_metering::ledger::{
    Cursor, Error, Lag, Ledger, Maintained, Reader, Retention, Subscription, UsageQuery,
};
use sluice_metering::meter::{Aggregation, Meter, Unanswered};
use sluice_metering::period::Every;

use crate::backend::{at, entry, events, on_both, paid};

fn on_plan(plan: &str, since: Option<&str>) -> Subscription {
    Subscription { consumer: "acme".into(), plan: plan.into(), since: since.map(at), grant: None }
}

async fn history(reader: &mut Reader) -> Vec<String> {
    let all = reader.subscriptions("acme").await.unwrap();
    let tell = |one: &sluice_metering::ledger::Subscribed| {
        let to = one.to.map_or("now".to_owned(), |to| to.to_string());
        format!("{} {} {to}", one.plan, one.from)
    };
    all.iter().map(tell).collect()
}

#[test]
fn changes_of_plan_are_remembered() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let mut reader = place.reader().await;
        let first = [on_plan("free", None)];
        let start = at("2026-11-01T08:00:00Z");
        assert_eq!(ledger.subscribe(&first, start).await.unwrap(), [("acme".into(), start)]);
        assert_eq!(
            ledger.subscribe(&first, at("2026-11-02T08:00:00Z")).await.unwrap(),
            [("acme".into(), start)]
        );
        // A start of long ago is the earlier plan's: what was is not changed.
        let pro = [on_plan("pro", Some("2026-01-01T00:00:00Z"))];
        let change = at("2026-11-03T08:00:00Z");
        for now in [change, at("2026-11-04T08:00:00Z")] {
            assert_eq!(ledger.subscribe(&pro, now).await.unwrap(), [("acme".into(), change)]);
        }
        // It may be put right forward, and back as far as the one before.
        let later = at("2026-11-03T12:00:00Z");
        let put_right = [on_plan("pro", Some("2026-11-03T12:00:00Z"))];
        assert_eq!(ledger.subscribe(&put_right, change).await.unwrap(), [("acme".into(), later)]);
        assert_eq!(reader.subscribed().await.unwrap().len(), 1);
        assert_eq!(ledger.subscribe(&[on_plan("", None)], at("2026-11-05T00:00:00Z")).await.unwrap(), []);
        assert_eq!(ledger.subscribe(&[on_plan("", None)], at("2026-11-06T00:00:00Z")).await.unwrap(), []);
        assert_eq!(
            history(&mut reader).await,
            [
                "free 2026-11-01T08:00:00Z 2026-11-03T08:00:00Z",
                "pro 2026-11-03T12:00:00Z 2026-11-05T00:00:00Z"
            ]
        );
        let again = [on_plan("pro", Some("2026-11-04T00:00:00Z"))];
        let end = at("2026-11-05T00:00:00Z");
        assert_eq!(
            ledger.subscribe(&again, at("2026-11-07T00:00:00Z")).await.unwrap(),
            [("acme".into(), end)]
        );
    });
}

#[test]
fn a_plan_gives_its_credit_once_and_it_expires() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let mut reader = place.reader().await;
        let week = Some(Duration::from_secs(7 * 86_400));
        let prepaid = [Subscription { grant: Some((500, week)), ..on_plan("prepaid", None) }];
        let mut used = paid("before", 30, 0);
        used.event.at = at("2026-11-01T00:00:00Z");
        ledger.write(&[used]).await.unwrap();
        for day in 2..5 {
            ledger.subscribe(&prepaid, at(&format!("2026-11-0{day}T00:00:00Z"))).await.unwrap();
            ledger.subscribe(&[on_plan("", None)], at(&format!("2026-11-0{day}T12:00:00Z"))).await.unwrap();
        }
        let balance = reader.balance("acme", at("2026-11-08T23:59:59Z")).await.unwrap();
        assert_eq!((balance.total, balance.debt, balance.credits.len()), (470, 0, 1));
        assert_eq!(balance.credits[0].id, "prepaid/acme");
        assert_eq!(reader.balance("acme", at("2026-11-09T00:00:00Z")).await.unwrap().total, 0);
        assert_eq!(ledger.check().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn a_sink_goes_on_where_it_was() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let mut reader = place.reader().await;
        assert_eq!(reader.cursor("bus").await.unwrap(), (Cursor::default(), String::new()));
        assert_eq!(reader.lag("bus").await.unwrap(), Lag::default());
        for n in 0..5 {
            ledger.write(&[entry(&format!("{n}a"), n), entry(&format!("{n}b"), n)]).await.unwrap();
        }
        events(&mut reader, Cursor::default(), 10).await;
        let (some, cursor) = reader.events(Cursor::default(), 3).await.unwrap();
        let ids = |events: &[sluice_metering::ledger::Exported]| {
            events.iter().map(|event| event.event.request.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&some), ["0a", "0b", "1a"]);
        assert_eq!(some[2].cursor, cursor);
        let new = (Cursor::default(), "");
        assert!(ledger.advance("bus", new, (cursor, "file 1")).await.unwrap());
        // Who does not know whether it has happened may say so again.
        assert!(ledger.advance("bus", new, (cursor, "file 1")).await.unwrap());
        // Who is behind does not take it back, and who knows another note does not overwrite it.
        assert!(!ledger.advance("bus", new, (some[0].cursor, "file 0")).await.unwrap());
        assert!(!ledger.advance("bus", (cursor, "file 0"), (cursor, "file 2")).await.unwrap());
        assert!(!ledger.advance("new", (cursor, ""), (cursor, "")).await.unwrap());
        let (cursor, state) = reader.cursor("bus").await.unwrap();
        assert_eq!(state, "file 1");
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        let lag = reader.lag("bus").await.unwrap();
        assert_eq!((lag.events, lag.oldest), (7, Some(crate::backend::noon())));
        let (rest, last) = events(&mut reader, cursor, 7).await;
        assert_eq!(ids(&rest), ["1b", "2a", "2b", "3a", "3b", "4a", "4b"]);
        assert_eq!(reader.events(last, 100).await.unwrap(), (Vec::new(), last));
        assert!(ledger.advance("bus", (cursor, "file 1"), (last, "")).await.unwrap());
        assert_eq!(reader.lag("bus").await.unwrap(), Lag::default());
    });
}

async fn grow_old(ledger: &mut Ledger, retention: &Retention, sinks: &[&str], now: &str) -> Maintained {
    let mut sum = Maintained::default();
    loop {
        let done = ledger.maintain(retention, sinks, at(now)).await.unwrap();
        sum.deleted += done.deleted;
        sum.compacted += done.compacted;
        assert_eq!(ledger.check().await.unwrap().problems, Vec::<String>::new());
        if !done.more {
            return sum;
        }
    }
}

#[test]
fn what_is_old_is_deleted_once_all_sinks_have_had_it() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let mut reader = place.reader().await;
        for day in 1..=9 {
            for hour in 0..4 {
                let mut entry = paid(&format!("{day}-{hour}"), 10, 0);
                entry.event.at = at(&format!("2026-11-0{day}T0{hour}:30:00Z"));
                entry.event.subject = Some([hour; 16]);
                ledger.write(&[entry]).await.unwrap();
            }
        }
        let all = UsageQuery {
            by: Some(Every::Day),
            ..UsageQuery::all(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"))
        };
        let whole = UsageQuery { by: None, ..all.clone() };
        let before = (reader.usage(&all).await.unwrap(), reader.usage(&whole).await.unwrap());
        let day = Duration::from_secs(86_400);
        let retention = Retention { events: 2 * day, hours: 4 * day, piece: 3 };
        let now = "2026-11-07T01:45:00Z";
        let done = grow_old(&mut ledger, &retention, &["bus", "files"], now).await;
        assert_eq!((done.deleted, done.compacted), (0, 16));
        let (events, _) = events(&mut reader, Cursor::default(), 36).await;
        let new = (Cursor::default(), "");
        assert!(ledger.advance("bus", new, (events[35].cursor, "")).await.unwrap());
        assert!(ledger.advance("files", new, (events[9].cursor, "")).await.unwrap());
        assert_eq!(grow_old(&mut ledger, &retention, &["bus", "files"], now).await.deleted, 10);
        assert_eq!(reader.lag("files").await.unwrap().events, 26);
        // 4 days of 4 each, and of the fifth the hour that is 2 days old.
        assert_eq!(grow_old(&mut ledger, &retention, &["bus"], now).await.deleted, 17 - 10);
        assert_eq!((reader.usage(&all).await.unwrap(), reader.usage(&whole).await.unwrap()), before);
        assert_eq!(grow_old(&mut ledger, &retention, &["bus"], now).await, Maintained::default());

        // Something late goes where its day is.
        let mut late = paid("late", 5, 0);
        late.event.at = at("2026-11-01T05:00:00Z");
        ledger.write(&[late]).await.unwrap();
        assert_eq!(grow_old(&mut ledger, &retention, &[], now).await.compacted, 1);
        assert_eq!(reader.usage(&all).await.unwrap().rows[0].usage.sum, 45);

        // The newest stays: its number is not to be given to another.
        grow_old(&mut ledger, &retention, &[], "2027-11-07T00:00:00Z").await;
        assert_eq!(ledger.check().await.unwrap().events, 1);
        assert_eq!(reader.balance("acme", at(now)).await.unwrap().debt, 365);
    });
}

#[test]
fn a_meter_goes_on_counting_as_it_did() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let meter = |name: &str, aggregation, decimals| {
            Arc::new(Meter {
                name: name.into(),
                aggregation,
                unit: None,
                decimals,
                dimensions: Vec::new(),
                reserve: 1,
                unanswered: Unanswered::Free,
            })
        };
        let tokens = meter("tokens", Aggregation::Sum, 0);
        ledger.declare(&[Arc::clone(&tokens)]).await.unwrap();
        for other in [meter("tokens", Aggregation::Sum, 3), meter("tokens", Aggregation::Max, 0)] {
            let all = [meter("bytes", Aggregation::Sum, 6), other];
            assert!(matches!(ledger.declare(&all).await, Err(Error::Redefined { .. })));
        }
        // Nothing of what was refused was written down.
        ledger.declare(&[tokens, meter("bytes", Aggregation::Latest, 0)]).await.unwrap();
        let error = ledger.declare(&[meter("bytes", Aggregation::Sum, 6)]).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "the ledger has counted `bytes` as `latest` with 0 decimals, and it would now be read as `sum` with 6 decimals: \
             give it another name"
        );
    });
}
