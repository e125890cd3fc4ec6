//! Growing old: events that are no longer kept, hours that become days, and cursors of those who export.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::amount;
use super::batch::{Delta, HOUR, parts};
use super::db::Db;
use super::failure::Failure;
use super::grants;
use super::types::{Cursor, Maintained, Pool, Retention};
use super::value::{Column, Kind, Many, Value};
use super::{Error, Ledger, write};
use crate::failpoint;

use Kind::{Bytes, Int, Text};

/// Microseconds of a day.
pub(super) const DAY: i64 = 24 * HOUR;

const DELETE_EVENTS: Many = Many {
    columns: &[("seq", Int)],
    sql: "DELETE FROM events WHERE seq IN (SELECT v.seq FROM {v})",
    sqlite: Some("DELETE FROM events WHERE seq = ?1"),
};

const FORGET: Many = Many {
    columns: &[("consumer", Text), ("cost", Int)],
    sql: "UPDATE accounts SET forgotten = CASE WHEN accounts.forgotten > 9223372036854775807 - v.cost \
          THEN 9223372036854775807 ELSE accounts.forgotten + v.cost END FROM {v} WHERE accounts.consumer = v.consumer",
    sqlite: None,
};

const DAYS: Many = Many {
    columns: &[
        ("consumer", Text),
        ("meter", Text),
        ("plan", Text),
        ("start", Int),
        ("dimensions", Text),
        ("count", Int),
        ("sum", Int),
        ("sum_high", Int),
        ("max", Int),
        ("latest", Int),
        ("latest_at", Int),
    ],
    sql: concat!(
        "INSERT INTO usage_days AS u (consumer, meter, plan, start, dimensions, count, sum, sum_high, max, latest, \
         latest_at) {rows} ON CONFLICT (consumer, meter, plan, start, {dimensions}) DO UPDATE SET ",
        super::merge_usage!()
    ),
    sqlite: None,
};

const KEY: &[(&str, Kind)] =
    &[("consumer", Text), ("meter", Text), ("plan", Text), ("start", Int), ("dimensions", Text)];

const DELETE_HOURS: Many = Many {
    columns: KEY,
    sql: "DELETE FROM usage_hours u USING {v} WHERE u.consumer = v.consumer AND u.meter = v.meter AND u.plan = v.plan \
          AND u.start = v.start AND md5(u.dimensions) = md5(v.dimensions)",
    sqlite: Some(
        "DELETE FROM usage_hours WHERE consumer = ?1 AND meter = ?2 AND plan = ?3 AND start = ?4 AND dimensions = ?5",
    ),
};

const SUBJECT: &[(&str, Kind)] = &[
    ("consumer", Text),
    ("meter", Text),
    ("plan", Text),
    ("start", Int),
    ("dimensions", Text),
    ("subject", Bytes),
];

const SUBJECT_DAYS: Many = Many {
    columns: SUBJECT,
    sql: "INSERT INTO subject_days (consumer, meter, plan, start, dimensions, subject) {rows} \
          ON CONFLICT (consumer, meter, plan, start, {dimensions}, subject) DO NOTHING",
    sqlite: None,
};

const DELETE_SUBJECT_HOURS: Many = Many {
    columns: SUBJECT,
    sql: "DELETE FROM subject_hours u USING {v} WHERE u.consumer = v.consumer AND u.meter = v.meter AND u.plan = v.plan \
          AND u.start = v.start AND md5(u.dimensions) = md5(v.dimensions) AND u.subject = v.subject",
    sqlite: Some(
        "DELETE FROM subject_hours WHERE consumer = ?1 AND meter = ?2 AND plan = ?3 AND start = ?4 AND dimensions = ?5 \
         AND subject = ?6",
    ),
};

impl Ledger {
    /// Writes down how far a sink has come, and a note of its own, if both are still what the caller knows; whether they were, or had
    /// been moved so already. They are not if somebody else has moved them, or the tables were brought to another server.
    ///
    /// # Errors
    /// As of all writes.
    pub async fn advance(
        &mut self,
        sink: &str,
        from: (Cursor, &str),
        to: (Cursor, &str),
    ) -> Result<bool, Error> {
        let position =
            |(at, state): (Cursor, &str)| [at.transaction.into(), at.sequence.into(), Value::from(state)];
        let known = [&[Value::from(sink)], &position(to)[..], &position(from)[..]].concat();
        let is_new = from == (Cursor::default(), "");
        let moved = self.transaction(async |db| {
            let sql = "UPDATE sinks SET xid = $2, seq = $3, state = $4 WHERE name = $1 \
                       AND ((xid = $5 AND seq = $6 AND state = $7) OR (xid = $2 AND seq = $3 AND state = $4))";
            let mut moved = db.execute(sql, &known).await?;
            if moved == 0 && is_new {
                let sql = "INSERT INTO sinks (name, xid, seq, state) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING";
                moved = db.execute(sql, &known[..4]).await?;
            }
            failpoint::hit("ledger.advance");
            Ok(moved > 0)
        });
        let moved = moved.await?;
        failpoint::hit("ledger.advance");
        Ok(moved)
    }

