//! What attacks are made of: floods of bytes on a few connections, and many connections that are held open.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::harness::wait;

/// How long an attacker waits for bytes to be taken before it looks whether it is to stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// The gateway as attackers see it, and what they have done to it.
#[derive(Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    bytes: AtomicU64,
    connections: AtomicU64,
    ended: AtomicU64,
}

/// What was done.
pub(crate) struct Count {
    pub(crate) bytes: u64,
    pub(crate) connections: u64,
    pub(crate) ended: u64,
}

impl Target {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, tally: Arc::default() }
    }

    pub(crate) fn stop(&self) {
        self.tally.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> Count {
        let tally = &self.tally;
        Count {
            bytes: tally.bytes.load(Ordering::Relaxed),
            connections: tally.connections.load(Ordering::Relaxed),
            ended: tally.ended.load(Ordering::Relaxed),
        }
    }

    fn goes_on(&self) -> bool {
        !self.tally.stop.load(Ordering::Relaxed)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        self.tally.connections.fetch_add(1, Ordering::Relaxed);
        Ok(stream)
    }

    fn send(&self, stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() && self.goes_on() {
            match stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.tally.bytes.fetch_add(written as u64, Ordering::Relaxed);
                    bytes = &bytes[written..];
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One connection after the other: the opening, then what `next` makes again and again until the gateway ends it. What comes back is
    /// read if it `reads`.
    pub(crate) fn flood(&self, opening: &[u8], reads: bool, next: impl Fn(u32) -> Vec<u8>) {
        while self.goes_on() {
            let Ok(mut stream) = self.connect() else { continue };
            let mut round = 0;
            let ended = self.send(&mut stream, opening).and_then(|()| {
                while self.goes_on() {
                    self.send(&mut stream, &next(round))?;
                    round += 1;
                    if reads {
                        drain(&mut stream)?;
                    }
                }
                Ok(())
            });
            if ended.is_err() {
                self.tally.ended.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// So many connections at a time: the opening, then `drip` on each every so often. One that the gateway ends is made anew. What comes
    /// back is left where it is, but for as much as `reads` says each time.
    pub(crate) fn hold(
        &self,
        connections: usize,
        opening: &[u8],
        drip: &[u8],
        every: Duration,
        reads: usize,
    ) {
        let mut open: Vec<TcpStream> = Vec::new();
        let mut buffer = vec![0; reads.max(1)];
        while self.goes_on() {
            while open.len() < connections && self.goes_on() {
                let made = self.connect().and_then(|mut stream| {
                    self.send(&mut stream, opening)?;
                    stream.set_nonblocking(true)?;
                    Ok(stream)
                });
                match made {
                    Ok(stream) => open.push(stream),
                    Err(_) => break,
                }
            }
            let before = open.len();
            open.retain_mut(|stream| {
                let said = drip.is_empty() || self.send_now(stream, drip).is_ok();
                let heard = match if reads == 0 { stream.peek(&mut buffer) } else { stream.read(&mut buffer) }
                {
                    Ok(0) => false,
                    Ok(_) => true,
                    Err(error) => error.kind() == ErrorKind::WouldBlock,
                };
                said && heard
            });
            self.tally.ended.fetch_add((before - open.len()) as u64, Ordering::Relaxed);
            wait::pause(every);
        }
    }

    fn send_now(&self, stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        match stream.write(bytes) {
            Ok(written) => {
                self.tally.bytes.fetch_add(written as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Connections that are made and left at once.
    pub(crate) fn churn(&self, bytes: &[u8]) {
        while self.goes_on() {
            if let Ok(mut stream) = self.connect() {
                let _ = self.send(&mut stream, bytes);
            }
        }
    }
}

/// Reads what is there.
fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    stream.set_nonblocking(true)?;
    let ended = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    stream.set_nonblocking(false)?;
    ended
}
