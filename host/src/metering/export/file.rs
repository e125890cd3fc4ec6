//! Into files: one for each UTC day, whose events it holds.
//!
//! Every event is in them exactly once. What the ledger keeps with the sink's cursor is the length of each file that is being
//! written, as of the events before the cursor. What is longer was written and not acknowledged, so it is cut off, and written again. A
//! file that is not among them is told of, with its length, before it is touched.
//!
//! What is cut off is a batch at most, unless the ledger is an older one than the file's, from a backup: then a copy of the file is kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sluice_metering::event::Event;

use super::format::{csv, json};
use super::outcome::Outcome;
use super::record::Record;
use super::settings::{FileFormat, FileTarget};

/// Files whose lengths are kept at most, if the events at hand do not touch more; events come a little out of order at midnight.
const KEPT: usize = 3;

/// Names and lengths of files.
type Lengths = BTreeMap<String, u64>;

/// Appends events to the files of their days.
#[derive(Debug)]
pub(super) struct FileSender {
    target: FileTarget,
    /// Events in one batch.
    batch: usize,
    lengths: Lengths,
}

/// What the ledger keeps. Lengths mean nothing in another directory.
#[derive(Serialize, Deserialize)]
struct State<'a> {
    directory: Cow<'a, str>,
    files: Cow<'a, Lengths>,
}

impl FileSender {
    pub(super) fn new(target: FileTarget, batch: usize) -> Self {
        Self { target, batch, lengths: Lengths::new() }
    }

    /// Takes up what the ledger keeps, and cuts off what was written and not acknowledged.
    pub(super) async fn restore(&mut self, note: &str) -> Result<(), String> {
        self.lengths = Lengths::new();
        if note.is_empty() {
            return Ok(());
        }
        let State { directory, files } = serde_json::from_str(note)
            .map_err(|error| format!("what the ledger keeps of the files cannot be read: {error}"))?;
        if directory != self.target.directory.to_string_lossy() {
            return Ok(());
        }
        let (directory, lengths) = (self.target.directory.clone(), files.into_owned());
        let batch = self.batch;
        let cutting = blocking(move || {
            for (name, length) in &lengths {
                cut(&directory, name, *length, batch)?;
            }
            Ok(lengths)
        });
        self.lengths = cutting.await.map_err(|error| format!("a file cannot be cut: {error}"))?;
        Ok(())
    }

    /// What the ledger has to keep.
    pub(super) fn note(&self) -> String {
        let directory = self.target.directory.to_string_lossy();
        serde_json::to_string(&State { directory, files: Cow::Borrowed(&self.lengths) })
            .expect("texts and numbers")
    }

    /// Whether the ledger has to keep a new [`note`](Self::note) before these events may be sent.
    pub(super) async fn prepare(&mut self, events: &[Event]) -> io::Result<bool> {
        let touched: BTreeSet<String> = events.iter().map(|event| self.name(event)).collect();
        let new: Vec<String> =
            touched.iter().filter(|name| !self.lengths.contains_key(*name)).cloned().collect();
        if new.is_empty() {
            return Ok(false);
        }
        let directory = self.target.directory.clone();
        let found = blocking(move || {
            let length = |name: String| {
                let length = match fs::metadata(directory.join(&name)) {
                    Ok(metadata) => metadata.len(),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                    Err(error) => return Err(error),
                };
                Ok((name, length))
            };
            new.into_iter().map(length).collect::<io::Result<Vec<_>>>()
        });
        let found = found.await?;
        // The oldest go. Should there be an event of their days after all, they are told of again.
        while self.lengths.len() + found.len() > KEPT {
            let Some(oldest) = self.lengths.keys().find(|name| !touched.contains(*name)).cloned() else {
                break;
            };
            self.lengths.remove(&oldest);
        }
        self.lengths.extend(found);
        Ok(true)
    }

