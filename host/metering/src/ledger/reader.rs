//! Those who read: admin, exports, invoices, also in other processes than the writer's.

use std::time::Duration;

use jiff::Timestamp;

use super::batch::moment;
use super::db::Db;
use super::failure::{Failure, Remedy};
use super::postgres::Dial;
use super::sqlite::Sqlite;
use super::types::{
    Backend, Balance, Checked, Credit, Cursor, Exported, Lag, Page, PlanUsage, Pool, Settings, Subscribed,
    UsageQuery, UsageRow, Want,
};
use super::value::{Row, Value};
use super::{Error, check, grants, maintain, schema, usage};
use crate::event::Event;
use crate::period::{Every, Period};

/// Events beyond these are not counted one by one.
const MOST_LAG: i64 = 100_000;

/// The most events of one answer.
const MOST_EVENTS: usize = 10_000;

/// A connection of its own that changes nothing. There may be several, also while nobody writes. A call's future stays on the thread
/// that made it; with SQLite calls block that thread.
pub struct Reader {
    settings: Settings,
    db: Option<Db>,
    dial: Option<Dial>,
}

impl Reader {
    /// Opens what a [`Ledger`](super::Ledger) of this version has made.
    ///
    /// # Errors
    /// [`Error::Version`] if there is none.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let dial = match &settings.backend {
            Backend::Sqlite { .. } => None,
            Backend::Postgres { config, connector } => Some(Dial::new(config, connector.clone(), settings)?),
        };
        let mut reader = Self { settings: settings.clone(), db: None, dial };
        reader.read(async |db| schema::require(db).await).await?;
        Ok(reader)
    }

    /// Usage, by consumer, meter and plan, in pages.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the page is too large or `after` is nothing that a page before named.
    pub async fn usage(&mut self, query: &UsageQuery) -> Result<Page<UsageRow>, Error> {
        self.read(async |db| usage::page(db, query).await).await
    }

    /// What a consumer used in hours that begin at `from` or later and before `to`, for an invoice: by plan and meter.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn rated(
        &mut self,
        consumer: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<PlanUsage>, Error> {
        self.read(async |db| {
            let mut query = UsageQuery { consumer: Some(consumer.to_owned()), ..UsageQuery::all(from, to) };
            let mut all = Vec::new();
            loop {
                let page = usage::page(db, &query).await?;
                all.extend(page.rows.into_iter().map(|row| PlanUsage {
                    plan: row.plan,
                    meter: row.meter,
                    usage: row.usage,
                }));
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
            all.sort_by(|a, b| (&a.plan, &a.meter).cmp(&(&b.plan, &b.meter)));
            Ok(all)
        })
        .await
    }

    /// The plans that a consumer was and is on, in their order.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn subscriptions(&mut self, consumer: &str) -> Result<Vec<Subscribed>, Error> {
        self.read(async |db| {
            let sql =
                "SELECT consumer, plan, since, until FROM subscriptions WHERE consumer = $1 ORDER BY since";
            let rows = db.query(sql, &[Value::from(consumer)]).await?;
            rows.iter().map(subscribed).collect()
        })
        .await
    }

    /// The plans that consumers are on, by consumer.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn subscribed(&mut self) -> Result<Vec<Subscribed>, Error> {
        self.read(async |db| {
            let sql = "SELECT consumer, plan, since, until FROM subscriptions WHERE until IS NULL ORDER BY consumer";
            db.query(sql, &[]).await?.iter().map(subscribed).collect()
        })
        .await
    }

    /// Whether of the day (UTC) of a time only the whole is kept of what a consumer used under a plan, and no longer its hours.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn is_compacted(&mut self, consumer: &str, plan: &str, at: Timestamp) -> Result<bool, Error> {
        let day = Every::Day.containing(at).start.as_microsecond();
        let parameters = [Value::from(consumer), Value::from(plan), Value::Int(day)];
        self.read(async |db| {
            let sql = "SELECT count(*) FROM usage_days WHERE consumer = $1 AND plan = $2 AND start = $3";
            let rows = db.query(sql, &parameters).await?;
            Ok(rows.first().map_or(Ok(0), |row| row.int(0))? > 0)
        })
        .await
    }

    /// What credit paid of a consumer's charges of a month, by plan, without what became a debt.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn drawn(
        &mut self,
        consumer: &str,
        month: Period,
    ) -> Result<Vec<(String, crate::Nanos)>, Error> {
        // The debt that there is belongs to the months used last: a top-up pays the oldest first. Of two plans in one month it is not
        // known which of them it belongs to.
        self.read(async |db| {
            let consumer = Value::from(consumer);
            let (start, end) = (month.start.as_microsecond(), month.end().as_microsecond());
            let debt = db
                .query(
                    "SELECT drawn FROM credits WHERE kind = 'debt' AND consumer = $1",
                    std::slice::from_ref(&consumer),
                )
                .await?;
            let debt = debt.first().map_or(Ok(0), |row| row.int(0))?;
            // A few rows of each month, however much was used.
            let sql = "SELECT plan, cost FROM usage_months WHERE consumer = $1 AND start >= $2 AND cost > 0";
            let mut debt = debt;
            for row in &db.query(sql, &[consumer.clone(), Value::Int(end)]).await? {
                debt = debt.saturating_sub(row.int(1)?).max(0);
            }
            let sql = "SELECT plan, cost FROM usage_months WHERE consumer = $1 AND start = $2 AND cost > 0 ORDER BY plan";
            let mut costs = std::collections::BTreeMap::<String, i64>::new();
            for row in &db.query(sql, &[consumer, Value::Int(start)]).await? {
                let cost = costs.entry(row.text(0)?.to_owned()).or_default();
                *cost = cost.saturating_add(row.int(1)?);
            }
            let mut drawn = Vec::new();
            for (plan, cost) in costs {
                let uncovered = debt.min(cost);
                debt -= uncovered;
                drawn.push((plan, cost - uncovered));
            }
            Ok(drawn)
        })
        .await
    }

    /// What a consumer has used of a meter in a period, on all plans: what a quota counts.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn spent(&mut self, consumer: &str, meter: &str, period: Period) -> Result<i64, Error> {
        self.read(async |db| {
            let pool = Pool::Quota { consumer: consumer.into(), meter: meter.into(), period };
            let want = Want { pool, limit: 0, amount: 0, at: period.start };
            let left = grants::unspent(db, std::slice::from_ref(&want)).await?;
            Ok(left.first().map_or(0, |left| super::amount::clamp(-left)))
        })
        .await
    }

    /// What a consumer may still use, at a time.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn balance(&mut self, consumer: &str, at: Timestamp) -> Result<Balance, Error> {
        self.read(async |db| {
            let rows = db
                .query(
                    "SELECT kind, id, amount, drawn, at, expires FROM credits WHERE consumer = $1 \
                     AND (expires IS NULL OR expires > $2) ORDER BY expires IS NULL, expires, id, kind",
                    &[Value::from(consumer), Value::Int(at.as_microsecond())],
                )
                .await?;
            let mut balance = Balance::default();
            let mut total = 0_i128;
            for row in &rows {
                let (amount, drawn) = (row.int(2)?, row.int(3)?);
                total += i128::from(amount) - i128::from(drawn);
                if row.text(0)? == "debt" {
                    balance.debt = drawn;
                    continue;
                }
                balance.credits.push(Credit {
                    id: row.text(1)?.to_owned(),
                    amount,
                    drawn,
                    at: moment(row.int(4)?),
                    expires: row.maybe_int(5)?.map(moment),
                });
            }
            balance.total = super::amount::clamp(total);
            if db.is_shared() {
                let sql = "SELECT CAST(coalesce(sum(amount), 0) AS bigint) FROM grants WHERE consumer = $1 AND per = 'credit'";
                let rows = db.query(sql, &[Value::from(consumer)]).await?;
                balance.reserved = rows.first().map_or(Ok(0), |row| row.int(0))?;
            }
            Ok(balance)
        })
        .await
    }

    /// Events in the ledger's order, and where to go on. With PostgreSQL only those that no running transaction can come before; that is
    /// anybody's on the server, also in another database.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn events(&mut self, after: Cursor, limit: usize) -> Result<(Vec<Exported>, Cursor), Error> {
        let limit = i64::try_from(limit.clamp(1, MOST_EVENTS)).unwrap_or(1);
        self.read(async |db| {
            let sql = match db {
                Db::Sqlite(_) => {
                    "SELECT 0, seq, gateway, request, meter, consumer, plan, route, at, value, subject, dimensions, cost \
                     FROM events WHERE seq > $2 AND $1 >= 0 ORDER BY seq LIMIT $3"
                }
                Db::Postgres(_) => {
                    "SELECT xid::text::bigint, seq, gateway, request, meter, consumer, plan, route, at, value, subject, \
                     dimensions, cost FROM events WHERE (xid, seq) > (CAST(CAST($1 AS bigint) AS text)::xid8, $2) \
                     AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, seq LIMIT $3"
                }
            };
            let parameters =
                [Value::Int(after.transaction), Value::Int(after.sequence), Value::Int(limit)];
            let rows = db.query(sql, &parameters).await?;
            let events: Vec<_> = rows.iter().map(exported).collect::<Result<_, Error>>()?;
            let last = events.last().map_or(after, |event| event.cursor);
            Ok((events, last))
        })
        .await
    }

    /// Where a sink stands, and its note; the beginning if it is not known.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn cursor(&mut self, sink: &str) -> Result<(Cursor, String), Error> {
        self.read(async |db| maintain::cursor(db, sink).await).await
    }

    /// Makes this connection the one that serves a sink, unless another one is: gateways that share a ledger share its sinks' cursors.
    /// It is until the connection ends. With SQLite there is one gateway, whose sinks are all its own.
    ///
    /// # Errors
    /// As of all reads; [`Error::Away`] on a replica, whose locks are seen by nobody on the server that it follows.
    pub async fn claim(&mut self, sink: &str) -> Result<bool, Error> {
        self.read(async |db| {
            if !db.is_shared() {
                return Ok(true);
            }
            let lock =
                "SELECT pg_try_advisory_lock(hashtextextended('sluice sink ' || $1, 0)), pg_is_in_recovery()";
            let rows = db.query(lock, &[Value::from(sink)]).await?;
            if rows.first().map_or(Ok(0), |row| row.int(1))? != 0 {
                return Err(Failure::away(
                    "the server is a replica, where no sink can be claimed".to_owned(),
                ));
            }
            Ok(rows.first().map_or(Ok(0), |row| row.int(0))? != 0)
        })
        .await
    }

    /// How far a sink is behind.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn lag(&mut self, sink: &str) -> Result<Lag, Error> {
        self.read(async |db| {
            let (cursor, _) = maintain::cursor(db, sink).await?;
            let parameters =
                [Value::Int(cursor.transaction), Value::Int(cursor.sequence), Value::Int(MOST_LAG)];
            let sql = match db {
                Db::Sqlite(_) => {
                    "SELECT count(*), (SELECT at FROM events WHERE seq > $2 ORDER BY seq LIMIT 1) \
                     FROM (SELECT 1 FROM events WHERE seq > $2 AND $1 >= 0 LIMIT $3)"
                }
                Db::Postgres(_) => {
                    "SELECT count(*), (SELECT at FROM events WHERE (xid, seq) > (CAST(CAST($1 AS bigint) AS text)::xid8, $2) \
                     ORDER BY xid, seq LIMIT 1) FROM (SELECT 1 FROM events \
                     WHERE (xid, seq) > (CAST(CAST($1 AS bigint) AS text)::xid8, $2) LIMIT $3) AS s"
                }
            };
            let rows = db.query(sql, &parameters).await?;
            let Some(row) = rows.first() else { return Ok(Lag::default()) };
            Ok(Lag { events: row.int(0)?.unsigned_abs(), oldest: row.maybe_int(1)?.map(moment) })
        })
        .await
    }

    /// As [`Ledger::check`](super::Ledger::check).
    ///
    /// # Errors
    /// As of all reads.
    pub async fn check(&mut self) -> Result<Checked, Error> {
        self.try_read(None, &mut async |db: &mut Db| check::check(db).await).await
    }

    /// All of one moment.
    async fn read<T>(
        &mut self,
        mut work: impl AsyncFnMut(&mut Db) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let patience = self.settings.patience();
        if self.dial.is_none() {
            return self.try_read(Some(patience), &mut work).await;
        }
        match tokio::time::timeout(patience, self.try_read(None, &mut work)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Away(format!("no answer within {patience:?}"))),
        }
    }

    /// With SQLite, which waits for nothing but its own work, that may be limited.
    async fn try_read<T>(
        &mut self,
        limit: Option<Duration>,
        work: &mut impl AsyncFnMut(&mut Db) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let mut db = match (self.db.take(), &self.dial, &self.settings.backend) {
            (Some(db), ..) => db,
            (None, Some(dial), _) => Db::Postgres(Box::new(dial.connect(false).await?)),
            (None, None, Backend::Sqlite { path }) => Db::Sqlite(Box::new(Sqlite::read_only(path)?)),
            (None, None, Backend::Postgres { .. }) => {
                return Err(Error::Away("there is no way to the server".into()));
            }
        };
        let outcome = async {
            if let Db::Sqlite(sqlite) = &mut db {
                sqlite.limit(limit)?;
            }
            db.begin_read().await?;
            let value = work(&mut db).await?;
            db.commit().await?;
            Ok(value)
        };
        match outcome.await {
            Ok(value) => {
                self.db = Some(db);
                Ok(value)
            }
            Err(Failure { error, remedy }) => {
                if remedy != Remedy::Reconnect && db.roll_back().await.is_ok() {
                    self.db = Some(db);
                }
                Err(error)
            }
        }
    }
}

