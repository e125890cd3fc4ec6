//! Where lines end up: standard output, or a file that may be rotated away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::telemetry::Throttle;

/// How often the file's place is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Writes whole lines.
pub(super) struct Writer {
    to: Box<dyn Write + Send>,
    /// For a file: where it should be, which one it is, and when that was last seen.
    place: Option<Place>,
    complaints: Throttle<&'static str>,
}

struct Place {
    path: PathBuf,
    identity: (u64, u64),
    seen: Option<Instant>,
}

impl Writer {
    pub(super) fn stdout() -> Self {
        Self::new(Box::new(io::stdout()))
    }

    pub(super) fn new(to: Box<dyn Write + Send>) -> Self {
        Self { to, place: None, complaints: Throttle::default() }
    }

    /// Appends to the file, which is created if there is none.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        let (file, identity) = open(path)?;
        let place = Some(Place { path: path.to_owned(), identity, seen: None });
        Ok(Self { place, ..Self::new(Box::new(file)) })
    }

    /// Whether the lines were written.
    pub(super) fn write(&mut self, lines: &[u8], now: Instant) -> bool {
        let written = self.follow(now).and_then(|()| self.to.write_all(lines)).and_then(|()| self.to.flush());
        if let Err(error) = &written
            && let Some(suppressed) = self.complaints.permit("write", now)
        {
            tracing::warn!(%error, suppressed, "the access log cannot be written");
        }
        written.is_ok()
    }

    /// Opens the file anew if it was moved away or deleted, as log rotation does.
    fn follow(&mut self, now: Instant) -> io::Result<()> {
        let Some(place) = &mut self.place else { return Ok(()) };
        if place.seen.is_some_and(|seen| now.saturating_duration_since(seen) < LOOK_EVERY) {
            return Ok(());
        }
        if fs::metadata(&place.path).ok().map(|there| identity(&there)) != Some(place.identity) {
            let (file, identity) = open(&place.path)?;
            self.to = Box::new(file);
            place.identity = identity;
        }
        place.seen = Some(now);
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<(File, (u64, u64))> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let identity = identity(&file.metadata()?);
    Ok((file, identity))
}

fn identity(there: &fs::Metadata) -> (u64, u64) {
    (there.dev(), there.ino())
}
