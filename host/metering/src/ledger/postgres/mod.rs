//! The PostgreSQL side: one session, whose settings and errors are ours.

mod dial;
mod failure;
mod values;

use std::collections::HashMap;

use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::failure::Failure;
use super::value::{Column, Dialect, Many, Row, Value};

pub(super) use dial::{Dial, Session};

/// A connection to the server.
pub(super) struct Postgres {
    client: Client,
    driver: AbortHandle,
    statements: HashMap<&'static str, Statement>,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Postgres {
    fn new(client: Client, driver: AbortHandle) -> Self {
        Self { client, driver, statements: HashMap::new() }
    }

    /// Statements without parameters and without answers.
    pub(super) async fn script(&self, sql: &str) -> Result<(), Failure> {
        self.client.batch_execute(sql).await.map_err(|error| failure::read(&error))
    }

    pub(super) async fn commit(&self) -> Result<(), Failure> {
        self.script("COMMIT").await
    }

    async fn prepared(
        &mut self,
        name: &'static str,
        sql: impl FnOnce() -> String,
    ) -> Result<Statement, Failure> {
        if let Some(statement) = self.statements.get(name) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&sql()).await.map_err(|error| failure::read(&error))?;
        self.statements.insert(name, statement.clone());
        Ok(statement)
    }

    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        parameters: &[Value],
    ) -> Result<Vec<Row>, Failure> {
        let statement = self.prepared(sql, || Dialect::Postgres.adapt(sql)).await?;
        self.rows(&statement, &references(parameters)).await
    }

    pub(super) async fn ask(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Failure> {
        let statement = self
            .client
            .prepare(&Dialect::Postgres.adapt(sql))
            .await
            .map_err(|error| failure::read(&error))?;
        self.rows(&statement, &references(parameters)).await
    }

    pub(super) async fn execute(&mut self, sql: &'static str, parameters: &[Value]) -> Result<u64, Failure> {
        let statement = self.prepared(sql, || Dialect::Postgres.adapt(sql)).await?;
        self.client.execute(&statement, &references(parameters)).await.map_err(|error| failure::read(&error))
    }

    pub(super) async fn many(&mut self, many: &Many, columns: &[Column<'_>]) -> Result<Vec<Row>, Failure> {
        let statement = self.prepared(many.sql, || Dialect::Postgres.adapt_many(many)).await?;
        let parameters: Vec<&(dyn ToSql + Sync)> = columns
            .iter()
            .map(|column| -> &(dyn ToSql + Sync) {
                match column {
                    Column::Int(values) => values,
                    Column::Text(values) => values,
                    Column::Bytes(values) => values,
                    Column::MaybeBytes(values) => values,
                }
            })
            .collect();
        self.rows(&statement, &parameters).await
    }

    async fn rows(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let rows = self.client.query(statement, parameters).await.map_err(|error| failure::read(&error))?;
        let rows = rows.iter().map(|row| (0..row.len()).map(|column| row.try_get(column)).collect());
        let rows: Result<Vec<Vec<Value>>, _> = rows.collect();
        Ok(rows.map_err(|error| failure::read(&error))?.into_iter().map(Row).collect())
    }
}

fn references(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| -> &(dyn ToSql + Sync) { value }).collect()
}