fn subscribed(row: &Row) -> Result<Subscribed, Failure> {
    Ok(Subscribed {
        consumer: row.text(0)?.to_owned(),
        plan: row.text(1)?.to_owned(),
        from: moment(row.int(2)?),
        to: row.maybe_int(3)?.map(moment),
    })
}

fn exported(row: &Row) -> Result<Exported, Error> {
    let subject = match row.maybe_bytes(10)? {
        Some(bytes) => {
            Some(bytes.try_into().map_err(|_| Error::Corrupt("a subject is not of 16 bytes".into()))?)
        }
        None => None,
    };
    let dimensions: std::collections::BTreeMap<String, String> = serde_json::from_str(row.text(11)?)
        .map_err(|error| Error::Corrupt(format!("dimensions of an event: {error}")))?;
    Ok(Exported {
        cursor: Cursor { transaction: row.int(0)?, sequence: row.int(1)? },
        event: Event {
            gateway: row.text(2)?.into(),
            request: row.text(3)?.into(),
            meter: row.text(4)?.into(),
            consumer: row.text(5)?.into(),
            plan: row.text(6)?.into(),
            route: row.text(7)?.into(),
            at: moment(row.int(8)?),
            value: row.int(9)?,
            subject,
            dimensions: dimensions.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        },
        cost: row.int(12)?,
    })
}
