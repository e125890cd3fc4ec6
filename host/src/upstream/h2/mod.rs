//! Connections over HTTP/2 (RFC 9113) to one target. Each carries many exchanges at a time, and any of them may be told to go away
//! while others go on: then the next exchange finds another.

mod connection;
mod exchange;
mod incoming;
mod upload;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::error::{UpstreamError, UpstreamErrorKind};
pub(super) use connection::Connection;
pub(super) use exchange::send;

/// Connections that are opened to one target because all others have as many streams as it allows. With more exchanges than that
/// they wait for a stream.
const MOST: usize = 64;

/// The connections of one worker to one target.
pub(super) struct Connections {
    open: RefCell<Vec<Rc<Connection>>>,
    /// One at a time connects: the others wait, and most of them find room on the connection that is made.
    connecting: Semaphore,
    /// Attempts to connect so far, and what became of the last one.
    attempts: Cell<(u64, Option<UpstreamErrorKind>)>,
}

impl Connections {
    pub(super) fn new() -> Self {
        let (open, connecting) = (RefCell::default(), Semaphore::new(1));
        Self { open, connecting, attempts: Cell::default() }
    }

    /// A connection with room for a stream, that is not going away.
    pub(super) fn find(&self) -> Option<Rc<Connection>> {
        let mut open = self.open.borrow_mut();
        loop {
            open.retain(|connection| !connection.is_gone());
            let free = open.iter().find(|connection| connection.has_room());
            // With that many the least busy one has to do.
            let found = free.or_else(|| {
                let busy = open.iter().filter(|_| open.len() >= MOST);
                busy.min_by_key(|connection| connection.streams())
            });
            match found {
                Some(closing) if closing.is_closing() => {}
                found => return found.cloned(),
            }
        }
    }

    fn unsettled(&self) -> Option<Rc<Connection>> {
        self.open.borrow().iter().find(|connection| !connection.is_settled()).cloned()
    }

    /// A connection with room, made by `dial` unless somebody else makes one meanwhile.
    pub(super) async fn connect(
        &self,
        dial: impl AsyncFnOnce() -> Result<TcpStream, UpstreamError>,
        failed: impl Fn(UpstreamErrorKind) -> UpstreamError,
    ) -> Result<Rc<Connection>, UpstreamError> {
        let (before, _) = self.attempts.get();
        // It is never closed.
        let _connecting = self.connecting.acquire().await;
        // One that was just made may have room for all who wait.
        while let Some(young) = self.unsettled() {
            young.settled().await;
        }
        if let Some(connection) = self.find() {
            return Ok(connection);
        }
        // What just failed for another would fail again, and take as long.
        if let (attempts, Some(kind)) = self.attempts.get()
            && attempts != before
        {
            return Err(failed(kind));
        }
        let opened = match dial().await {
            Ok(stream) => Connection::open(stream)
                .await
                .map_err(|error| failed(UpstreamErrorKind::Connect).with_source(error)),
            Err(error) => Err(error),
        };
        let outcome = opened.as_ref().err().map(|error| error.kind);
        self.attempts.set((self.attempts.get().0 + 1, outcome));
        let connection = opened?;
        self.open.borrow_mut().push(Rc::clone(&connection));
        Ok(connection)
    }

    /// Closes those that carry nothing and have not for a while; whether any are left.
    pub(super) fn sweep(&self, now: Instant, idle: Duration) -> bool {
        let mut open = self.open.borrow_mut();
        open.retain(|connection| !connection.is_gone() && !connection.is_idle(now, idle));
        !open.is_empty()
    }

    #[cfg(test)]
    pub(super) fn streams(&self) -> usize {
        self.open.borrow().iter().map(|connection| connection.streams()).sum()
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.open.borrow().len()
    }
}