    /// Never to be dropped half way: what is written goes on being written.
    pub(super) async fn send(&mut self, records: &[Record<'_>]) -> Outcome {
        let mut pieces: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for record in records {
            let piece = pieces.entry(self.name(record.event)).or_default();
            match self.target.format {
                FileFormat::Csv => csv::line(record, piece),
                FileFormat::Json => json::line(record, piece),
            }
        }
        let (directory, format) = (self.target.directory.clone(), self.target.format);
        let mut jobs = Vec::new();
        for (name, piece) in pieces {
            let Some(length) = self.lengths.get(&name).copied() else {
                return Outcome::later("the ledger has not been told of a file");
            };
            jobs.push((name, length, piece));
        }
        let written = blocking(move || {
            fs::create_dir_all(&directory)?;
            let write = |(name, length, piece): (String, u64, Vec<u8>)| {
                append(&directory, &name, length, format, &piece).map(|length| (name, length))
            };
            jobs.into_iter().map(write).collect::<io::Result<Lengths>>()
        });
        match written.await {
            Ok(lengths) => {
                self.lengths.extend(lengths);
                Outcome::Accepted
            }
            Err(error) => Outcome::later(format!("the file cannot be written: {error}")),
        }
    }

    /// The file of an event's day.
    fn name(&self, event: &Event) -> String {
        let ending = match self.target.format {
            FileFormat::Csv => "csv",
            FileFormat::Json => "jsonl",
        };
        format!("usage-{}.{ending}", event.at.to_zoned(TimeZone::UTC).date())
    }
}

/// Cuts a file to what counts, appends to it, and has the disk hold it; how long it is then.
fn append(directory: &Path, name: &str, length: u64, format: FileFormat, piece: &[u8]) -> io::Result<u64> {
    let path: PathBuf = directory.join(name);
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
    let found = file.metadata()?.len();
    if found > length {
        file.set_len(length)?;
    }
    if found < length {
        tracing::error!(file = %path.display(), expected = length, found, "somebody has shortened a file of usage events");
    }
    let length = length.min(found);
    let mut whole = Vec::new();
    if length == 0 && format == FileFormat::Csv {
        whole.extend_from_slice(csv::HEADER.as_bytes());
    }
    // A file that somebody has edited may end within a line.
    if length > 0 && last_byte(&mut file, length)? != b'\n' {
        whole.push(b'\n');
    }
    whole.extend_from_slice(piece);
    file.seek(SeekFrom::Start(length))?;
    file.write_all(&whole)?;
    file.sync_all()?;
    if is_new {
        // A file that is in no directory after the power failed would be lost with all that it holds.
        File::open(directory)?.sync_all()?;
    }
    Ok(length + whole.len() as u64)
}

/// Cuts a file that is longer. One that is missing is none of ours any more.
fn cut(directory: &Path, name: &str, length: u64, batch: usize) -> io::Result<()> {
    let path = directory.join(name);
    let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    if file.metadata()?.len() <= length {
        return Ok(());
    }
    // A new file has its header before its first batch.
    if lines_after(&mut file, length)? > batch + 1 {
        let copy = unused(directory, name);
        fs::copy(&path, &copy)?;
        File::open(&copy)?.sync_all()?;
        File::open(directory)?.sync_all()?;
        tracing::error!(
            file = %path.display(), copy = %copy.display(),
            "a file of usage events has more than the ledger knows to be in it, as after the ledger was restored from a backup: \
             it is cut to what the ledger knows, and the copy has all that was there"
        );
    }
    file.set_len(length)?;
    file.sync_all()
}

/// Ends of lines from a place on.
fn lines_after(file: &mut File, place: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(place))?;
    let mut lines = 0;
    for byte in BufReader::new(file).bytes() {
        lines += usize::from(byte? == b'\n');
    }
    Ok(lines)
}

/// A name beside a file's that nothing has yet. Its ending is none that readers of such files look for.
fn unused(directory: &Path, name: &str) -> PathBuf {
    let names = (1_u32..).map(|number| directory.join(format!("{name}.before-cut-{number}")));
    names.into_iter().find(|path| !path.exists()).expect("numbers do not end")
}

fn last_byte(file: &mut File, length: u64) -> io::Result<u8> {
    let mut last = [0];
    file.seek(SeekFrom::Start(length - 1))?;
    file.read_exact(&mut last)?;
    Ok(last[0])
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
