//! Into files: one for each UTC day, whose events it holds.
//!
//! Every event is in them exactly once. What the ledger keeps with the sink's cursor is the length of each file that is being
//! written, as of the events before the cursor. What is longer was written and not acknowledged, so it is cut off, and written again. A
//! file that is not among them is told of, with its length, before it is touched. Gateways that share the ledger share what it keeps,
//! and perhaps not the disk, so lengths are kept by directory, each of which has a name in it.
//!
//! What is cut off is a batch at most, unless the ledger is an older one than the file's, from a backup: then a copy of the file is kept.

mod disk;
mod mark;
mod note;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use jiff::tz::TimeZone;
use sluice_metering::event::Event;

use super::format::{csv, json};
use super::outcome::Outcome;
use super::record::Record;
use super::settings::{FileFormat, FileTarget};
use note::{Lengths, Note};

/// Files whose lengths are kept at most, if the events at hand do not touch more; events come a little out of order at midnight.
const KEPT: usize = 3;

/// Appends events to the files of their days.
#[derive(Debug)]
pub(super) struct FileSender {
    target: FileTarget,
    /// Events in one batch.
    batch: usize,
    /// What the ledger keeps, also of other machines' directories.
    note: Note,
    /// The directory, once it has been looked at.
    directory: Option<Directory>,
}

/// The directory that events are written to. Another one may come to be at the same path: a disk that is mounted.
#[derive(Debug)]
struct Directory {
    name: String,
    lengths: Lengths,
}

impl FileSender {
    pub(super) fn new(target: FileTarget, batch: usize) -> Self {
        Self { target, batch, note: Note::default(), directory: None }
    }

    /// Takes up what the ledger keeps, and cuts off what was written and not acknowledged.
    pub(super) async fn restore(&mut self, note: &str) -> Result<(), String> {
        self.directory = None;
        self.note = Note::read(note)
            .map_err(|error| format!("what the ledger keeps of the files cannot be read: {error}"))?;
        let path = self.target.directory.clone();
        let name = blocking(move || mark::read(&path)).await;
        // If it has no name yet, the ledger knows nothing of it.
        if let Some(name) = name.map_err(|error| format!("the directory cannot be read: {error}"))? {
            self.enter(name).await.map_err(|error| format!("a file cannot be cut: {error}"))?;
        }
        Ok(())
    }

    /// Goes on in the directory of this name as the ledger knows it.
    async fn enter(&mut self, name: String) -> io::Result<&mut Lengths> {
        if let Some(left) = self.directory.take() {
            self.note.set(&left.name, &left.lengths);
        }
        let (path, lengths, batch) = (self.target.directory.clone(), self.note.of(&name), self.batch);
        let cutting = blocking(move || {
            for (name, length) in &lengths {
                disk::cut(&path, name, *length, batch)?;
            }
            Ok(lengths)
        });
        let lengths = cutting.await?;
        Ok(&mut self.directory.insert(Directory { name, lengths }).lengths)
    }

    /// What the ledger has to keep.
    pub(super) fn note(&self) -> String {
        let mut note = self.note.clone();
        if let Some(directory) = &self.directory {
            note.set(&directory.name, &directory.lengths);
        }
        note.to_text()
    }

    /// Whether the ledger has to keep a new [`note`](Self::note) before these events may be sent.
    pub(super) async fn prepare(&mut self, events: &[Event]) -> io::Result<bool> {
        let path = self.target.directory.clone();
        let name = blocking(move || mark::make(&path)).await?;
        let touched: BTreeSet<String> = events.iter().map(|event| self.name(event)).collect();
        let path = self.target.directory.clone();
        let lengths = match &mut self.directory {
            Some(directory) if directory.name == name => &mut directory.lengths,
            _ => self.enter(name).await?,
        };
        let new: Vec<String> = touched.iter().filter(|name| !lengths.contains_key(*name)).cloned().collect();
        if new.is_empty() {
            return Ok(false);
        }
        let found = blocking(move || {
            let length = |name: String| {
                let length = match fs::metadata(path.join(&name)) {
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
        while lengths.len() + found.len() > KEPT {
            let Some(oldest) = lengths.keys().find(|name| !touched.contains(*name)).cloned() else {
                break;
            };
            lengths.remove(&oldest);
        }
        lengths.extend(found);
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
        let (path, format) = (self.target.directory.clone(), self.target.format);
        let untold = || Outcome::later("the ledger has not been told of a file");
        let Some(directory) = &mut self.directory else { return untold() };
        let mut jobs = Vec::new();
        for (name, piece) in pieces {
            let Some(length) = directory.lengths.get(&name).copied() else { return untold() };
            jobs.push((name, length, piece));
        }
        let written = blocking(move || {
            fs::create_dir_all(&path)?;
            let write = |(name, length, piece): (String, u64, Vec<u8>)| {
                disk::append(&path, &name, length, format, &piece).map(|length| (name, length))
            };
            jobs.into_iter().map(write).collect::<io::Result<Lengths>>()
        });
        match written.await {
            Ok(lengths) => {
                directory.lengths.extend(lengths);
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

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
