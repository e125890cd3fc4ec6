//! What credit paid of each month's charges.

use std::sync::Arc;

use sluice_metering::ledger::{Entry, TopUp};
use sluice_metering::period::Every;

use crate::backend::{at, on_both, paid};

/// A use on a plan at a time, a nano for each unit.
fn used(request: &str, plan: &str, time: &str, value: i64) -> Entry {
    let mut entry = paid(request, value, 0);
    entry.event.plan = plan.into();
    entry.event.at = at(time);
    entry
}

#[test]
fn what_credit_paid_is_told_by_month_and_plan_without_the_debt() {
    on_both(async |place| {
        let mut ledger = place.ledger().await;
        let top_up = |id: &str, amount| TopUp {
            id: id.to_owned(),
            consumer: Arc::from("acme"),
            amount,
            at: at("2026-10-01T00:00:00Z"),
            expires: None,
        };
        ledger.top_up(&top_up("first", 20)).await.unwrap();
        let batch = [
            used("1", "pro", "2026-10-31T23:59:59Z", 5),
            used("2", "pro", "2026-11-01T00:00:00Z", 7),
            used("3", "max", "2026-11-20T00:00:00Z", 4),
            used("4", "max", "2026-11-30T23:59:59Z", 10),
            used("5", "max", "2026-12-01T00:00:00Z", 3),
        ];
        ledger.write(&batch).await.unwrap();
        let mut reader = place.reader().await;
        let drawn = async |reader: &mut sluice_metering::ledger::Reader, month: &str| {
            let month = Every::Month.containing(at(month));
            let mut drawn = reader.drawn("acme", month).await.unwrap();
            drawn.sort();
            drawn
        };
        let row = |plan: &str, amount| (plan.to_owned(), amount);
        // 29 were used and 20 paid: what was used last is the debt.
        assert_eq!(drawn(&mut reader, "2026-10-15T00:00:00Z").await, [row("pro", 5)]);
        assert_eq!(drawn(&mut reader, "2026-11-15T00:00:00Z").await, [row("max", 8), row("pro", 7)]);
        assert_eq!(drawn(&mut reader, "2026-12-15T00:00:00Z").await, [row("max", 0)]);
        ledger.top_up(&top_up("second", 7)).await.unwrap();
        assert_eq!(drawn(&mut reader, "2026-11-15T00:00:00Z").await, [row("max", 14), row("pro", 7)]);
        assert_eq!(drawn(&mut reader, "2026-12-15T00:00:00Z").await, [row("max", 1)]);
        assert_eq!(drawn(&mut reader, "2027-01-15T00:00:00Z").await, []);
        assert_eq!(
            reader.drawn("bolt", Every::Month.containing(at("2026-11-15T00:00:00Z"))).await,
            Ok(Vec::new())
        );
    });
}
