//! Writing a batch: events, rollups, grants and credit in one transaction.

use std::collections::{HashMap, HashSet};

use super::amount;
use super::batch::{Batch, Hourly, Monthly, Tally, parts};
use super::db::Db;
use super::failure::{Failure, Remedy};
use super::grants;
use super::purse::{Coin, Purse};
use super::types::Written;
use super::value::{Column, Kind, Many};
use crate::Nanos;
use crate::failpoint;

use Kind::{Bytes, Int, Text};

/// Events whose write ended without an answer: request, meter, gateway.
pub(super) type Doubt = HashSet<(String, String, String)>;

const LOCK: Many = Many {
    columns: &[("consumer", Text)],
    sql: "SELECT a.consumer FROM accounts a WHERE a.consumer IN (SELECT v.consumer FROM {v}) \
          ORDER BY a.consumer {for_update}",
    sqlite: None,
};

const ACCOUNT: Many = Many {
    columns: &[("consumer", Text), ("drawn", Int), ("forgotten", Int)],
    sql: "INSERT INTO accounts AS a (consumer, drawn, forgotten) {rows} ON CONFLICT (consumer) DO UPDATE SET drawn = \
          CASE WHEN a.drawn > 9223372036854775807 - excluded.drawn THEN 9223372036854775807 ELSE a.drawn + excluded.drawn END",
    sqlite: None,
};

const NEW_ACCOUNT: Many = Many {
    columns: &[("consumer", Text), ("drawn", Int), ("forgotten", Int)],
    sql: "INSERT INTO accounts (consumer, drawn, forgotten) {rows} ON CONFLICT (consumer) DO NOTHING",
    sqlite: None,
};

const KNOWN: Many = Many {
    columns: &[("i", Int), ("request", Text), ("meter", Text), ("gateway", Text)],
    sql: "SELECT v.i, e.cost FROM {v} JOIN events e \
          ON e.request = v.request AND e.meter = v.meter AND e.gateway = v.gateway",
    sqlite: Some("SELECT ?1, cost FROM events WHERE request = ?2 AND meter = ?3 AND gateway = ?4"),
};

const BEFORE: Many = Many {
    columns: &[("i", Int), ("consumer", Text), ("meter", Text), ("plan", Text), ("start", Int)],
    sql: "SELECT v.i, m.sum, m.sum_high, m.free, m.free_high FROM {v} JOIN usage_months m \
          ON m.consumer = v.consumer AND m.meter = v.meter AND m.plan = v.plan AND m.start = v.start",
    sqlite: None,
};

const COINS: Many = Many {
    columns: &[("i", Int), ("consumer", Text)],
    sql: "SELECT v.i, c.kind, c.id, c.amount - c.drawn, c.expires FROM {v} JOIN credits c ON c.consumer = v.consumer \
          WHERE c.drawn < c.amount",
    sqlite: None,
};

const EVENTS: Many = Many {
    columns: &[
        ("gateway", Text),
        ("request", Text),
        ("meter", Text),
        ("consumer", Text),
        ("plan", Text),
        ("route", Text),
        ("at", Int),
        ("value", Int),
        ("subject", Bytes),
        ("dimensions", Text),
        ("cost", Int),
    ],
    sql: "INSERT INTO events (gateway, request, meter, consumer, plan, route, at, value, subject, dimensions, cost) {rows}",
    sqlite: None,
};

const HOURS: Many = Many {
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
        "INSERT INTO usage_hours AS u (consumer, meter, plan, start, dimensions, count, sum, sum_high, max, latest, \
         latest_at) {rows} ON CONFLICT (consumer, meter, plan, start, {dimensions}) DO UPDATE SET ",
        super::merge_usage!()
    ),
    sqlite: None,
};

const MONTHS: Many = Many {
    columns: &[
        ("consumer", Text),
        ("meter", Text),
        ("plan", Text),
        ("start", Int),
        ("sum", Int),
        ("sum_high", Int),
        ("free", Int),
        ("free_high", Int),
        ("cost", Int),
    ],
    sql: "INSERT INTO usage_months AS u (consumer, meter, plan, start, sum, sum_high, free, free_high, cost) {rows} \
          ON CONFLICT (consumer, meter, plan, start) DO UPDATE SET \
          sum = (u.sum + excluded.sum) % 1000000000000000000, \
          sum_high = u.sum_high + excluded.sum_high + (u.sum + excluded.sum) / 1000000000000000000, \
          free = (u.free + excluded.free) % 1000000000000000000, \
          free_high = u.free_high + excluded.free_high + (u.free + excluded.free) / 1000000000000000000, \
          cost = CASE WHEN u.cost > 9223372036854775807 - excluded.cost THEN 9223372036854775807 \
          ELSE u.cost + excluded.cost END",
    sqlite: None,
};

