//! Events, once each, and what they come to.

use sluice_metering::ledger::{Cursor, Draw, Entry, Reader, UsageQuery, Written};
use sluice_metering::period::Every;

use crate::backend::{a_nano, at, entry, event, events, noon, on_both};

const fn fresh(cost: i64) -> Written {
    Written { fresh: true, cost }
}

const fn known(cost: i64) -> Written {
    Written { fresh: false, cost }
}

#[test]
fn an_event_counts_once_however_often_it_is_written() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let batch = [entry("a", 3), entry("b", 4), entry("a", 9)];
        assert_eq!(ledger.write(&batch).await.unwrap(), [fresh(0), fresh(0), known(0)]);
        assert_eq!(ledger.write(&batch).await.unwrap(), [known(0); 3]);
        let other = Entry {
            event: sluice_metering::event::Event { meter: "requests".into(), ..event("a", 1) },
            ..entry("a", 1)
        };
        assert_eq!(ledger.write(&[other, entry("c", 5)]).await.unwrap(), [fresh(0); 2]);
        let mut reader = place.reader().await;
        assert_eq!(reader.spent("acme", "tokens", Every::Hour.containing(noon())).await.unwrap(), 12);
        assert_eq!(reader.spent("acme", "tokens", Every::Year.containing(noon())).await.unwrap(), 12);
        assert_eq!(reader.spent("acme", "requests", Every::Month.containing(noon())).await.unwrap(), 1);
        let checked = ledger.check().await.unwrap();
        assert_eq!((checked.events, checked.problems), (4, Vec::new()));
    });
}

#[test]
fn usage_is_told_by_time_and_dimension_in_pages() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let make = |request: &str, value, time: &str, model: &str, subject: u8| {
            let mut entry = entry(request, value);
            entry.event.at = at(time);
            entry.event.dimensions = vec![("model".into(), model.into())];
            entry.event.subject = Some([subject; 16]);
            entry
        };
        let batch = [
            make("1", 5, "2026-10-31T23:59:59Z", "small", 1),
            make("2", 7, "2026-11-01T00:00:00Z", "small", 1),
            make("3", 2, "2026-11-01T00:59:59Z", "large", 2),
            make("4", 9, "2026-11-01T00:59:59Z", "large", 2),
            make("5", 1, "2026-11-02T07:00:00Z", "large \"x\"", 1),
        ];
        ledger.write(&batch).await.unwrap();
        let mut reader = place.reader().await;
        let all = UsageQuery::all(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let rows = reader.usage(&all).await.unwrap().rows;
        assert_eq!(rows.len(), 1);
        let usage = rows[0].usage;
        assert_eq!((usage.count, usage.sum, usage.max, usage.latest, usage.unique), (5, 24, 9, 1, 2));
        assert_eq!((rows[0].start, &rows[0].group), (all.from, &None));

        let months = UsageQuery { by: Some(Every::Month), ..all.clone() };
        let rows = reader.usage(&months).await.unwrap().rows;
        let told: Vec<_> =
            rows.iter().map(|row| (row.start.to_string(), row.usage.sum, row.usage.unique)).collect();
        assert_eq!(
            told,
            [("2026-10-01T00:00:00Z".to_owned(), 5, 1), ("2026-11-01T00:00:00Z".to_owned(), 19, 2)]
        );

        let told = by_the_hour(&mut reader, &all).await;
        let expected = [
            ("2026-10-31T23:00:00Z", "small", 5, 5, 1),
            ("2026-11-01T00:00:00Z", "large", 11, 9, 1),
            ("2026-11-01T00:00:00Z", "small", 7, 7, 1),
            ("2026-11-02T07:00:00Z", "large \"x\"", 1, 1, 1),
        ];
        assert_eq!(
            told,
            expected.map(|(start, model, sum, latest, unique)| (
                start.to_owned(),
                model.to_owned(),
                sum,
                latest,
                unique
            ))
        );

        let large = UsageQuery { dimension: Some(("model".into(), "large".into())), ..all.clone() };
        assert_eq!(reader.usage(&large).await.unwrap().rows[0].usage.sum, 11);
        let nobody = UsageQuery { consumer: Some("nobody".into()), ..all.clone() };
        assert_eq!(reader.usage(&nobody).await.unwrap().rows, []);
        for wrong in [
            UsageQuery { limit: 0, ..all.clone() },
            UsageQuery { limit: 1001, ..all.clone() },
            UsageQuery { after: Some("ö".into()), ..all.clone() },
        ] {
            assert!(reader.usage(&wrong).await.is_err());
        }
        assert_eq!(ledger.check().await.unwrap().problems, Vec::<String>::new());
    });
}

