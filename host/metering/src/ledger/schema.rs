//! The tables, and how those of older versions become those of today.

use super::Error;
use super::db::Db;
use super::failure::Failure;
use super::value::Value;

/// What makes version N from version N - 1, for SQLite and for PostgreSQL. What is released is never changed.
const STEPS: &[(&str, &str)] = &[(include_str!("schema/sqlite.sql"), include_str!("schema/postgres.sql"))];

/// What this program writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// Of the database; 0 if there is nothing.
pub(super) async fn version(db: &mut Db) -> Result<i64, Failure> {
    let exists = match db {
        Db::Sqlite(_) => {
            db.query("SELECT count(*) FROM sqlite_schema WHERE name = 'versions'", &[]).await?
        }
        Db::Postgres(_) => {
            db.query(
                "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'versions'",
                &[],
            )
            .await?
        }
    };
    if exists.first().map_or(Ok(0), |row| row.int(0))? == 0 {
        return Ok(0);
    }
    let rows = db.ask("SELECT coalesce(max(version), 0) FROM versions", &[]).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.int(0))?)
}

/// In a transaction.
pub(super) async fn migrate(db: &mut Db, now: i64) -> Result<(), Failure> {
    if let Db::Postgres(_) = db {
        // Gateways that start together take turns, and it may take a while.
        db.script("SET LOCAL statement_timeout = 0").await?;
        db.query("SELECT count(pg_advisory_xact_lock(hashtextextended('sluice schema', 0)))", &[]).await?;
    }
    let found = version(db).await?;
    if found > VERSION {
        return Err(Error::Version { found, known: VERSION }.into());
    }
    if found == 0 {
        db.script("CREATE TABLE versions (version BIGINT PRIMARY KEY, since BIGINT NOT NULL)").await?;
    }
    for (number, (sqlite, postgres)) in (1..).zip(STEPS).filter(|(number, _)| *number > found) {
        match db {
            Db::Sqlite(_) => db.script(sqlite).await?,
            Db::Postgres(_) => db.script(postgres).await?,
        }
        let row = [Value::Int(number), Value::Int(now)];
        db.execute("INSERT INTO versions (version, since) VALUES ($1, $2)", &row).await?;
    }
    if db.is_shared() && is_ahead(db).await? { transplant(db).await } else { Ok(()) }
}

/// Whether there is nothing for [`migrate`] to do.
pub(super) async fn is_ready(db: &mut Db) -> Result<bool, Failure> {
    Ok(version(db).await? == VERSION && !is_ahead(db).await?)
}

/// Whether there are transactions that the server has yet to come to.
async fn is_ahead(db: &mut Db) -> Result<bool, Failure> {
    let ahead = "SELECT xid >= pg_snapshot_xmax(pg_current_snapshot()) FROM events ORDER BY xid DESC, seq DESC LIMIT 1";
    Ok(db.query(ahead, &[]).await?.first().map_or(Ok(0), |row| row.int(0))? != 0)
}

/// A copy that was restored on another server has transactions that this server has yet to come to: what is written next would come
/// before them, and no export would find it. All that is there then becomes one transaction of long ago. A sink goes on at the first
/// event that it has not had, and may get some twice.
async fn transplant(db: &mut Db) -> Result<(), Failure> {
    db.script(
        "UPDATE sinks AS s SET xid = 3, seq = coalesce((SELECT min(e.seq) - 1 FROM events e \
         WHERE (e.xid, e.seq) > (s.xid::text::xid8, s.seq)), (SELECT max(e.seq) FROM events e)); \
         UPDATE events SET xid = '3'",
    )
    .await
}

/// For those who only read.
pub(super) async fn require(db: &mut Db) -> Result<(), Failure> {
    let found = version(db).await?;
    if found == VERSION { Ok(()) } else { Err(Error::Version { found, known: VERSION }.into()) }
}