const SUBJECTS: Many = Many {
    columns: &[
        ("consumer", Text),
        ("meter", Text),
        ("plan", Text),
        ("start", Int),
        ("dimensions", Text),
        ("subject", Bytes),
    ],
    sql: "INSERT INTO subject_hours (consumer, meter, plan, start, dimensions, subject) {rows} \
          ON CONFLICT (consumer, meter, plan, start, {dimensions}, subject) DO NOTHING",
    sqlite: None,
};

const DRAW: Many = Many {
    columns: &[("kind", Text), ("id", Text), ("drawn", Int)],
    sql: "UPDATE credits SET drawn = credits.drawn + v.drawn FROM {v} WHERE credits.kind = v.kind AND credits.id = v.id",
    sqlite: None,
};

const DEBT: Many = Many {
    columns: &[
        ("kind", Text),
        ("id", Text),
        ("consumer", Text),
        ("amount", Int),
        ("drawn", Int),
        ("at", Int),
    ],
    sql: "INSERT INTO credits AS c (kind, id, consumer, amount, drawn, at) {rows} ON CONFLICT (kind, id) DO UPDATE SET drawn = \
          CASE WHEN c.drawn > 9223372036854775807 - excluded.drawn THEN 9223372036854775807 ELSE c.drawn + excluded.drawn END",
    sqlite: None,
};

/// What a transaction has found out.
pub(super) struct Outcome<'b> {
    /// As it is told.
    pub(super) written: Vec<Written>,
    /// What grants are reduced by.
    pub(super) tally: Tally<'b>,
}

/// All but the commit.
pub(super) async fn write<'b>(
    db: &mut Db,
    batch: &'b Batch<'_>,
    doubt: Option<&Doubt>,
    gateway: &str,
) -> Result<Outcome<'b>, Failure> {
    let known = known(db, batch).await?;
    let (mut before, mut purses) = (HashMap::new(), HashMap::new());
    if batch.draws() {
        lock(db, &batch.payers()).await?;
        before = self::before(db, batch).await?;
        purses = self::purses(db, &batch.payers()).await?;
    }
    let mut written = batch.settle(&known, before, &mut purses);
    failpoint::hit("ledger.before-events");
    events(db, batch, &written).await?;
    failpoint::hit("ledger.after-events");
    let mut tally = batch.tally(&written);
    rollups(db, &tally).await?;
    credit(db, &tally, &purses).await?;
    if let Some(doubt) = doubt {
        let again = batch.lines.iter().enumerate().zip(&written).map(|((index, line), written)| {
            let (request, meter, gateway) = line.identity();
            let is_ours = line.first == index
                && !written.fresh
                && doubt.contains(&(request.to_owned(), meter.to_owned(), gateway.to_owned()));
            Written { fresh: is_ours, cost: written.cost }
        });
        let again: Vec<_> = again.collect();
        tally.settle_again(&batch.lines, &again);
        for (written, again) in written.iter_mut().zip(again) {
            written.fresh |= again.fresh;
        }
    }
    if db.is_shared() {
        grants::settle(db, gateway, &tally).await?;
    }
    Ok(Outcome { written, tally })
}

/// Those of the events that are there already, with their cost.
async fn known(db: &mut Db, batch: &Batch<'_>) -> Result<Vec<Option<Nanos>>, Failure> {
    let ids = || batch.lines.iter().map(super::batch::Line::identity);
    let columns = [
        Column::Int((0_i64..).take(batch.lines.len()).collect()),
        Column::Text(ids().map(|id| id.0).collect()),
        Column::Text(ids().map(|id| id.1).collect()),
        Column::Text(ids().map(|id| id.2).collect()),
    ];
    let mut known = vec![None; batch.lines.len()];
    for row in db.many(&KNOWN, &columns).await? {
        if let Some(known) = usize::try_from(row.int(0)?).ok().and_then(|index| known.get_mut(index)) {
            *known = Some(row.int(1)?);
        }
    }
    Ok(known)
}

