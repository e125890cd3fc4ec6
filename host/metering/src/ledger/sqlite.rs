//! The SQLite side: one file, one writer, and no failed write to the disk that is ever overlooked.
//!
//! In WAL mode a commit under `synchronous=NORMAL` is with the kernel, one under `FULL` is on the disk. SQLite's own automatic
//! checkpoints are off, because they swallow errors: after a failed fsync the kernel takes the lost pages for written, so that the
//! next one succeeds. Ours do not, and the first failure closes the ledger for this process.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::ffi;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement};

use super::failure::{Failure, Remedy};
use super::value::{Column, Dialect, Many, Row, Value};
use super::{Durability, Error};
use crate::failpoint;

/// How long somebody else's lock is waited for: a shell's, or a copy's.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of the write-ahead log from which on it is moved into the database.
const LOG: u64 = 64 << 20;

/// Of pages, in KiB.
const CACHE: i64 = 64 << 10;

/// Steps of SQLite's between two looks at the clock, some tenths of a millisecond.
const STEPS: i32 = 10_000;

/// A connection to the file.
pub(super) struct Sqlite {
    connection: Connection,
    statements: HashMap<&'static str, String>,
    durability: Durability,
    wal: PathBuf,
    /// What a lost write said: the ledger is closed.
    lost: Option<Error>,
    is_committing: bool,
    /// The length of the log at which it is moved into the database.
    full_log: u64,
    /// Held as long as this is; the system lets go of it when the process dies.
    lock: Option<File>,
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // Closing it would do, but for a child that is being started at this moment and has it open until it is another program.
        if let Some(lock) = &self.lock {
            let _ = lock.unlock();
        }
    }
}

