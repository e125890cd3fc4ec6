//! Usage in pages: by hour, day, month, year or in all, by consumer, meter and plan, and by the values of a dimension.

use std::collections::HashMap;

use super::Error;
use super::amount;
use super::batch::{HOUR, moment};
use super::check;
use super::db::Db;
use super::failure::Failure;
use super::maintain::DAY;
use super::types::{Page, Quantities, UsageQuery, UsageRow};
use super::value::{Row, Value};
use crate::period::Every;

/// What rows are ordered by: start, consumer, meter, plan, value of the dimension.
type Key = (i64, String, String, String, String);

/// What a page is asked for with.
struct Question {
    parameters: Vec<Value>,
    /// From `usage` or `subjects`, with `bucket` and `grp`, without what is filtered out.
    chosen: String,
}

/// One page.
pub(super) async fn page(db: &mut Db, query: &UsageQuery) -> Result<Page<UsageRow>, Failure> {
    if !(1..=UsageQuery::MOST).contains(&query.limit) {
        return Err(Error::Invalid(format!("a page has 1 to {} rows", UsageQuery::MOST)).into());
    }
    let after = query.after.as_deref().map(read_cursor).transpose()?;
    let Question { mut parameters, chosen } = question(db, query, after.as_ref());
    parameters.push(Value::Int(i64::try_from(query.limit).unwrap_or(1) + 1));
    let sql = format!(
        "SELECT bucket, consumer, meter, plan, grp, CAST(sum(count) AS bigint), CAST(sum(sum_high) AS bigint), \
         CAST(sum(sum / 1000000000) AS bigint), CAST(sum(sum % 1000000000) AS bigint), max(max), \
         max(CASE WHEN rank = 1 THEN latest END) FROM (\
         SELECT chosen.*, row_number() OVER (PARTITION BY bucket, consumer, meter, plan, grp \
         ORDER BY latest_at DESC, latest DESC) AS rank FROM ({chosen}) AS chosen) AS ranked \
         GROUP BY bucket, consumer, meter, plan, grp ORDER BY bucket, consumer, meter, plan, grp LIMIT ${}",
        parameters.len(),
        chosen = chosen.replace("{table}", "usage"),
    );
    let rows = db.ask(&sql, &parameters).await?;
    let mut keyed: Vec<(Key, Quantities)> = rows.iter().map(quantities).collect::<Result<_, Error>>()?;
    let is_last = keyed.len() <= query.limit;
    keyed.truncate(query.limit);
    if let Some((last, _)) = keyed.last() {
        let last = last.clone();
        uniques(db, query, after.as_ref(), &last, &mut keyed).await?;
    }
    let next = (!is_last).then(|| keyed.last().map(|(key, _)| write_cursor(key))).flatten();
    let rows = keyed.into_iter().map(|((start, consumer, meter, plan, group), usage)| UsageRow {
        start: moment(start),
        consumer,
        meter,
        plan,
        group: query.group.is_some().then_some(group),
        usage,
    });
    Ok(Page { rows: rows.collect(), next })
}

fn quantities(row: &Row) -> Result<(Key, Quantities), Error> {
    let usage = Quantities {
        count: row.int(5)?,
        sum: amount::add_up(row.int(6)?, row.int(7)?, row.int(8)?),
        max: row.int(9)?,
        latest: row.maybe_int(10)?.unwrap_or(0),
        unique: 0,
    };
    Ok((key(row)?, usage))
}

fn key(row: &Row) -> Result<Key, Error> {
    let text = |column| row.text(column).map(str::to_owned);
    Ok((row.int(0)?, text(1)?, text(2)?, text(3)?, text(4)?))
}

/// Counts different subjects for the rows of a page.
async fn uniques(
    db: &mut Db,
    query: &UsageQuery,
    after: Option<&Key>,
    last: &Key,
    rows: &mut [(Key, Quantities)],
) -> Result<(), Failure> {
    let Question { mut parameters, chosen } = question(db, query, after);
    let bound = push_key(&mut parameters, last);
    let sql = format!(
        "SELECT bucket, consumer, meter, plan, grp, count(DISTINCT subject) FROM ({chosen}) AS chosen \
         WHERE (bucket, consumer, meter, plan, grp) <= ({bound}) GROUP BY bucket, consumer, meter, plan, grp",
        chosen = chosen.replace("{table}", "subjects"),
    );
    let mut counts = HashMap::new();
    for row in db.ask(&sql, &parameters).await? {
        counts.insert(key(&row)?, row.int(5)?);
    }
    if !counts.is_empty() {
        for (key, usage) in rows {
            usage.unique = counts.get(key).copied().unwrap_or(0);
        }
    }
    Ok(())
}

/// What is chosen of a `{table}`.
fn question(db: &Db, query: &UsageQuery, after: Option<&Key>) -> Question {
    let (from, to) = (query.from.as_microsecond(), query.to.as_microsecond());
    let mut parameters = vec![Value::Int(from), Value::Int(to)];
    let mut push = |value: &str| {
        parameters.push(Value::from(value));
        format!("CAST(${} AS text)", parameters.len())
    };
    let bucket = match query.by {
        Some(Every::Hour) => format!("start / {HOUR} * {HOUR}"),
        Some(Every::Day) => format!("start / {DAY} * {DAY}"),
        Some(Every::Month) => check::month(db).to_owned(),
        Some(Every::Year) => check::year(db).to_owned(),
        None => "$1".to_owned(),
    };
    let mut filters = String::new();
    for (column, value) in [("consumer", &query.consumer), ("meter", &query.meter), ("plan", &query.plan)] {
        if let Some(value) = value {
            filters.push_str(&format!(" AND {column} = {}", push(value)));
        }
    }
    if let Some((name, value)) = &query.dimension {
        filters.push_str(&format!(" AND dimensions{{json}} ->> {} = {}", push(name), push(value)));
    }
    let group = match &query.group {
        Some(name) => format!("coalesce(dimensions{{json}} ->> {}, '')", push(name)),
        None => "''".to_owned(),
    };
    let mut chosen = format!(
        "SELECT * FROM (SELECT {{table}}.*, CAST({bucket} AS bigint) AS bucket, CAST({group} AS text) AS grp FROM {{table}} \
         WHERE start >= CAST($1 AS bigint) AND start < CAST($2 AS bigint){filters}) AS found"
    );
    if let Some(after) = after {
        let bound = push_key(&mut parameters, after);
        chosen.push_str(&format!(" WHERE (bucket, consumer, meter, plan, grp) > ({bound})"));
    }
    if let Db::Postgres(_) = db {
        // The database's own order may differ from the columns'.
        chosen = chosen.replace("AS text) AS grp", "AS text) COLLATE \"C\" AS grp");
    }
    Question { parameters, chosen }
}

fn push_key(parameters: &mut Vec<Value>, key: &Key) -> String {
    parameters.push(Value::Int(key.0));
    let mut bound = format!("CAST(${} AS bigint)", parameters.len());
    for text in [&key.1, &key.2, &key.3, &key.4] {
        parameters.push(Value::from(&**text));
        bound.push_str(&format!(", CAST(${} AS text)", parameters.len()));
    }
    bound
}

/// In hex, so that nobody is tempted to read it.
fn write_cursor(key: &Key) -> String {
    let json = serde_json::to_vec(key).expect("a tuple of texts is JSON");
    json.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_cursor(text: &str) -> Result<Key, Error> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    let key = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    key.ok_or_else(|| Error::Invalid("this is not where a page ended".into()))
}
