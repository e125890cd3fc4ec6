//! The one who writes, and what is held meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::batch::{Batch, moment};
use super::db::Db;
use super::failure::Failure;
use super::grants::{self, Held};
use super::postgres::{Dial, Session};
use super::sqlite::Sqlite;
use super::types::{Backend, Checked, Entry, Granted, Pool, Settings, Want, Written};
use super::value::Value;
use super::write::{self, Doubt};
use super::{Error, check};
use crate::failpoint;

/// For a lease that nobody else could take.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The writer of a ledger; a process has one.
///
/// A call's future stays on the thread that made it. With SQLite calls block that thread. With PostgreSQL they have to be made on a
/// runtime of tokio's with its I/O and its time; no call but [`check`](Self::check) waits longer than the lease or 5 s, unless a new
/// connection leads to tables that have to be brought up to date. A call that is given up halfway costs the connection, and may have
/// been done all the same.
pub struct Ledger {
    pub(super) settings: Settings,
    /// Away while a transaction runs, so that nobody finds it half done; `None` until the next call connects.
    pub(super) db: Option<Db>,
    pub(super) dial: Option<Dial>,
    /// The server's process that we spoke to last.
    pub(super) session: Option<Session>,
    pub(super) held: Held,
    /// What the last write was about to commit when nothing more was heard of it.
    doubt: Option<Doubt>,
    /// Until then by our clock.
    lease: Instant,
    epoch: u64,
}