impl Sqlite {
    /// For writing. What an earlier process left in the log is made durable first.
    pub(super) fn open(path: &Path, durability: Durability) -> Result<Self, Error> {
        let directory = path.parent().unwrap_or(Path::new(""));
        make(directory)?;
        let lock = lock(path)?;
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|error| read(&error).error)?;
        let mut sqlite = Self::new(connection, path, durability, Some(lock));
        sqlite.set_up().map_err(Error::from)?;
        // The file itself has to be found after a crash.
        sync(directory)?;
        Ok(sqlite)
    }

    /// For reading; others may write meanwhile.
    pub(super) fn read_only(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| read(&error).error)?;
        connection.busy_timeout(PATIENCE).map_err(|error| read(&error).error)?;
        Ok(Self::new(connection, path, Durability::Group, None))
    }

    fn new(connection: Connection, path: &Path, durability: Durability, lock: Option<File>) -> Self {
        connection.set_prepared_statement_cache_capacity(64);
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        Self {
            connection,
            statements: HashMap::new(),
            durability,
            wal: wal.into(),
            lost: None,
            is_committing: false,
            full_log: LOG,
            lock,
        }
    }

    /// How long what is read from now on may take together.
    pub(super) fn limit(&mut self, patience: Option<Duration>) -> Result<(), Failure> {
        let handler = patience.map(|patience| {
            let start = Instant::now();
            move || start.elapsed() > patience
        });
        let outcome = self.connection.progress_handler(STEPS, handler);
        self.seen(outcome)
    }

    fn set_up(&mut self) -> Result<(), Failure> {
        self.connection.busy_timeout(PATIENCE).map_err(|error| read(&error))?;
        // Before the first table, or it has no effect.
        self.pragma("auto_vacuum = INCREMENTAL")?;
        self.pragma("journal_mode = WAL")?;
        self.pragma("wal_autocheckpoint = 0")?;
        self.pragma("temp_store = MEMORY")?;
        self.pragma("trusted_schema = OFF")?;
        self.pragma(&format!("cache_size = -{CACHE}"))?;
        self.pragma("synchronous = FULL")?;
        if !self.checkpoint("TRUNCATE")? {
            return Err(Error::Busy.into());
        }
        if self.durability == Durability::Group {
            self.pragma("synchronous = NORMAL")?;
        }
        Ok(())
    }

    /// What a pragma answers is of no interest: most answer with what they have set.
    fn pragma(&mut self, pragma: &str) -> Result<(), Failure> {
        let outcome = self.connection.prepare(&format!("PRAGMA {pragma}")).and_then(|mut statement| {
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        });
        self.seen(outcome)
    }

    /// Moves the log into the database. `false` if a reader was in the way.
    fn checkpoint(&mut self, mode: &str) -> Result<bool, Failure> {
        failpoint::hit("ledger.checkpoint");
        self.is_committing = true;
        let outcome = self
            .connection
            .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, i64>(0));
        let outcome = self.seen(outcome);
        self.is_committing = false;
        Ok(outcome? == 0)
    }

    /// Reads an outcome, and remembers if a write was lost.
    fn seen<T>(&mut self, outcome: rusqlite::Result<T>) -> Result<T, Failure> {
        outcome.map_err(|error| self.failed(&error))
    }

    fn failed(&mut self, error: &rusqlite::Error) -> Failure {
        let mut failure = read(error);
        let code = error.sqlite_extended_error_code().unwrap_or(0);
        let is_io = code & 0xff == ffi::SQLITE_IOERR;
        let is_sync = matches!(code, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC);
        // While something is on its way to the disk nobody can tell what an error has left of it.
        if is_sync || is_io && self.is_committing {
            failure.error = Error::Sync(error.to_string());
            self.lost = Some(failure.error.clone());
        }
        failure
    }

    fn open_or(&self) -> Result<(), Failure> {
        self.lost.clone().map_or(Ok(()), |error| Err(error.into()))
    }

    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        self.open_or()?;
        let outcome =
            self.connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
        self.seen(outcome).map(drop)
    }

    pub(super) fn begin_read(&mut self) -> Result<(), Failure> {
        let outcome = self.connection.prepare_cached("BEGIN").and_then(|mut begin| begin.execute([]));
        self.seen(outcome).map(drop)
    }

    pub(super) fn commit(&mut self) -> Result<(), Failure> {
        self.is_committing = self.durability == Durability::Sync;
        let outcome = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        let outcome = self.seen(outcome);
        self.is_committing = false;
        outcome.map(drop)
    }

    /// Some errors have rolled back already.
    pub(super) fn roll_back(&mut self) -> Result<(), Failure> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        let outcome = self.connection.execute_batch("ROLLBACK");
        self.seen(outcome)
    }

    /// All that is committed is on the disk after this: a commit under `FULL` takes with it what was written before.
    pub(super) fn sync(&mut self) -> Result<(), Failure> {
        self.open_or()?;
        if self.durability == Durability::Group {
            failpoint::hit("ledger.sync");
            self.pragma("synchronous = FULL")?;
            self.is_committing = true;
            let outcome = self.connection.execute_batch(
                "INSERT INTO notes (name, value) VALUES ('syncs', 1) ON CONFLICT DO UPDATE SET value = value + 1",
            );
            let outcome = self.seen(outcome);
            self.is_committing = false;
            self.pragma("synchronous = NORMAL")?;
            outcome?;
        }
        Ok(())
    }

    /// Keeps the log short. Called after commits; mostly it only looks.
    pub(super) fn tidy(&mut self) -> Result<(), Failure> {
        let length = fs::metadata(&self.wal).map_or(0, |data| data.len());
        if length < self.full_log {
            return Ok(());
        }
        // Readers are not waited for: what can be moved is, and the rest the next time.
        self.connection.busy_timeout(Duration::ZERO).map_err(|error| read(&error))?;
        let outcome = self.checkpoint("TRUNCATE");
        self.connection.busy_timeout(PATIENCE).map_err(|error| read(&error))?;
        match outcome {
            Ok(true) => self.full_log = LOG,
            Ok(false) | Err(Failure { error: Error::Busy, .. }) => self.full_log = length + LOG / 4,
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    pub(super) fn vacuum(&mut self, pages: u32) -> Result<(), Failure> {
        self.open_or()?;
        self.pragma(&format!("incremental_vacuum({pages})"))
    }

    fn adapted(&mut self, sql: &'static str) -> &str {
        self.statements.entry(sql).or_insert_with(|| Dialect::Sqlite.adapt(sql))
    }

    pub(super) fn query(&mut self, sql: &'static str, parameters: &[Value]) -> Result<Vec<Row>, Failure> {
        self.open_or()?;
        self.adapted(sql);
        let sql = &self.statements[sql];
        let outcome = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let mut answer = Vec::new();
            bind(&mut statement, parameters)?;
            collect(&mut statement, &mut answer)?;
            Ok(answer)
        });
        self.seen(outcome)
    }

    /// A statement that is not worth keeping.
    pub(super) fn ask(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, Failure> {
        self.open_or()?;
        let outcome = self.connection.prepare(&Dialect::Sqlite.adapt(sql)).and_then(|mut statement| {
            let mut answer = Vec::new();
            bind(&mut statement, parameters)?;
            collect(&mut statement, &mut answer)?;
            Ok(answer)
        });
        self.seen(outcome)
    }

    pub(super) fn execute(&mut self, sql: &'static str, parameters: &[Value]) -> Result<u64, Failure> {
        self.open_or()?;
        self.adapted(sql);
        let sql = &self.statements[sql];
        let outcome = self.connection.prepare_cached(sql).and_then(|mut statement| {
            bind(&mut statement, parameters)?;
            statement.raw_execute()
        });
        self.seen(outcome).map(|changed| changed as u64)
    }

    pub(super) fn script(&mut self, sql: &str) -> Result<(), Failure> {
        let outcome = self.connection.execute_batch(sql);
        self.seen(outcome)
    }

    pub(super) fn many(&mut self, many: &Many, columns: &[Column<'_>]) -> Result<Vec<Row>, Failure> {
        self.open_or()?;
        let sql = self.statements.entry(many.sql).or_insert_with(|| Dialect::Sqlite.adapt_many(many));
        let outcome = self.connection.prepare_cached(sql).and_then(|mut statement| {
            let mut answer = Vec::new();
            let asks = statement.column_count() > 0;
            for row in 0..columns.first().map_or(0, Column::len) {
                for (index, column) in columns.iter().enumerate() {
                    statement.raw_bind_parameter(index + 1, Cell(column, row))?;
                }
                if asks {
                    collect(&mut statement, &mut answer)?;
                } else {
                    statement.raw_execute()?;
                }
            }
            Ok(answer)
        });
        self.seen(outcome)
    }
}

/// Makes a directory and those above it that are not there, so that they are found after a crash.
fn make(directory: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|it| !exists(it)).collect();
    for new in missing.into_iter().rev() {
        let told = |error| Error::Io(format!("{}: {error}", new.display()));
        match fs::create_dir(new) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(told(error)),
            _ => sync(new.parent().unwrap_or(Path::new("")))?,
        }
    }
    Ok(())
}

