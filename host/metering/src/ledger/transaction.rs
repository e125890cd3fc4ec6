//! Transactions: done again where others are in the way, on a connection that is made anew where it is gone, and no longer than a
//! server may take.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::db::Db;
use super::failure::{Failure, Remedy};
use super::{Error, Ledger, grants, schema, write};

impl Ledger {
    /// Brings the tables up to date.
    pub(super) async fn prepare(&mut self) -> Result<(), Error> {
        // Those of a server are whenever a connection is made.
        self.transaction(async |db| if db.is_shared() { Ok(()) } else { schema::migrate(db, now()).await })
            .await?;
        if let Some(Db::Sqlite(sqlite)) = &mut self.db {
            sqlite.sync()?;
        }
        Ok(())
    }

    /// Work that is committed whole, and done again if others are in the way.
    pub(super) async fn transaction<T>(
        &mut self,
        mut work: impl AsyncFnMut(&mut Db) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        self.insistently(async |_, db| run(db, &mut work).await).await
    }

    /// Work that commits what it does itself, and is done again if others are in the way.
    pub(super) async fn insistently<T>(
        &mut self,
        mut work: impl AsyncFnMut(&mut Self, &mut Db) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        self.patiently(async |ledger: &mut Self| {
            let mut attempt = 0;
            loop {
                attempt += 1;
                let mut db = ledger.take().await?;
                match work(ledger, &mut db).await {
                    Ok(value) => {
                        ledger.db = Some(db);
                        return Ok(value);
                    }
                    Err(failure) => ledger.after(db, failure, attempt).await?,
                }
            }
        })
        .await
    }

    /// No longer than the server may take, if there is one; but what brings its tables up to date takes as long as it has to.
    async fn patiently<T>(
        &mut self,
        mut work: impl AsyncFnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.dial.is_none() {
            return work(self).await;
        }
        let patience = self.settings.patience();
        let late = |_| Error::Away(format!("no answer within {patience:?}"));
        let mut end = Instant::now() + patience;
        if self.db.is_none() {
            let (mut db, is_ready) = timeout_at(end, self.connect()).await.map_err(late)??;
            if !is_ready {
                run(&mut db, &mut async |db: &mut Db| schema::migrate(db, now()).await).await?;
                end = Instant::now() + patience;
            }
            self.db = Some(timeout_at(end, self.resume(db)).await.map_err(late)??);
        }
        // Whatever it was doing with the connection when it was late, the connection went with it.
        timeout_at(end, work(self)).await.map_err(late)?
    }

    /// After a failure: `Ok` if it is worth another attempt.
    pub(super) async fn after(&mut self, mut db: Db, failure: Failure, attempt: usize) -> Result<(), Error> {
        let again = write::is_worth_it(&failure, attempt);
        if failure.remedy != Remedy::Reconnect && db.roll_back().await.is_ok() {
            self.db = Some(db);
        }
        if again { Ok(()) } else { Err(failure.error) }
    }

    /// The connection, or a new one.
    pub(super) async fn take(&mut self) -> Result<Db, Error> {
        if let Some(db) = self.db.take() {
            return Ok(db);
        }
        let (db, is_ready) = self.connect().await?;
        if !is_ready {
            return Err(Error::Away("its tables have to be brought up to date first".into()));
        }
        self.resume(db).await
    }

    /// A new connection, and whether its tables are up to date: perhaps there are none yet, or it is not the server that it was.
    async fn connect(&mut self) -> Result<(Db, bool), Error> {
        let Some(dial) = &self.dial else {
            return Err(Error::Io("the file is closed, because a call was given up halfway".into()));
        };
        let (postgres, session) = dial.connect_as(&self.settings.gateway, self.session.as_ref()).await?;
        let mut db = Db::Postgres(Box::new(postgres));
        self.session = Some(session);
        let is_ready = schema::is_ready(&mut db).await?;
        Ok((db, is_ready))
    }

    /// Goes on with what is held, on a new connection.
    async fn resume(&mut self, mut db: Db) -> Result<Db, Error> {
        let (gateway, lease) = (Arc::clone(&self.settings.gateway), self.settings.lease);
        let (is_over, held) = (self.is_over(), self.held.clone());
        let mut work = async |db: &mut Db| {
            let kept = grants::keep(db, &gateway, lease, is_over).await?;
            if kept {
                grants::restore(db, &gateway, &held).await?;
            }
            Ok(kept)
        };
        if !run(&mut db, &mut work).await? {
            self.lose();
        }
        Ok(db)
    }
}

async fn run<T>(
    db: &mut Db,
    work: &mut impl AsyncFnMut(&mut Db) -> Result<T, Failure>,
) -> Result<T, Failure> {
    db.begin().await?;
    let value = work(db).await?;
    db.commit().await?;
    Ok(value)
}

fn now() -> i64 {
    Timestamp::now().as_microsecond()
}
