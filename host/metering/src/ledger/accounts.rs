//! Credit and subscriptions: what is paid ahead, and which plan a consumer is on.

use std::sync::Arc;

use jiff::Timestamp;

use super::db::Db;
use super::failure::Failure;
use super::types::{Subscription, TopUp};
use super::value::{Column, Kind, Many, Value};
use super::{Durability, Error, Ledger, write};
use crate::meter::{Aggregation, Meter};
use crate::{Nanos, failpoint};

const CURRENT: Many = Many {
    columns: &[("i", Kind::Int), ("consumer", Kind::Text)],
    sql: "SELECT v.i, s.since, s.plan, s.until FROM {v} JOIN subscriptions s ON s.consumer = v.consumer \
          ORDER BY v.i, s.since",
    sqlite: None,
};

const GIVEN: Many = Many {
    columns: &[("i", Kind::Int), ("id", Kind::Text)],
    sql: "SELECT v.i FROM {v} JOIN credits c ON c.kind = 'plan' AND c.id = v.id",
    sqlite: None,
};

impl Ledger {
    /// Adds credit, and pays the debt with it first. `false` if this was done before: then nothing changes. It is on the disk when
    /// this returns, whatever the durability.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless the amount is above 0. [`Error::Conflict`] if one of this id is of another consumer, amount or expiry.
    pub async fn top_up(&mut self, top_up: &TopUp) -> Result<bool, Error> {
        if top_up.amount <= 0 {
            return Err(Error::Invalid("a top-up is of more than 0".into()));
        }
        let durability = self.settings.durability;
        let is_new = self
            .transaction(async |db| {
                last(db, durability).await?;
                write::lock(db, &[&top_up.consumer]).await?;
                let is_new = add(db, "paid", top_up).await?;
                if !is_new && !is_as_booked(db, top_up).await? {
                    return Err(Error::Conflict(top_up.id.clone()).into());
                }
                failpoint::hit("ledger.top-up");
                Ok(is_new)
            })
            .await?;
        failpoint::hit("ledger.top-up");
        self.sync().await?;
        Ok(is_new)
    }

    /// Writes down how meters count, the first time that they do.
    ///
    /// # Errors
    /// [`Error::Redefined`] if one has counted otherwise: then nothing is written down.
    pub async fn declare(&mut self, meters: &[Arc<Meter>]) -> Result<(), Error> {
        self.transaction(async |db| {
            for meter in meters {
                declare(db, meter).await?;
            }
            Ok(())
        })
        .await
    }

    /// Writes down which plans consumers are on from now on, and gives what the plans give, once. Returns when each subscription that
    /// is not to none began, in the order of `all`. Who is not in `all` stays on their plan.
    ///
    /// What was is never changed: a configured start that reaches into an earlier subscription counts from that one's end.
    ///
    /// # Errors
    /// As of all writes.
    pub async fn subscribe(
        &mut self,
        all: &[Subscription],
        now: Timestamp,
    ) -> Result<Vec<(Arc<str>, Timestamp)>, Error> {
        let durability = self.settings.durability;
        let starts = self
            .transaction(async |db| {
                last(db, durability).await?;
                if db.is_shared() {
                    db.query(
                        "SELECT count(pg_advisory_xact_lock(hashtextextended('sluice subscriptions', 0)))",
                        &[],
                    )
                    .await?;
                }
                subscribe(db, all, now.as_microsecond()).await
            })
            .await?;
        self.sync().await?;
        let starts = all.iter().zip(starts);
        Ok(starts
            .filter_map(|(one, start)| Some((Arc::clone(&one.consumer), super::batch::moment(start?))))
            .collect())
    }
}

/// What was paid is not lost with the machine, even if usage may be.
async fn last(db: &mut Db, durability: Durability) -> Result<(), Failure> {
    match db {
        Db::Postgres(postgres) if durability == Durability::Group => {
            postgres.script("SET LOCAL synchronous_commit = on").await
        }
        _ => Ok(()),
    }
}