impl Ledger {
    /// Opens the ledger, or makes one: brings the tables up to date, makes sure that nobody else writes as this gateway, and drops what
    /// was granted to an earlier process of it.
    ///
    /// # Errors
    /// [`Error::Taken`] if another process runs with this gateway's id or file.
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        let (db, dial) = match &settings.backend {
            Backend::Sqlite { path } => {
                (Some(Db::Sqlite(Box::new(Sqlite::open(path, settings.durability)?))), None)
            }
            Backend::Postgres { config, connector } => {
                (None, Some(Dial::new(config, connector.clone(), &settings)?))
            }
        };
        let mut ledger = Self {
            settings,
            db,
            dial,
            session: None,
            held: Held::new(),
            doubt: None,
            lease: Instant::now(),
            epoch: 0,
        };
        ledger.prepare().await?;
        ledger.renew().await?;
        Ok(ledger)
    }

    /// Writes events. All of the batch or nothing of it; it may be repeated whole, and after an error should be before anything
    /// else is written.
    ///
    /// # Errors
    /// [`Error::Away`] if it may have been written all the same; nothing was with all others. [`Error::Invalid`] if there is something
    /// in the batch that the database cannot keep, such as a consumer's name with a NUL in it.
    pub async fn write(&mut self, batch: &[Entry]) -> Result<Vec<Written>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let batch = Batch::new(batch);
        self.insistently(async |ledger, db| ledger.try_write(db, &batch).await).await
    }

    async fn try_write(&mut self, db: &mut Db, batch: &Batch<'_>) -> Result<Vec<Written>, Failure> {
        db.begin().await?;
        failpoint::hit("ledger.begun");
        let outcome = write::write(db, batch, self.doubt.as_ref(), &self.settings.gateway).await?;
        failpoint::hit("ledger.before-commit");
        if db.is_shared() {
            self.doubt = Some(write::in_doubt(batch, &outcome.written));
        }
        db.commit().await?;
        failpoint::hit("ledger.after-commit");
        self.doubt = None;
        for (pool, amount) in &outcome.tally.settled {
            grants::reduce(&mut self.held, pool, *amount);
        }
        for (consumer, amount) in &outcome.tally.paid {
            grants::reduce(&mut self.held, &grants::credit(consumer), *amount);
        }
        if let Db::Sqlite(sqlite) = db {
            sqlite.tidy()?;
        }
        Ok(outcome.written)
    }

    /// What was committed so far is on the disk after this. For [`Durability::Group`](super::Durability); otherwise, and with
    /// PostgreSQL, it has nothing to do.
    ///
    /// # Errors
    /// [`Error::Sync`] if what was committed may be lost.
    #[expect(clippy::unused_async, reason = "as all others, so that another backend may wait")]
    pub async fn sync(&mut self) -> Result<(), Error> {
        match &mut self.db {
            Some(Db::Sqlite(sqlite)) => Ok(sqlite.sync()?),
            _ => Ok(()),
        }
    }

    /// Takes some of what is left into this gateway's hold.
    ///
    /// # Errors
    /// [`Error::Away`] also if the lease is over: [`renew`](Self::renew) comes first.
    pub async fn acquire(&mut self, wants: &[Want]) -> Result<Vec<Granted>, Error> {
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        if self.is_over() {
            return Err(Error::Away("the lease is over".into()));
        }
        let (gateway, lease) = (Arc::clone(&self.settings.gateway), self.settings.lease);
        let held = self.held.clone();
        let granted = self
            .transaction(async |db| {
                if db.is_shared() && !grants::keep(db, &gateway, lease, false).await? {
                    return Ok(None);
                }
                Ok(Some(grants::acquire(db, &gateway, wants, &held).await?))
            })
            .await?;
        failpoint::hit("ledger.acquired");
        let Some(granted) = granted else {
            self.lose();
            return Err(Error::Away("the lease was over".into()));
        };
        for (want, granted) in wants.iter().zip(&granted).filter(|(_, granted)| granted.amount > 0) {
            let held = self.held.entry(want.pool.clone()).or_default();
            *held = held.saturating_add(granted.amount);
        }
        Ok(granted)
    }

    /// When the next of a consumer's credits expires that something is left of: until then what is granted of it is there.
    ///
    /// # Errors
    /// As of all reads.
    pub async fn credit_until(&mut self, consumer: &str, at: Timestamp) -> Result<Option<Timestamp>, Error> {
        let parameters = [Value::from(consumer), Value::Int(at.as_microsecond())];
        let sql = "SELECT CAST(min(expires) AS bigint) FROM credits WHERE consumer = $1 AND drawn < amount AND expires > $2";
        let until = self
            .transaction(async |db| {
                let rows = db.query(sql, &parameters).await?;
                rows.first().map_or(Ok(None), |row| row.maybe_int(0)).map_err(Failure::from)
            })
            .await?;
        Ok(until.map(moment))
    }

    /// Gives back what is held and not reserved.
    ///
    /// # Errors
    /// [`Error::Away`] if the server cannot be reached. What was to be given back is not held any more either way: if it is not known
    /// to be free, it is when the connection is made anew.
    pub async fn give_back(&mut self, back: &[(Pool, i64)]) -> Result<(), Error> {
        let mut sums = Held::new();
        for (pool, amount) in back.iter().filter(|(_, amount)| *amount > 0) {
            let sum = sums.entry(pool.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
        // First: whatever becomes of the answer, nobody hands out here what others may have been given.
        for (pool, amount) in &sums {
            grants::reduce(&mut self.held, pool, *amount);
        }
        if sums.is_empty() || self.dial.is_none() {
            return Ok(());
        }
        let gateway = Arc::clone(&self.settings.gateway);
        let given = self.transaction(async |db| grants::give_back(db, &gateway, &sums).await).await;
        if given.is_err() {
            // A new connection writes down what is held, which is less now.
            self.db = None;
        }
        given
    }

    /// Prolongs the lease; until when, by our clock. After that nothing that is held may be reserved from: others may have it.
    ///
    /// If the lease was over before it could be prolonged, nothing is held any more, and [`epoch`](Self::epoch) is another.
    ///
    /// # Errors
    /// [`Error::Away`] if the server cannot be reached.
    pub async fn renew(&mut self) -> Result<Instant, Error> {
        let (gateway, lease) = (Arc::clone(&self.settings.gateway), self.settings.lease);
        let now = Instant::now();
        if self.dial.is_none() {
            self.lease = now + FOR_EVER;
            return Ok(self.lease);
        }
        let is_over = self.is_over();
        let kept = self.transaction(async |db| grants::keep(db, &gateway, lease, is_over).await).await?;
        if !kept {
            self.lose();
        }
        // The server counts from later than we do; the tenth is for clocks that do not run alike.
        self.lease = now + lease * 9 / 10;
        Ok(self.lease)
    }

    /// Another number whenever all that was held was lost because the lease was over. What was reserved before is then settled with
    /// nothing reserved.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What it was opened with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What this gateway holds of a pool, as far as the ledger knows: what it was granted, less what was settled and given back.
    #[must_use]
    pub fn held(&self, pool: &Pool) -> i64 {
        self.held.get(pool).copied().unwrap_or(0)
    }

    /// Whether the ledger agrees with itself: what is counted with the events that are kept, credit with what events cost.
    ///
    /// # Errors
    /// As of all reads; what is wrong in it is not an error but in the answer.
    pub async fn check(&mut self) -> Result<Checked, Error> {
        loop {
            let mut db = self.take().await?;
            let outcome = async {
                db.begin_read().await?;
                let checked = check::check(&mut db).await?;
                db.commit().await?;
                Ok(checked)
            };
            match outcome.await {
                Ok(checked) => {
                    self.db = Some(db);
                    return Ok(checked);
                }
                Err(failure) => self.after(db, failure, 1).await?,
            }
        }
    }

    /// Gives room back to the file's system, once a quarter of the file is not used.
    pub(super) async fn vacuum(&mut self, pages: u32) -> Result<(), Error> {
        let Some(Db::Sqlite(sqlite)) = &mut self.db else { return Ok(()) };
        let mut count = |pragma: &str| -> Result<i64, Error> {
            sqlite.ask(pragma, &[])?.first().map_or(Ok(0), |row| row.int(0))
        };
        if count("PRAGMA freelist_count")? > count("PRAGMA page_count")? / 4 {
            sqlite.vacuum(pages)?;
            sqlite.tidy()?;
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, is_over: impl Fn(&Pool) -> bool) {
        self.held.retain(|pool, _| !is_over(pool));
    }

    pub(super) fn is_over(&self) -> bool {
        self.dial.is_some() && Instant::now() >= self.lease
    }

    pub(super) fn lose(&mut self) {
        self.held.clear();
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::ledger::{Durability, Reader, schema};

    fn settings(directory: &tempfile::TempDir) -> Settings {
        Settings {
            backend: Backend::Sqlite { path: directory.path().join("ledger.db") },
            durability: Durability::Sync,
            gateway: "edge-1".into(),
            lease: Settings::LEASE,
        }
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    fn batch(number: usize) -> Vec<Entry> {
        let entries = (0..20).map(|i| {
            let event = Event {
                gateway: "edge-1".into(),
                request: format!("{number}-{i}").into(),
                meter: "requests".into(),
                consumer: format!("consumer {i}").into(),
                plan: "".into(),
                route: "".into(),
                at: Timestamp::UNIX_EPOCH,
                value: 1,
                subject: None,
                dimensions: Vec::new(),
            };
            Entry { event, quotas: Vec::new(), credit: None }
        });
        entries.collect()
    }

    #[test]
    fn a_full_disk_costs_nothing_but_time() {
        run(async {
            let directory = tempfile::tempdir().unwrap();
            let mut ledger = Ledger::open(settings(&directory)).await.unwrap();
            let limit = async |ledger: &mut Ledger, pages: &str| {
                let Some(db) = &mut ledger.db else { panic!("it is open") };
                db.ask(&format!("PRAGMA max_page_count = {pages}"), &[]).await.unwrap();
            };
            limit(&mut ledger, "60").await;
            let mut number = 0;
            let error = loop {
                match ledger.write(&batch(number)).await {
                    Ok(_) => number += 1,
                    Err(error) => break error,
                }
            };
            assert_eq!(error, Error::Full);
            assert!(error.is_transient() && number > 0);
            assert_eq!(ledger.write(&batch(number)).await, Err(Error::Full));
            let checked = ledger.check().await.unwrap();
            assert_eq!((checked.events, checked.problems), (20 * number as u64, Vec::new()));
            limit(&mut ledger, "100000").await;
            assert!(ledger.write(&batch(number)).await.unwrap().iter().all(|written| written.fresh));
        });
    }

    #[test]
    fn a_ledger_of_a_newer_version_is_left_alone() {
        run(async {
            let directory = tempfile::tempdir().unwrap();
            let settings = settings(&directory);
            assert!(Reader::open(&settings).await.is_err());
            let mut ledger = Ledger::open(settings.clone()).await.unwrap();
            let Some(db) = &mut ledger.db else { panic!("it is open") };
            db.script("INSERT INTO versions VALUES (99, 0)").await.unwrap();
            drop(ledger);
            let error = Error::Version { found: 99, known: schema::VERSION };
            assert_eq!(Ledger::open(settings.clone()).await.err(), Some(error.clone()));
            assert_eq!(Reader::open(&settings).await.err(), Some(error));
        });
    }
}