/// From here to the commit no other gateway prices or draws anything for these consumers.
pub(super) async fn lock(db: &mut Db, consumers: &[&str]) -> Result<(), Failure> {
    if db.is_shared() {
        let zeros = || Column::Int(vec![0; consumers.len()]);
        db.many(&NEW_ACCOUNT, &[Column::Text(consumers.to_vec()), zeros(), zeros()]).await?;
        db.many(&LOCK, &[Column::Text(consumers.to_vec())]).await?;
    }
    Ok(())
}

/// What was used in these months, without what was free.
async fn before<'a>(db: &mut Db, batch: &Batch<'a>) -> Result<HashMap<Monthly<'a>, i128>, Failure> {
    let months = batch.priced();
    let columns = [
        Column::Int((0_i64..).take(months.len()).collect()),
        Column::Text(months.iter().map(|month| month.0).collect()),
        Column::Text(months.iter().map(|month| month.1).collect()),
        Column::Text(months.iter().map(|month| month.2).collect()),
        Column::Int(months.iter().map(|month| month.3).collect()),
    ];
    let mut before: HashMap<_, _> = months.iter().map(|month| (*month, 0)).collect();
    for row in db.many(&BEFORE, &columns).await? {
        let Some(month) = usize::try_from(row.int(0)?).ok().and_then(|index| months.get(index)) else {
            continue;
        };
        let sum = amount::join(row.int(2)?, row.int(1)?) - amount::join(row.int(4)?, row.int(3)?);
        before.insert(*month, sum);
    }
    Ok(before)
}

/// What these consumers can draw from.
pub(super) async fn purses<'a>(
    db: &mut Db,
    consumers: &[&'a str],
) -> Result<HashMap<&'a str, Purse>, Failure> {
    let mut coins: HashMap<&str, Vec<Coin>> =
        consumers.iter().map(|consumer| (*consumer, Vec::new())).collect();
    let columns = [Column::Int((0_i64..).take(consumers.len()).collect()), Column::Text(consumers.to_vec())];
    for row in db.many(&COINS, &columns).await? {
        let consumer = usize::try_from(row.int(0)?).ok().and_then(|index| consumers.get(index));
        let Some(coins) = consumer.and_then(|consumer| coins.get_mut(consumer)) else { continue };
        coins.push(Coin {
            kind: row.text(1)?.to_owned(),
            id: row.text(2)?.to_owned(),
            left: row.int(3)?,
            expires: row.maybe_int(4)?,
            drawn: 0,
        });
    }
    Ok(coins.into_iter().map(|(consumer, coins)| (consumer, Purse::new(coins))).collect())
}

async fn events(db: &mut Db, batch: &Batch<'_>, written: &[Written]) -> Result<(), Failure> {
    let fresh: Vec<_> = batch.lines.iter().zip(written).filter(|(_, written)| written.fresh).collect();
    let events = || fresh.iter().map(|(line, _)| &line.entry.event);
    let columns = [
        Column::Text(events().map(|event| &*event.gateway).collect()),
        Column::Text(fresh.iter().map(|(line, _)| &*line.request).collect()),
        Column::Text(events().map(|event| &*event.meter).collect()),
        Column::Text(events().map(|event| &*event.consumer).collect()),
        Column::Text(events().map(|event| &*event.plan).collect()),
        Column::Text(events().map(|event| &*event.route).collect()),
        Column::Int(fresh.iter().map(|(line, _)| line.at).collect()),
        Column::Int(events().map(|event| event.value).collect()),
        Column::MaybeBytes(events().map(|event| event.subject.as_ref().map(<[u8; 16]>::as_slice)).collect()),
        Column::Text(fresh.iter().map(|(line, _)| &*line.dimensions).collect()),
        Column::Int(fresh.iter().map(|(_, written)| written.cost).collect()),
    ];
    db.many(&EVENTS, &columns).await.map(drop)
}