/// Adds a credit under its account's lock; `false` if there is one of this id.
async fn add(db: &mut Db, kind: &str, top_up: &TopUp) -> Result<bool, Failure> {
    let consumer = Value::from(&*top_up.consumer);
    let row = [
        Value::from(kind),
        Value::from(&*top_up.id),
        consumer.clone(),
        Value::Int(top_up.amount),
        Value::Int(top_up.at.as_microsecond()),
        Value::from(top_up.expires.map(Timestamp::as_microsecond)),
    ];
    let insert = "INSERT INTO credits (kind, id, consumer, amount, drawn, at, expires) VALUES ($1, $2, $3, $4, 0, $5, $6) \
                  ON CONFLICT (kind, id) DO NOTHING";
    if db.execute(insert, &row).await? == 0 {
        return Ok(false);
    }
    failpoint::hit("ledger.top-up");
    let debt = db
        .query("SELECT drawn FROM credits WHERE kind = 'debt' AND id = $1", std::slice::from_ref(&consumer))
        .await?;
    let debt: Nanos = debt.first().map_or(Ok(0), |row| row.int(0))?;
    let paid = debt.min(top_up.amount);
    if paid > 0 {
        let row = [Value::Int(paid), Value::from(kind), Value::from(&*top_up.id)];
        db.execute("UPDATE credits SET drawn = drawn + $1 WHERE kind = $2 AND id = $3", &row).await?;
        let row = [Value::Int(paid), consumer];
        db.execute("UPDATE credits SET drawn = drawn - $1 WHERE kind = 'debt' AND id = $2", &row).await?;
    }
    Ok(true)
}

/// What there is of a meter is in its smallest units, put together as it did: both are a note of one number.
async fn declare(db: &mut Db, meter: &Meter) -> Result<(), Failure> {
    let name = Value::from(format!("meter {}", meter.name).as_str());
    let is = number(meter);
    let insert = "INSERT INTO notes (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    if db.execute(insert, &[name.clone(), Value::Int(is)]).await? > 0 {
        return Ok(());
    }
    let rows = db.query("SELECT value FROM notes WHERE name = $1", &[name]).await?;
    let was = rows.first().map_or(Ok(is), |row| row.int(0))?;
    if was == is {
        return Ok(());
    }
    let (was, is) = (told(was), told(is));
    Err(Error::Redefined { meter: Arc::clone(&meter.name), was, is }.into())
}

/// How a meter counts.
fn number(meter: &Meter) -> i64 {
    let place = AGGREGATIONS.iter().position(|it| *it == meter.aggregation).unwrap_or_default();
    i64::try_from(place).unwrap_or_default() << 8 | i64::from(meter.decimals)
}

fn told(number: i64) -> String {
    let aggregation = usize::try_from(number >> 8).ok().and_then(|place| AGGREGATIONS.get(place));
    format!("`{}` with {} decimals", aggregation.map_or("?", |it| it.name()), number & 0xff)
}

/// By their numbers in the ledger.
const AGGREGATIONS: [Aggregation; 5] =
    [Aggregation::Count, Aggregation::Sum, Aggregation::Max, Aggregation::Unique, Aggregation::Latest];

/// Whether the top-up of this id is of the same.
async fn is_as_booked(db: &mut Db, top_up: &TopUp) -> Result<bool, Failure> {
    let sql = "SELECT consumer, amount, expires FROM credits WHERE kind = 'paid' AND id = $1";
    let rows = db.query(sql, &[Value::from(&*top_up.id)]).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    let expires = top_up.expires.map(Timestamp::as_microsecond);
    let is_same = row.text(0)? == &*top_up.consumer && row.int(1)? == top_up.amount;
    Ok(is_same && row.maybe_int(2)? == expires)
}

/// A row of `subscriptions`.
struct Row {
    since: i64,
    plan: String,
    until: Option<i64>,
}

async fn subscribe(db: &mut Db, all: &[Subscription], now: i64) -> Result<Vec<Option<i64>>, Failure> {
    let columns = [
        Column::Int((0_i64..).take(all.len()).collect()),
        Column::Text(all.iter().map(|one| &*one.consumer).collect()),
    ];
    let mut rows: Vec<Vec<Row>> = all.iter().map(|_| Vec::new()).collect();
    for row in db.many(&CURRENT, &columns).await? {
        if let Some(rows) = usize::try_from(row.int(0)?).ok().and_then(|index| rows.get_mut(index)) {
            rows.push(Row { since: row.int(1)?, plan: row.text(2)?.to_owned(), until: row.maybe_int(3)? });
        }
    }
    let mut starts = Vec::with_capacity(all.len());
    for (one, rows) in all.iter().zip(&rows) {
        starts.push(change(db, one, rows, now).await?);
    }
    give(db, all, &starts, now).await?;
    Ok(starts)
}

