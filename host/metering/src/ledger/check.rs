//! Whether the ledger agrees with itself: rollups with events, months with hours, accounts with costs and with credits.

use super::batch::HOUR;
use super::db::Db;
use super::failure::Failure;
use super::maintain::DAY;
use super::types::Checked;
use super::value::{Row, Value};

/// Problems that are told of one kind.
const MOST: &str = " LIMIT 10";

/// Sums are added up in three parts, and are 0 if all three are.
const UNEQUAL: &str = "(sum(c) % 1000000000 <> 0 OR (sum(b) + sum(c) / 1000000000) % 1000000000 <> 0 \
                       OR sum(a) + (sum(b) + sum(c) / 1000000000) / 1000000000 <> 0)";

/// In one transaction, so that all is of one moment; it takes as long as it takes.
pub(super) async fn check(db: &mut Db) -> Result<Checked, Failure> {
    let mut checked = Checked::default();
    if let Db::Postgres(postgres) = db {
        // It looks at everything, by whatever way is the shortest.
        postgres
            .script(
                "SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; \
                 SET LOCAL enable_mergejoin = on",
            )
            .await?;
    }
    let count = db.ask("SELECT count(*) FROM events", &[]).await?;
    checked.events = count.first().map_or(Ok(0), |row| row.int(0))?.unsigned_abs();
    let note = db.query("SELECT value FROM notes WHERE name = 'kept_from'", &[]).await?;
    let kept = note.first().map(|row| row.int(0)).transpose()?.unwrap_or(i64::MIN / 2);
    let days = "SELECT max(start) FROM (SELECT max(start) AS start FROM usage_days UNION ALL SELECT max(start) FROM subject_days) \
                AS days";
    let last = db.ask(days, &[]).await?.first().map(|row| row.maybe_int(0)).transpose()?.flatten();
    // Hours can be told apart from the last day on that was made of hours.
    let hourly = last.map_or(kept, |day| kept.max(day + DAY));
    let daily = kept - kept.rem_euclid(DAY) + if kept.rem_euclid(DAY) == 0 { 0 } else { DAY };
    for (from, unit) in [(hourly, HOUR), (daily, DAY)] {
        for row in db.ask(&rollups(), &[Value::Int(from), Value::Int(unit)]).await? {
            tell(&mut checked, "usage differs from its events", &row)?;
        }
        for row in db.ask(&subjects(), &[Value::Int(from), Value::Int(unit)]).await? {
            tell(&mut checked, "subjects differ from those of the events", &row)?;
        }
    }
    for (what, sql) in [
        ("a month differs from its hours and days", months(db)),
        ("what was drawn differs from the costs of events", costs()),
        ("what was drawn differs from what credits lost", credits()),
        (
            "a credit is overdrawn",
            "SELECT consumer, kind, id FROM credits WHERE drawn < 0 OR (kind <> 'debt' AND drawn > amount)"
                .to_owned(),
        ),
    ] {
        for row in db.ask(&(sql + MOST), &[]).await? {
            tell(&mut checked, what, &row)?;
        }
    }
    if let Db::Sqlite(_) = db {
        for row in db.ask("PRAGMA quick_check(10)", &[]).await? {
            if row.text(0)? != "ok" {
                tell(&mut checked, "the file is damaged", &row)?;
            }
        }
    }
    Ok(checked)
}

fn tell(checked: &mut Checked, what: &str, row: &Row) -> Result<(), Failure> {
    let words = row.0.iter().map(|value| match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Int(number) => number.to_string(),
        Value::Bytes(_) | Value::Null => "-".to_owned(),
    });
    checked.problems.push(format!("{what}: {}", words.collect::<Vec<_>>().join(", ")));
    Ok(())
}

fn rollups() -> String {
    format!(
        "SELECT consumer, meter, plan, bucket, dimensions FROM (\
         SELECT consumer, meter, plan, start / $2 * $2 AS bucket, dimensions, count AS n, sum_high AS a, \
         sum / 1000000000 AS b, sum % 1000000000 AS c, max AS m, CAST(NULL AS bigint) AS em, latest_at AS l, \
         CAST(NULL AS bigint) AS el FROM usage WHERE start >= $1 UNION ALL \
         SELECT consumer, meter, plan, at / $2 * $2, dimensions, -1, -(value / 1000000000000000000), \
         -(value % 1000000000000000000 / 1000000000), -(value % 1000000000), NULL, value, NULL, at \
         FROM events WHERE at >= $1) AS both_sides GROUP BY consumer, meter, plan, bucket, dimensions \
         HAVING sum(n) <> 0 OR {UNEQUAL} OR max(m) <> max(em) OR max(l) <> max(el){MOST}"
    )
}

fn subjects() -> String {
    format!(
        "SELECT consumer, meter, plan, bucket, dimensions FROM (\
         SELECT DISTINCT consumer, meter, plan, start / $2 * $2 AS bucket, dimensions, subject, 1 AS side FROM subjects \
         WHERE start >= $1 UNION ALL \
         SELECT DISTINCT consumer, meter, plan, at / $2 * $2, dimensions, subject, -1 FROM events \
         WHERE at >= $1 AND subject IS NOT NULL) AS both_sides \
         GROUP BY consumer, meter, plan, bucket, dimensions, subject HAVING sum(side) <> 0{MOST}"
    )
}

fn months(db: &Db) -> String {
    let month = month(db);
    format!(
        "SELECT consumer, meter, plan, bucket FROM (\
         SELECT consumer, meter, plan, {month} AS bucket, sum_high AS a, sum / 1000000000 AS b, sum % 1000000000 AS c \
         FROM usage UNION ALL \
         SELECT consumer, meter, plan, start, -sum_high, -(sum / 1000000000), -(sum % 1000000000) FROM usage_months\
         ) AS both_sides GROUP BY consumer, meter, plan, bucket HAVING {UNEQUAL}"
    )
}

/// The month's first moment, of a `start`.
pub(super) const fn month(db: &Db) -> &'static str {
    match db {
        Db::Sqlite(_) => "unixepoch(start / 1000000, 'unixepoch', 'start of month') * 1000000",
        Db::Postgres(_) => {
            "CAST(extract(epoch FROM date_trunc('month', to_timestamp(start / 1000000) AT TIME ZONE 'UTC')) AS bigint) * 1000000"
        }
    }
}

/// The year's first moment, of a `start`.
pub(super) const fn year(db: &Db) -> &'static str {
    match db {
        Db::Sqlite(_) => "unixepoch(start / 1000000, 'unixepoch', 'start of year') * 1000000",
        Db::Postgres(_) => {
            "CAST(extract(epoch FROM date_trunc('year', to_timestamp(start / 1000000) AT TIME ZONE 'UTC')) AS bigint) * 1000000"
        }
    }
}

fn costs() -> String {
    "SELECT consumer, CAST(sum(drawn) AS bigint) FROM (SELECT consumer, drawn - forgotten AS drawn FROM accounts UNION ALL \
     SELECT consumer, -cost FROM events WHERE cost <> 0) AS both_sides GROUP BY consumer HAVING sum(drawn) <> 0"
        .to_owned()
}

fn credits() -> String {
    "SELECT consumer, CAST(sum(drawn) AS bigint) FROM (SELECT consumer, drawn FROM accounts UNION ALL \
     SELECT consumer, -drawn FROM credits) AS both_sides GROUP BY consumer HAVING sum(drawn) <> 0"
        .to_owned()
}