/// The empty path is that of where we are.
fn exists(directory: &Path) -> bool {
    directory.as_os_str().is_empty() || directory.exists()
}

fn sync(directory: &Path) -> Result<(), Error> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| io_error(&error))
}

/// Beside the file, so that the file itself can be copied and looked at with other tools.
fn lock(path: &Path) -> Result<File, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|error| Error::Io(format!("{}: {error}", Path::new(&name).display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Taken(format!("{} is locked", Path::new(&name).display())))
        }
        Err(TryLockError::Error(error)) => Err(io_error(&error)),
    }
}

fn io_error(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full,
        _ => Error::Io(error.to_string()),
    }
}

fn read(error: &rusqlite::Error) -> Failure {
    let words = error.to_string();
    let error = match error.sqlite_extended_error_code().unwrap_or(0) & 0xff {
        ffi::SQLITE_FULL => Error::Full,
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Error::Busy,
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB | ffi::SQLITE_CONSTRAINT => Error::Corrupt(words),
        // The limit of what is read.
        ffi::SQLITE_INTERRUPT => Error::Away("the answer takes longer than it may".into()),
        _ => Error::Io(words),
    };
    Failure { error, remedy: Remedy::RollBack }
}

fn bind(statement: &mut Statement<'_>, parameters: &[Value]) -> rusqlite::Result<()> {
    for (index, parameter) in parameters.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, parameter)?;
    }
    Ok(())
}