/// Writes down one consumer's plan; when it began.
async fn change(db: &mut Db, one: &Subscription, rows: &[Row], now: i64) -> Result<Option<i64>, Failure> {
    let since = one.since.map(Timestamp::as_microsecond);
    let consumer = Value::from(&*one.consumer);
    let (current, earlier) = match rows.split_last() {
        Some((last, earlier)) if last.until.is_none() => (Some(last), earlier),
        _ => (None, rows),
    };
    let free_from = earlier.last().and_then(|row| row.until).unwrap_or(i64::MIN);
    let start = match current {
        Some(current) if *current.plan == *one.plan => since.unwrap_or(current.since).max(free_from),
        // A start that was configured for the plan before says nothing about this one.
        Some(current) => since.filter(|since| *since > current.since).unwrap_or(now.max(current.since)),
        None => since.unwrap_or(now).max(free_from),
    };
    if let Some(current) = current {
        if *current.plan == *one.plan && current.since == start {
            return Ok(Some(start));
        }
        failpoint::hit("ledger.subscribe");
        if *current.plan == *one.plan || current.since == start {
            let row = [consumer.clone(), Value::Int(current.since)];
            db.execute("DELETE FROM subscriptions WHERE consumer = $1 AND since = $2", &row).await?;
        } else {
            let row = [consumer.clone(), Value::Int(current.since), Value::Int(start)];
            db.execute("UPDATE subscriptions SET until = $3 WHERE consumer = $1 AND since = $2", &row)
                .await?;
        }
    }
    if one.plan.is_empty() {
        return Ok(None);
    }
    let row = [consumer, Value::Int(start), Value::from(&*one.plan)];
    // One that was ended in the moment in which it began is no more.
    db.execute(
        "INSERT INTO subscriptions (consumer, since, plan) VALUES ($1, $2, $3) \
         ON CONFLICT (consumer, since) DO UPDATE SET plan = excluded.plan, until = NULL",
        &row,
    )
    .await?;
    Ok(Some(start))
}

/// Gives what plans give, to whom it was not given yet.
async fn give(db: &mut Db, all: &[Subscription], starts: &[Option<i64>], now: i64) -> Result<(), Failure> {
    let mut gifts = Vec::new();
    for (one, start) in all.iter().zip(starts) {
        let (Some(start), Some((amount, lasts))) = (start, one.grant) else { continue };
        let lasts = lasts.map(|lasts| i64::try_from(lasts.as_micros()).unwrap_or(i64::MAX));
        let expires = lasts.map(|lasts| super::batch::moment(start.saturating_add(lasts)));
        if amount > 0 {
            let id = format!("{}/{}", one.plan, one.consumer);
            let (consumer, at) = (Arc::clone(&one.consumer), super::batch::moment(now));
            gifts.push(TopUp { id, consumer, amount, at, expires });
        }
    }
    let columns = [
        Column::Int((0_i64..).take(gifts.len()).collect()),
        Column::Text(gifts.iter().map(|gift| &*gift.id).collect()),
    ];
    let mut given = vec![false; gifts.len()];
    for row in db.many(&GIVEN, &columns).await? {
        if let Some(given) = usize::try_from(row.int(0)?).ok().and_then(|index| given.get_mut(index)) {
            *given = true;
        }
    }
    let mut gifts: Vec<_> = gifts.into_iter().zip(given).filter(|(_, given)| !given).collect();
    gifts.sort_by(|a, b| a.0.consumer.cmp(&b.0.consumer));
    let mut consumers: Vec<_> = gifts.iter().map(|(gift, _)| &*gift.consumer).collect();
    consumers.dedup();
    if !consumers.is_empty() {
        write::lock(db, &consumers).await?;
    }
    for (gift, _) in &gifts {
        add(db, "plan", gift).await?;
    }
    Ok(())
}