/// In pages of one row. Of two at the same time the greater one is the latest.
async fn by_the_hour(reader: &mut Reader, all: &UsageQuery) -> Vec<(String, String, i128, i64, i64)> {
    let mut query =
        UsageQuery { by: Some(Every::Hour), group: Some("model".into()), limit: 1, ..all.clone() };
    let mut told = Vec::new();
    loop {
        let page = reader.usage(&query).await.unwrap();
        let [row] = &*page.rows else { panic!("{:?}", page.rows) };
        let group = row.group.clone().unwrap();
        told.push((row.start.to_string(), group, row.usage.sum, row.usage.latest, row.usage.unique));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return told,
        }
    }
}

#[test]
fn sums_do_not_overflow() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        for batch in 0..3 {
            let batch: Vec<_> = (0..4).map(|n| entry(&format!("{batch}-{n}"), i64::MAX)).collect();
            ledger.write(&batch).await.unwrap();
        }
        let mut reader = place.reader().await;
        let all = UsageQuery::all(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        assert_eq!(reader.usage(&all).await.unwrap().rows[0].usage.sum, 12 * i128::from(i64::MAX));
        assert_eq!(reader.spent("acme", "tokens", Every::Day.containing(noon())).await.unwrap(), i64::MAX);
        assert_eq!(ledger.check().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn what_is_priced_counts_from_the_beginning_of_the_month() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let charge = a_nano(100);
        let make = |request: &str, value, time: &str| {
            let mut entry = entry(request, value);
            entry.event.at = at(time);
            entry.credit = Some(Draw {
                charge: charge.clone(),
                reserved: 0,
                free_until: Some(at("2026-11-05T12:30:00Z")),
            });
            entry
        };
        let batch = [
            make("trial", 1000, "2026-11-05T12:29:59Z"),
            make("included", 60, "2026-11-05T12:30:00Z"),
            make("partly", 60, "2026-11-20T00:00:00Z"),
            make("next", 60, "2026-12-01T00:00:00Z"),
        ];
        assert_eq!(ledger.write(&batch).await.unwrap(), [fresh(0), fresh(0), fresh(20), fresh(0)]);
        let again = [
            make("partly", 60, "2026-11-20T00:00:00Z"),
            make("late", 7, "2026-11-06T00:00:00Z"),
            make("next 2", 41, "2026-12-02T00:00:00Z"),
        ];
        assert_eq!(ledger.write(&again).await.unwrap(), [known(20), fresh(7), fresh(1)]);
        let balance = place.reader().await.balance("acme", noon()).await.unwrap();
        assert_eq!((balance.total, balance.debt), (-28, 28));
        assert_eq!(ledger.check().await.unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn odd_texts_are_kept_as_far_as_both_databases_can() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let mut odd = entry("a\0b", 1);
        odd.event.dimensions =
            vec![("z".into(), "nul \0 and \"quotes\"".into()), ("a".into(), "ö".repeat(100).into())];
        let long = entry(&"ß".repeat(5000), 1);
        let longer = entry(&"ß".repeat(5001), 1);
        let batch = [odd, long, longer];
        assert_eq!(ledger.write(&batch).await.unwrap(), [fresh(0); 3]);
        assert_eq!(ledger.write(&batch).await.unwrap(), [known(0); 3]);
        let mut many = entry("many", 1);
        many.event.dimensions =
            (0..30).map(|n| (format!("name-{n}").into(), format!("{n}").repeat(128).into())).collect();
        many.event.subject = Some([7; 16]);
        assert_eq!(ledger.write(&[many]).await.unwrap(), [fresh(0)]);
        let mut reader = place.reader().await;
        let (events, _) = events(&mut reader, Cursor::default(), 4).await;
        assert_eq!(&*events[0].event.request, "a\u{fffd}b");
        assert_eq!(&*events[0].event.dimensions[1].1, "nul \u{fffd} and \"quotes\"");
        assert_eq!(&*events[0].event.dimensions[0].0, "a");
        let grouped = UsageQuery {
            group: Some("z".into()),
            ..UsageQuery::all(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
        };
        assert_eq!(reader.usage(&grouped).await.unwrap().rows.len(), 2);
        assert_eq!(ledger.check().await.unwrap().problems, Vec::<String>::new());
    });
}