    /// One bounded piece of what has to be done from time to time. Deletes events that are old enough and that each of these sinks
    /// has had, makes days of old hours, and gives room back. Credits are kept for ever, so that no top-up counts twice.
    ///
    /// # Errors
    /// As of all writes.
    pub async fn maintain(
        &mut self,
        retention: &Retention,
        sinks: &[&str],
        now: Timestamp,
    ) -> Result<Maintained, Error> {
        let now = now.as_microsecond();
        let before = |age: Duration, unit: i64| {
            let at = now.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
            at - at.rem_euclid(unit)
        };
        let (events, hours) = (before(retention.events, HOUR), before(retention.hours, DAY));
        let piece = i64::from(retention.piece.max(1));
        let mut done = self
            .transaction(async |db| {
                if db.is_shared() {
                    let lock = "SELECT pg_try_advisory_xact_lock(hashtextextended('sluice maintenance', 0))";
                    if db.query(lock, &[]).await?.first().map_or(Ok(0), |row| row.int(0))? == 0 {
                        return Ok(Maintained::default());
                    }
                }
                let deleted = delete(db, events, sinks, piece).await?;
                failpoint::hit("ledger.delete");
                let compacted = compact(db, hours, piece).await? + compact_subjects(db, hours, piece).await?;
                failpoint::hit("ledger.compact");
                Ok(Maintained { deleted, compacted, more: false })
            })
            .await?;
        failpoint::hit("ledger.compact");
        done.more = done.deleted > 0 || done.compacted > 0;
        self.drop_old_grants(now).await?;
        self.vacuum(retention.piece).await?;
        Ok(done)
    }

    /// Nobody reserves from a period that ended a day ago.
    async fn drop_old_grants(&mut self, now: i64) -> Result<(), Error> {
        let is_over = |pool: &Pool| match pool {
            Pool::Quota { period, .. } => period.end().as_microsecond() < now - DAY,
            Pool::Credit { .. } => false,
        };
        self.forget(is_over);
        let gateway = std::sync::Arc::clone(&self.settings.gateway);
        self.transaction(async |db| {
            if db.is_shared() { grants::drop_old(db, &gateway, now - DAY).await } else { Ok(()) }
        })
        .await
    }
}

/// Deletes events. The newest stays, whatever its age: SQLite gives its number plus one to the next.
async fn delete(db: &mut Db, before: i64, sinks: &[&str], piece: i64) -> Result<u64, Failure> {
    let mut until = Cursor { transaction: i64::MAX, sequence: i64::MAX };
    for sink in sinks {
        until = until.min(cursor(db, sink).await?.0);
    }
    // Events are about as old as their place in the order says.
    let sql = match db {
        Db::Sqlite(_) => {
            "SELECT seq, at, cost, consumer FROM events WHERE seq <= $2 AND seq < (SELECT max(seq) FROM events) AND $1 >= 0 \
             AND at < $4 ORDER BY seq LIMIT $3"
        }
        Db::Postgres(_) => {
            "SELECT seq, at, cost, consumer FROM events WHERE (xid, seq) <= (CAST(CAST($1 AS bigint) AS text)::xid8, $2) \
             AND seq < (SELECT max(seq) FROM events) AND at < $4 ORDER BY xid, seq LIMIT $3"
        }
    };
    let parameters =
        [Value::Int(until.transaction), Value::Int(until.sequence), Value::Int(piece), Value::Int(before)];
    let (mut sequences, mut costs) = (Vec::new(), BTreeMap::new());
    let rows = db.query(sql, &parameters).await?;
    for row in &rows {
        if row.int(1)? < before {
            sequences.push(row.int(0)?);
            let cost = row.int(2)?;
            if cost != 0 {
                let sum: &mut i64 = costs.entry(row.text(3)?).or_default();
                *sum = sum.saturating_add(cost);
            }
        }
    }
    if sequences.is_empty() {
        return Ok(0);
    }
    let deleted = sequences.len() as u64;
    db.many(&DELETE_EVENTS, &[Column::Int(sequences)]).await?;
    let (consumers, costs): (Vec<_>, Vec<_>) = costs.into_iter().unzip();
    if !consumers.is_empty() {
        // In the order in which writers lock them.
        write::lock(db, &consumers).await?;
    }
    db.many(&FORGET, &[Column::Text(consumers), Column::Int(costs)]).await?;
    // From here on rollups can be compared with events.
    db.execute(
        "INSERT INTO notes AS n (name, value) VALUES ('kept_from', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value \
         WHERE excluded.value > n.value",
        &[Value::Int(before)],
    )
    .await?;
    Ok(deleted)
}

