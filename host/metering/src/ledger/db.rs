//! A connection to either database.

use super::failure::Failure;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::value::{Column, Many, Row, Value};

/// A connection.
pub(super) enum Db {
    Sqlite(Box<Sqlite>),
    Postgres(Box<Postgres>),
}

impl Db {
    /// Whether others write beside us.
    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    pub(super) async fn begin(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.begin(),
            Self::Postgres(postgres) => postgres.script("BEGIN").await,
        }
    }

    /// All that is read until the end is of one moment.
    pub(super) async fn begin_read(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.begin_read(),
            Self::Postgres(postgres) => {
                postgres.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
            }
        }
    }

    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.commit(),
            Self::Postgres(postgres) => postgres.commit().await,
        }
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.roll_back(),
            Self::Postgres(postgres) => postgres.script("ROLLBACK").await,
        }
    }

    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        parameters: &[Value],
    ) -> Result<Vec<Row>, Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.query(sql, parameters),
            Self::Postgres(postgres) => postgres.query(sql, parameters).await,
        }
    }

    /// A statement that is put together for this once.
    pub(super) async fn ask(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.ask(sql, parameters),
            Self::Postgres(postgres) => postgres.ask(sql, parameters).await,
        }
    }

    /// How many rows it changed.
    pub(super) async fn execute(&mut self, sql: &'static str, parameters: &[Value]) -> Result<u64, Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.execute(sql, parameters),
            Self::Postgres(postgres) => postgres.execute(sql, parameters).await,
        }
    }

    /// Several statements without parameters.
    pub(super) async fn script(&mut self, sql: &str) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.script(sql),
            Self::Postgres(postgres) => postgres.script(sql).await,
        }
    }

    /// One statement for many rows.
    pub(super) async fn many(&mut self, many: &Many, columns: &[Column<'_>]) -> Result<Vec<Row>, Failure> {
        if columns.first().is_none_or(|column| column.len() == 0) {
            return Ok(Vec::new());
        }
        match self {
            Self::Sqlite(sqlite) => sqlite.many(many, columns),
            Self::Postgres(postgres) => postgres.many(many, columns).await,
        }
    }
}