fn collect(statement: &mut Statement<'_>, answer: &mut Vec<Row>) -> rusqlite::Result<()> {
    let width = statement.column_count();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let values = (0..width).map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Int(value),
                // No column of ours holds one: `Row` says which is wrong.
                ValueRef::Real(_) => Value::Bytes(Vec::new()),
                ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
            })
        });
        answer.push(Row(values.collect::<rusqlite::Result<_>>()?));
    }
    Ok(())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// One row of a column.
struct Cell<'a>(&'a Column<'a>, usize);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let row = self.1;
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Column::Int(values) => ValueRef::Integer(values[row]),
            Column::Text(values) => ValueRef::Text(values[row].as_bytes()),
            Column::Bytes(values) => ValueRef::Blob(values[row]),
            Column::MaybeBytes(values) => values[row].map_or(ValueRef::Null, ValueRef::Blob),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path) -> Sqlite {
        Sqlite::open(&directory.join("ledger.db"), Durability::Group).unwrap()
    }

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn a_failed_fsync_closes_the_ledger_for_good() {
        let directory = tempfile::tempdir().unwrap();
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC] {
            let mut sqlite = open(directory.path());
            assert!(matches!(sqlite.failed(&failure(code)).error, Error::Sync(_)));
            for outcome in [sqlite.begin(), sqlite.sync(), sqlite.query("SELECT 1", &[]).map(drop)] {
                assert!(matches!(outcome.unwrap_err().error, Error::Sync(_)));
            }
        }
        // Also what fails while it is on its way to the disk, whatever it is.
        let mut sqlite = open(directory.path());
        assert!(matches!(sqlite.failed(&failure(ffi::SQLITE_IOERR_WRITE)).error, Error::Io(_)));
        sqlite.begin().unwrap();
        sqlite.is_committing = true;
        assert!(matches!(sqlite.failed(&failure(ffi::SQLITE_IOERR_WRITE)).error, Error::Sync(_)));
    }

    #[test]
    fn errors_are_told_apart() {
        for (code, expected) in [
            (ffi::SQLITE_FULL, Error::Full),
            (ffi::SQLITE_BUSY, Error::Busy),
            (ffi::SQLITE_BUSY_SNAPSHOT, Error::Busy),
        ] {
            assert_eq!(read(&failure(code)).error, expected);
        }
        assert!(matches!(read(&failure(ffi::SQLITE_NOTADB)).error, Error::Corrupt(_)));
    }

    #[test]
    fn a_log_that_grows_long_is_moved_into_the_database() {
        let directory = tempfile::tempdir().unwrap();
        let mut sqlite = open(directory.path());
        sqlite.script("CREATE TABLE t (x BLOB); INSERT INTO t VALUES (zeroblob(100000))").unwrap();
        let length = |sqlite: &Sqlite| fs::metadata(&sqlite.wal).unwrap().len();
        assert!(length(&sqlite) > 0);
        sqlite.full_log = 1;
        // While somebody reads what is older than the rest, that rest has to stay.
        let mut reader = Sqlite::read_only(&directory.path().join("ledger.db")).unwrap();
        reader.begin_read().unwrap();
        reader.query("SELECT count(*) FROM t", &[]).unwrap();
        sqlite.script("INSERT INTO t VALUES (zeroblob(100000))").unwrap();
        sqlite.tidy().unwrap();
        assert!(length(&sqlite) > 0 && sqlite.full_log > LOG / 4);
        reader.commit().unwrap();
        sqlite.full_log = 1;
        sqlite.tidy().unwrap();
        assert_eq!((length(&sqlite), sqlite.full_log), (0, LOG));
    }
}