/// Where a sink stands, and its note.
pub(super) async fn cursor(db: &mut Db, sink: &str) -> Result<(Cursor, String), Failure> {
    let rows = db.query("SELECT xid, seq, state FROM sinks WHERE name = $1", &[Value::from(sink)]).await?;
    let Some(row) = rows.first() else { return Ok((Cursor::default(), String::new())) };
    Ok((Cursor { transaction: row.int(0)?, sequence: row.int(1)? }, row.text(2)?.to_owned()))
}

async fn compact(db: &mut Db, before: i64, piece: i64) -> Result<u64, Failure> {
    let rows = db
        .query(
            "SELECT consumer, meter, plan, start, dimensions, count, sum, sum_high, max, latest, latest_at \
             FROM usage_hours WHERE start < $1 ORDER BY start LIMIT $2 {for_update}",
            &[Value::Int(before), Value::Int(piece)],
        )
        .await?;
    let mut days: BTreeMap<_, Delta> = BTreeMap::new();
    let mut keys = Vec::with_capacity(rows.len());
    for row in &rows {
        let start = row.int(3)?;
        let key = (row.text(0)?, row.text(1)?, row.text(2)?, start, row.text(4)?);
        let delta = Delta {
            count: row.int(5)?,
            sum: amount::join(row.int(7)?, row.int(6)?),
            max: row.int(8)?,
            latest: (row.int(10)?, row.int(9)?),
        };
        days.entry((key.0, key.1, key.2, start - start.rem_euclid(DAY), key.4))
            .and_modify(|day| {
                day.count += delta.count;
                day.sum += delta.sum;
                day.max = day.max.max(delta.max);
                day.latest = day.latest.max(delta.latest);
            })
            .or_insert(delta);
        keys.push(key);
    }
    let (high, low) = parts(days.values().map(|day| day.sum));
    let columns = [
        Column::Text(days.keys().map(|key| key.0).collect()),
        Column::Text(days.keys().map(|key| key.1).collect()),
        Column::Text(days.keys().map(|key| key.2).collect()),
        Column::Int(days.keys().map(|key| key.3).collect()),
        Column::Text(days.keys().map(|key| key.4).collect()),
        Column::Int(days.values().map(|day| day.count).collect()),
        Column::Int(low),
        Column::Int(high),
        Column::Int(days.values().map(|day| day.max).collect()),
        Column::Int(days.values().map(|day| day.latest.1).collect()),
        Column::Int(days.values().map(|day| day.latest.0).collect()),
    ];
    db.many(&DAYS, &columns).await?;
    let columns = [
        Column::Text(keys.iter().map(|key| key.0).collect()),
        Column::Text(keys.iter().map(|key| key.1).collect()),
        Column::Text(keys.iter().map(|key| key.2).collect()),
        Column::Int(keys.iter().map(|key| key.3).collect()),
        Column::Text(keys.iter().map(|key| key.4).collect()),
    ];
    db.many(&DELETE_HOURS, &columns).await?;
    Ok(keys.len() as u64)
}

async fn compact_subjects(db: &mut Db, before: i64, piece: i64) -> Result<u64, Failure> {
    let rows = db
        .query(
            "SELECT consumer, meter, plan, start, dimensions, subject FROM subject_hours WHERE start < $1 \
             ORDER BY start LIMIT $2 {for_update}",
            &[Value::Int(before), Value::Int(piece)],
        )
        .await?;
    let (mut keys, mut days) = (Vec::with_capacity(rows.len()), BTreeSet::new());
    for row in &rows {
        let (start, subject) = (row.int(3)?, row.maybe_bytes(5)?.unwrap_or_default());
        keys.push((row.text(0)?, row.text(1)?, row.text(2)?, start, row.text(4)?, subject));
        days.insert((
            row.text(0)?,
            row.text(1)?,
            row.text(2)?,
            start - start.rem_euclid(DAY),
            row.text(4)?,
            subject,
        ));
    }
    let days: Vec<_> = days.into_iter().collect();
    for (many, keys) in [(&SUBJECT_DAYS, &days), (&DELETE_SUBJECT_HOURS, &keys)] {
        let columns = [
            Column::Text(keys.iter().map(|key| key.0).collect()),
            Column::Text(keys.iter().map(|key| key.1).collect()),
            Column::Text(keys.iter().map(|key| key.2).collect()),
            Column::Int(keys.iter().map(|key| key.3).collect()),
            Column::Text(keys.iter().map(|key| key.4).collect()),
            Column::Bytes(keys.iter().map(|key| key.5).collect()),
        ];
        db.many(many, &columns).await?;
    }
    Ok(keys.len() as u64)
}