async fn rollups(db: &mut Db, tally: &Tally<'_>) -> Result<(), Failure> {
    let months: Vec<_> = tally.months.keys().collect();
    let (high, low) = parts(tally.months.values().map(|month| month.sum));
    let (free_high, free) = parts(tally.months.values().map(|month| month.free));
    let columns = [
        Column::Text(months.iter().map(|key| key.0).collect()),
        Column::Text(months.iter().map(|key| key.1).collect()),
        Column::Text(months.iter().map(|key| key.2).collect()),
        Column::Int(months.iter().map(|key| key.3).collect()),
        Column::Int(low),
        Column::Int(high),
        Column::Int(free),
        Column::Int(free_high),
        Column::Int(tally.months.values().map(|month| month.cost).collect()),
    ];
    db.many(&MONTHS, &columns).await?;

    let deltas = || tally.hours.values();
    let (high, low) = parts(deltas().map(|delta| delta.sum));
    let mut columns = keys(tally.hours.keys());
    columns.extend([
        Column::Int(deltas().map(|delta| delta.count).collect()),
        Column::Int(low),
        Column::Int(high),
        Column::Int(deltas().map(|delta| delta.max).collect()),
        Column::Int(deltas().map(|delta| delta.latest.1).collect()),
        Column::Int(deltas().map(|delta| delta.latest.0).collect()),
    ]);
    db.many(&HOURS, &columns).await?;

    let mut columns = keys(tally.subjects.keys().map(|(key, _)| key));
    columns.push(Column::Bytes(tally.subjects.keys().map(|(_, subject)| *subject).collect()));
    db.many(&SUBJECTS, &columns).await.map(drop)
}

fn keys<'a>(keys: impl Iterator<Item = &'a Hourly<'a>> + Clone) -> Vec<Column<'a>> {
    vec![
        Column::Text(keys.clone().map(|key| key.0).collect()),
        Column::Text(keys.clone().map(|key| key.1).collect()),
        Column::Text(keys.clone().map(|key| key.2).collect()),
        Column::Int(keys.clone().map(|key| key.3).collect()),
        Column::Text(keys.map(|key| key.4).collect()),
    ]
}

/// Writes down what was drawn.
async fn credit(db: &mut Db, tally: &Tally<'_>, purses: &HashMap<&str, Purse>) -> Result<(), Failure> {
    if tally.drawn.is_empty() {
        return Ok(());
    }
    let mut coins: Vec<_> = purses.values().flat_map(Purse::changed).collect();
    coins.sort_unstable_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
    let columns = [
        Column::Text(coins.iter().map(|coin| &*coin.kind).collect()),
        Column::Text(coins.iter().map(|coin| &*coin.id).collect()),
        Column::Int(coins.iter().map(|coin| coin.drawn).collect()),
    ];
    db.many(&DRAW, &columns).await?;
    let mut debts: Vec<_> = purses.iter().filter(|(_, purse)| purse.debt > 0).collect();
    debts.sort_unstable_by_key(|(consumer, _)| **consumer);
    owe(db, &debts.iter().map(|(consumer, purse)| (**consumer, purse.debt)).collect::<Vec<_>>()).await?;
    let columns = [
        Column::Text(tally.drawn.keys().copied().collect()),
        Column::Int(tally.drawn.values().copied().collect()),
        Column::Int(vec![0; tally.drawn.len()]),
    ];
    db.many(&ACCOUNT, &columns).await.map(drop)
}

async fn owe(db: &mut Db, debts: &[(&str, Nanos)]) -> Result<(), Failure> {
    let zeros = || Column::Int(vec![0; debts.len()]);
    let consumers = || Column::Text(debts.iter().map(|debt| debt.0).collect());
    let columns = [
        Column::Text(vec!["debt"; debts.len()]),
        consumers(),
        consumers(),
        zeros(),
        Column::Int(debts.iter().map(|debt| debt.1).collect()),
        zeros(),
    ];
    db.many(&DEBT, &columns).await.map(drop)
}

/// What is in doubt when a commit of this has no answer.
pub(super) fn in_doubt(batch: &Batch<'_>, written: &[Written]) -> Doubt {
    let fresh = batch.lines.iter().zip(written).filter(|(_, written)| written.fresh);
    fresh
        .map(|(line, _)| {
            let (request, meter, gateway) = line.identity();
            (request.to_owned(), meter.to_owned(), gateway.to_owned())
        })
        .collect()
}

/// How often a transaction is tried that others get into the way of.
pub(super) const ATTEMPTS: usize = 10;

/// Whether to try again.
pub(super) const fn is_worth_it(failure: &Failure, attempt: usize) -> bool {
    matches!(failure.remedy, Remedy::Again) && attempt < ATTEMPTS
}
