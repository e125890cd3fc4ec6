//! What gateways hold of quotas and of credit, so that their workers need not ask for every request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::amount;
use super::batch::Tally;
use super::db::Db;
use super::failure::Failure;
use super::maintain::DAY;
use super::types::{Granted, Pool, Want};
use super::value::{Column, Kind, Many, Value};
use crate::period::{Every, Period};

use Kind::{Int, Text};

/// What a gateway holds, as it was told. With SQLite it is nowhere else.
pub(super) type Held = BTreeMap<Pool, i64>;

/// What is gone of quotas by the hour or day: three parts of sums, of what was used and of what is granted.
///
/// One statement, so that all is of one moment: a write moves from grants to usage.
macro_rules! used {
    ($($granted:literal)?) => {
        concat!(
            "SELECT i, CAST(sum(high) AS bigint), CAST(sum(middle) AS bigint), CAST(sum(low) AS bigint) FROM (\
             SELECT v.i AS i, u.sum_high AS high, u.sum / 1000000000 AS middle, u.sum % 1000000000 AS low \
             FROM {v} JOIN usage_hours u ON u.consumer = v.consumer AND u.meter = v.meter AND u.start >= v.start \
             AND u.start < v.stop UNION ALL \
             SELECT v.i, u.sum_high, u.sum / 1000000000, u.sum % 1000000000 \
             FROM {v} JOIN usage_days u ON u.consumer = v.consumer AND u.meter = v.meter AND u.start >= v.start \
             AND u.start < v.stop",
            $($granted,)?
            ") AS parts GROUP BY i"
        )
    };
}

/// The same by the month or year.
macro_rules! used_in_months {
    ($($granted:literal)?) => {
        concat!(
            "SELECT i, CAST(sum(high) AS bigint), CAST(sum(middle) AS bigint), CAST(sum(low) AS bigint) FROM (\
             SELECT v.i AS i, u.sum_high AS high, u.sum / 1000000000 AS middle, u.sum % 1000000000 AS low \
             FROM {v} JOIN usage_months u ON u.consumer = v.consumer AND u.meter = v.meter AND u.start >= v.start \
             AND u.start < v.stop",
            $($granted,)?
            ") AS parts GROUP BY i"
        )
    };
}

/// What is gone of credit: less than nothing while there is some.
macro_rules! owed {
    ($($granted:literal)?) => {
        concat!(
            "SELECT i, CAST(0 AS bigint), CAST(sum(middle) AS bigint), CAST(sum(low) AS bigint) FROM (\
             SELECT v.i AS i, (c.drawn - c.amount) / 1000000000 AS middle, (c.drawn - c.amount) % 1000000000 AS low \
             FROM {v} JOIN credits c ON c.consumer = v.consumer AND (c.expires IS NULL OR c.expires > v.start)",
            $($granted,)?
            ") AS parts GROUP BY i"
        )
    };
}

const COLUMNS: &[(&str, Kind)] =
    &[("i", Int), ("consumer", Text), ("meter", Text), ("per", Text), ("start", Int), ("stop", Int)];

const fn ask(sql: &'static str) -> Many {
    Many { columns: COLUMNS, sql, sqlite: None }
}

/// Alone: what is held is in memory.
const ALONE: [Many; 3] = [ask(used!()), ask(used_in_months!()), ask(owed!())];

/// With others, whose grants are rows.
const SHARED: [Many; 3] = [
    ask(used!(
        " UNION ALL SELECT v.i, 0, g.amount / 1000000000, g.amount % 1000000000 FROM {v} JOIN grants g \
         ON g.consumer = v.consumer AND g.meter = v.meter AND g.per = v.per AND g.start = v.start"
    )),
    ask(used_in_months!(
        " UNION ALL SELECT v.i, 0, g.amount / 1000000000, g.amount % 1000000000 FROM {v} JOIN grants g \
         ON g.consumer = v.consumer AND g.meter = v.meter AND g.per = v.per AND g.start = v.start"
    )),
    ask(owed!(
        " UNION ALL SELECT v.i, g.amount / 1000000000, g.amount % 1000000000 FROM {v} JOIN grants g \
         ON g.consumer = v.consumer AND g.per = 'credit'"
    )),
];

const SETTLE: Many = Many {
    columns: &[
        ("gateway", Text),
        ("consumer", Text),
        ("meter", Text),
        ("per", Text),
        ("start", Int),
        ("amount", Int),
    ],
    sql: "UPDATE grants SET amount = CASE WHEN grants.amount > v.amount THEN grants.amount - v.amount ELSE 0 END \
          FROM {v} WHERE grants.gateway = v.gateway AND grants.consumer = v.consumer AND grants.meter = v.meter \
          AND grants.per = v.per AND grants.start = v.start",
    sqlite: None,
};

const GRANT: Many = Many {
    columns: SETTLE.columns,
    sql: "INSERT INTO grants AS g (gateway, consumer, meter, per, start, amount) {rows} \
          ON CONFLICT (consumer, meter, per, start, gateway) DO UPDATE SET amount = g.amount + excluded.amount",
    sqlite: None,
};

