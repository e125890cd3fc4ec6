//! Tells when watched files may have changed: once, after they have been quiet for a while.
//!
//! Directories are watched, never files: a file that is renamed over another one, a symbolic link that is put in place
//! of another one and a file that is deleted and written anew are all new files under an old name.

mod plan;

use std::collections::BTreeMap;
use std::io;
use std::iter;
use std::path::PathBuf;
use std::sync::mpsc as thread_channel;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use plan::{Identity, Plan};

/// However busy the files are, a change is told after so many times the quiet that is waited for.
const PATIENCE: u32 = 10;
/// Directories that come and go this fast are looked at again with the next event.
const MOST_LOOKS: usize = 8;

/// Watches files and directories until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    messages: thread_channel::Sender<Message>,
}

enum Message {
    Event(notify::Result<Event>),
    Watch(Vec<PathBuf>, thread_channel::Sender<bool>),
    Stop,
}

impl Watcher {
    /// Watches `paths`: of a file, what becomes of it; of a directory, which names come and go. Paths need not exist.
    pub(crate) fn new(paths: Vec<PathBuf>, debounce: Duration) -> io::Result<(Self, mpsc::Receiver<()>)> {
        let (messages, inbox) = thread_channel::channel();
        let events = messages.clone();
        let watcher = notify::recommended_watcher(move |event| {
            // the other end is gone once nobody waits for changes any more
            let _gone = events.send(Message::Event(event));
        })
        .map_err(io::Error::other)?;
        // one signal says all that there is to say, so one is enough to keep
        let (changed, receiver) = mpsc::channel(1);
        let mut watching =
            Watching { watcher, debounce, changed, plan: Plan::default(), watched: BTreeMap::new(), paths };
        watching.renew();
        thread::Builder::new().name("sluice-watch".to_owned()).spawn(move || watching.run(&inbox))?;
        Ok((Self { messages }, receiver))
    }

    /// Watches these in place of the former. `true` if it looks into directories that it had not looked into: what
    /// changed there before this call returned is not told, so whoever read them before should read them again.
    pub(crate) fn watch(&self, paths: Vec<PathBuf>) -> bool {
        let (answer, answered) = thread_channel::channel();
        let sent = self.messages.send(Message::Watch(paths, answer));
        sent.is_ok() && answered.recv().unwrap_or(false)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _gone = self.messages.send(Message::Stop);
    }
}

struct Watching {
    watcher: RecommendedWatcher,
    debounce: Duration,
    changed: mpsc::Sender<()>,
    paths: Vec<PathBuf>,
    plan: Plan,
    /// Directories that are watched, and which ones they were when that began.
    watched: BTreeMap<PathBuf, Identity>,
}

impl Watching {
    fn run(mut self, inbox: &thread_channel::Receiver<Message>) {
        let mut pending: Option<Pending> = None;
        loop {
            let message = match &pending {
                Some(pending) => inbox.recv_timeout(pending.due.saturating_duration_since(Instant::now())),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut matters = false;
            match message {
                Ok(message) => {
                    // all that has come together, so that a storm of events is looked at once
                    for message in iter::once(message).chain(inbox.try_iter()) {
                        match message {
                            Message::Event(event) => matters |= self.matters(event),
                            Message::Watch(paths, answer) => {
                                self.paths = paths;
                                let _gone = answer.send(self.renew());
                            }
                            Message::Stop => return,
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    pending = None;
                    if let Err(TrySendError::Closed(())) = self.changed.try_send(()) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if matters {
                // names may lead elsewhere now, and directories may be new ones
                self.renew();
                pending = Some(Pending::after(pending, Instant::now(), self.debounce));
            }
        }
    }

    /// Looks where the paths lead now and watches that. Whether there was a directory that is new.
    fn renew(&mut self) -> bool {
        let mut new = false;
        for look in 1..=MOST_LOOKS {
            self.plan = Plan::new(&self.paths);
            let established = self.establish();
            new |= matches!(established, Ok(true));
            // what came up or went away between the look and the watch is seen by looking once more
            match established {
                Ok(false) => break,
                Err((directory, error)) if look == MOST_LOOKS => {
                    tracing::warn!(directory = %directory.display(), %error, "cannot watch for changes");
                }
                Ok(true) | Err(_) => {}
            }
        }
        new
    }

    fn establish(&mut self) -> Result<bool, (PathBuf, notify::Error)> {
        let plan = &self.plan;
        let watcher = &mut self.watcher;
        self.watched.retain(|directory, identity| {
            let stays = plan.identity(directory) == Some(*identity);
            if !stays {
                // a directory that is gone is no longer watched anyway
                let _gone = watcher.unwatch(directory);
            }
            stays
        });
        let mut result = Ok(false);
        for (directory, identity) in plan.directories() {
            // also those that are watched already: notify stops watching a path whenever it hears that something was
            // deleted there, which may be news of a directory that has a successor by now
            match watcher.watch(directory, RecursiveMode::NonRecursive) {
                Ok(()) if self.watched.insert(directory.clone(), identity).is_some() => {}
                Ok(()) => result = result.map(|_| true),
                Err(error) => result = Err((directory.clone(), error)),
            }
        }
        result
    }

    fn matters(&self, event: notify::Result<Event>) -> bool {
        // after an error or an overflow nobody knows what happened
        let Ok(event) = event else { return true };
        if event.need_rescan() {
            return true;
        }
        let names = match event.kind {
            // reading is no change; and whoever reloads reads
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => return false,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => true,
            _ => false,
        };
        event.paths.iter().any(|path| self.plan.concerns(path, names))
    }
}

/// A change that is going to be told.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pending {
    first: Instant,
    due: Instant,
}

impl Pending {
    fn after(before: Option<Self>, now: Instant, quiet: Duration) -> Self {
        let first = before.map_or(now, |before| before.first);
        Self { first, due: (now + quiet).min(first + quiet * PATIENCE) }
    }
}

#[cfg(test)]
mod tests;