/// Gateways whose lease is over lose what they had. One that renews at this moment holds its row's lock, and is left alone.
const EXPIRE: &str = "DELETE FROM gateways WHERE id IN (SELECT id FROM gateways WHERE expires <= \
                      CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AND id <> $1 \
                      FOR UPDATE SKIP LOCKED)";

/// One gateway at a time looks at a pool, in the order of their numbers.
const LOCK: Many = Many {
    columns: &[("name", Text)],
    sql: "SELECT count(pg_advisory_xact_lock(s.key)) FROM (SELECT DISTINCT hashtextextended('sluice pool ' || v.name, 0) \
          AS key FROM {v} ORDER BY 1) AS s",
    sqlite: None,
};

/// A pool as its row has it.
pub(super) struct Place<'a> {
    pub(super) consumer: &'a str,
    pub(super) meter: &'a str,
    pub(super) per: &'static str,
    pub(super) start: i64,
}

impl Pool {
    /// Whose it is.
    #[must_use]
    pub const fn consumer(&self) -> &Arc<str> {
        match self {
            Self::Quota { consumer, .. } | Self::Credit { consumer } => consumer,
        }
    }

    pub(super) fn place(&self) -> Place<'_> {
        match self {
            Self::Quota { consumer, meter, period } => {
                Place { consumer, meter, per: period.every.name(), start: period.start.as_microsecond() }
            }
            Self::Credit { consumer } => Place { consumer, meter: "", per: "credit", start: 0 },
        }
    }

    const fn kind(&self) -> usize {
        match self {
            Self::Quota { period: Period { every: Every::Hour | Every::Day, .. }, .. } => 0,
            Self::Quota { .. } => 1,
            Self::Credit { .. } => 2,
        }
    }
}

/// What is left for each want, before any of it is met.
async fn left(db: &mut Db, wants: &[Want], held: &Held) -> Result<Vec<i128>, Failure> {
    if db.is_shared() {
        return ask_for(db, wants, &SHARED).await;
    }
    let mut left = unspent(db, wants).await?;
    for (left, want) in left.iter_mut().zip(wants) {
        *left -= i128::from(held.get(&want.pool).copied().unwrap_or(0));
    }
    Ok(left)
}

/// What is left if nobody held anything.
pub(super) async fn unspent(db: &mut Db, wants: &[Want]) -> Result<Vec<i128>, Failure> {
    ask_for(db, wants, &ALONE).await
}

async fn ask_for(db: &mut Db, wants: &[Want], questions: &[Many; 3]) -> Result<Vec<i128>, Failure> {
    let limits =
        wants.iter().map(|want| if matches!(want.pool, Pool::Credit { .. }) { 0 } else { want.limit });
    let mut left: Vec<i128> = limits.map(i128::from).collect();
    for (kind, question) in questions.iter().enumerate() {
        let chosen: Vec<_> = wants.iter().enumerate().filter(|(_, want)| want.pool.kind() == kind).collect();
        let places: Vec<_> = chosen.iter().map(|(_, want)| want.pool.place()).collect();
        let bounds = chosen.iter().map(|(_, want)| match &want.pool {
            Pool::Quota { period, .. } => (period.start.as_microsecond(), period.end().as_microsecond()),
            Pool::Credit { .. } => (want.at.as_microsecond(), 0),
        });
        let (starts, stops) = bounds.unzip();
        let columns = [
            Column::Int(
                (0_i64..).zip(wants).filter(|(_, want)| want.pool.kind() == kind).map(|(i, _)| i).collect(),
            ),
            Column::Text(places.iter().map(|place| place.consumer).collect()),
            Column::Text(places.iter().map(|place| place.meter).collect()),
            Column::Text(places.iter().map(|place| place.per).collect()),
            Column::Int(starts),
            Column::Int(stops),
        ];
        for row in db.many(question, &columns).await? {
            if let Some(left) = usize::try_from(row.int(0)?).ok().and_then(|index| left.get_mut(index)) {
                *left -= amount::add_up(row.int(1)?, row.int(2)?, row.int(3)?);
            }
        }
    }
    Ok(left)
}

/// How much each gets. Who is alone gets all that is left; others a third of it, or what is needed if that is more.
pub(super) fn share(wants: &[Want], left: &[i128], is_alone: bool) -> Vec<Granted> {
    let mut given: BTreeMap<&Pool, i128> = BTreeMap::new();
    let shares = wants.iter().zip(left).map(|(want, left)| {
        let given = given.entry(&want.pool).or_default();
        let left = amount::clamp(left - *given);
        let share = if is_alone { left } else { (left / 3).max(want.amount) };
        let amount = if left <= 0 || want.amount > left { 0 } else { share };
        *given += i128::from(amount);
        Granted { amount, left }
    });
    shares.collect()
}

/// Looks, shares out and writes down; all but the commit.
pub(super) async fn acquire(
    db: &mut Db,
    gateway: &str,
    wants: &[Want],
    held: &Held,
) -> Result<Vec<Granted>, Failure> {
    if !db.is_shared() {
        return Ok(share(wants, &left(db, wants, held).await?, true));
    }
    db.execute(EXPIRE, &[Value::from(gateway)]).await?;
    let names: Vec<_> = wants.iter().map(|want| name(&want.pool)).collect();
    db.many(&LOCK, &[Column::Text(names.iter().map(String::as_str).collect())]).await?;
    let granted = share(wants, &left(db, wants, held).await?, false);
    let mut sums: BTreeMap<&Pool, i64> = BTreeMap::new();
    for (want, granted) in wants.iter().zip(&granted).filter(|(_, granted)| granted.amount > 0) {
        *sums.entry(&want.pool).or_default() += granted.amount;
    }
    db.many(&GRANT, &rows(gateway, sums.into_iter())).await?;
    Ok(granted)
}

fn name(pool: &Pool) -> String {
    let Place { consumer, meter, per, start } = pool.place();
    format!("{per} {start} {meter} {consumer}")
}

fn rows<'a>(gateway: &'a str, amounts: impl Iterator<Item = (&'a Pool, i64)>) -> Vec<Column<'a>> {
    let amounts: Vec<_> = amounts.map(|(pool, amount)| (pool.place(), amount)).collect();
    vec![
        Column::Text(vec![gateway; amounts.len()]),
        Column::Text(amounts.iter().map(|(place, _)| place.consumer).collect()),
        Column::Text(amounts.iter().map(|(place, _)| place.meter).collect()),
        Column::Text(amounts.iter().map(|(place, _)| place.per).collect()),
        Column::Int(amounts.iter().map(|(place, _)| place.start).collect()),
        Column::Int(amounts.iter().map(|(_, amount)| *amount).collect()),
    ]
}

/// Takes what a batch has used off our rows.
pub(super) async fn settle(db: &mut Db, gateway: &str, tally: &Tally<'_>) -> Result<(), Failure> {
    db.many(&SETTLE, &rows(gateway, tally.settled.iter().map(|(pool, amount)| (*pool, *amount)))).await?;
    let paid: Vec<_> = tally.paid.iter().map(|(consumer, amount)| (credit(consumer), *amount)).collect();
    db.many(&SETTLE, &rows(gateway, paid.iter().map(|(pool, amount)| (pool, *amount)))).await.map(drop)
}

/// Takes what comes back off our rows.
pub(super) async fn give_back(db: &mut Db, gateway: &str, back: &Held) -> Result<(), Failure> {
    db.many(&SETTLE, &rows(gateway, back.iter().map(|(pool, amount)| (pool, *amount)))).await.map(drop)
}

/// Prolongs our lease. `false` if it was over: then a new one begins, and nothing is held.
pub(super) async fn keep(
    db: &mut Db,
    gateway: &str,
    lease: Duration,
    is_over: bool,
) -> Result<bool, Failure> {
    let lease = Value::Int(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX >> 8));
    let row = [Value::from(gateway), lease];
    if !is_over {
        let kept = db
            .execute(
                "UPDATE gateways SET expires = CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) + $2 \
                 WHERE id = $1",
                &row,
            )
            .await?;
        if kept > 0 {
            return Ok(true);
        }
    }
    db.execute("DELETE FROM gateways WHERE id = $1", &row[..1]).await?;
    db.execute(
        "INSERT INTO gateways (id, expires) \
         VALUES ($1, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) + $2)",
        &row,
    )
    .await?;
    Ok(false)
}

/// Writes our rows anew, as we know them: the last transaction may have come through without our knowing.
pub(super) async fn restore(db: &mut Db, gateway: &str, held: &Held) -> Result<(), Failure> {
    db.execute("DELETE FROM grants WHERE gateway = $1", &[Value::from(gateway)]).await?;
    db.many(&GRANT, &rows(gateway, held.iter().map(|(pool, amount)| (pool, *amount)))).await.map(drop)
}

/// Deletes our rows of which nothing is left, and those of periods that ended before this.
pub(super) async fn drop_old(db: &mut Db, gateway: &str, before: i64) -> Result<(), Failure> {
    // No period of its kind is longer.
    let days = [1, 31, 366].map(|days| Value::Int(before - days * DAY));
    let mut parameters = vec![Value::from(gateway)];
    parameters.extend(days);
    db.execute(
        "DELETE FROM grants WHERE gateway = $1 AND (amount = 0 OR (per IN ('hour', 'day') AND start < $2) \
         OR (per = 'month' AND start < $3) OR (per = 'year' AND start < $4))",
        &parameters,
    )
    .await
    .map(drop)
}

pub(super) fn credit(consumer: &str) -> Pool {
    Pool::Credit { consumer: consumer.into() }
}

/// Takes off what we know to hold.
pub(super) fn reduce(held: &mut Held, pool: &Pool, amount: i64) {
    if let Some(sum) = held.get_mut(pool) {
        *sum = sum.saturating_sub(amount).max(0);
        if *sum == 0 {
            held.remove(pool);
        }
    }
}
