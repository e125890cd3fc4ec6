//! Handing listening sockets to another process of the same user, which then accepts in this one's place: the queues of the
//! kernel stay open, so that no connection is refused in between.
//!
//! They meet at an address in Linux's abstract namespace that the path of the configuration gives. The newcomer says `HELLO`, gets the
//! sockets, says `READY` once it serves, and hears `YOURS` when the other has left the address to it.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg, sockopt::socket_peercred,
};
use sha2::{Digest as _, Sha256};

const HELLO: &[u8; 18] = b"sluice takeover 1\n";
const READY: &[u8; 6] = b"ready\n";
const YOURS: &[u8; 6] = b"yours\n";

/// Before a message with sockets: more of them follow, or these are the last.
const MORE: u8 = b'+';
const LAST: u8 = b'.';

/// Sockets in one message. The kernel takes 253.
const AT_ONCE: usize = 64;

/// How long each side waits for the other's next word, but for `READY`.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a newcomer may take to serve.
const WARMING: Duration = Duration::from_secs(300);

/// Where the processes of one configuration meet.
fn meeting(configuration: &Path) -> io::Result<UnixAddress> {
    let path = fs::canonicalize(configuration)?;
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    let name: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    UnixAddress::from_abstract_name(format!("sluice/takeover/{name}"))
}

/// Whether who is at the other end runs as the same user.
fn is_of_us(stream: &UnixStream) -> bool {
    socket_peercred(stream).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

/// Waits for whoever wants to take over.
pub(crate) struct Incumbent(UnixListener);

impl Incumbent {
    /// Fails if another process serves this configuration.
    pub(crate) fn new(configuration: &Path) -> io::Result<Self> {
        UnixListener::bind_addr(&meeting(configuration)?).map(Self)
    }

    /// Waits, blocking, until another process has the sockets and serves. `sockets` are those that are open when it asks.
    pub(crate) fn wait(self, sockets: impl Fn() -> Vec<TcpListener>) -> io::Result<()> {
        loop {
            let (stream, _) = self.0.accept()?;
            match hand_over(&stream, &sockets) {
                Ok(()) => {
                    drop(self.0);
                    // Whether or not it hears so, it serves.
                    let _ = (&stream).write_all(YOURS);
                    return Ok(());
                }
                Err(error) => tracing::warn!(%error, "another process did not take over"),
            }
        }
    }
}

fn hand_over(stream: &UnixStream, sockets: &impl Fn() -> Vec<TcpListener>) -> io::Result<()> {
    if !is_of_us(stream) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it runs as another user"));
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    hear(stream, HELLO)?;
    let sockets = sockets();
    let mut left = sockets.as_slice();
    loop {
        let (now, later) = left.split_at(left.len().min(AT_ONCE));
        send(stream, now, if later.is_empty() { LAST } else { MORE })?;
        left = later;
        if left.is_empty() {
            break;
        }
    }
    drop(sockets);
    stream.set_read_timeout(Some(WARMING))?;
    hear(stream, READY)
}

fn hear<const N: usize>(mut stream: &UnixStream, word: &[u8; N]) -> io::Result<()> {
    let mut heard = [0; N];
    stream.read_exact(&mut heard)?;
    if heard == *word {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "it said something else"))
    }
}

fn send(stream: &UnixStream, sockets: &[TcpListener], mark: u8) -> io::Result<()> {
    let descriptors: Vec<BorrowedFd<'_>> = sockets.iter().map(TcpListener::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("there is no room for the sockets"));
    }
    sendmsg(stream, &[IoSlice::new(&[mark])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes the sockets of another process over.
pub(crate) struct Newcomer {
    stream: UnixStream,
    sockets: Vec<TcpListener>,
}

impl Newcomer {
    /// Asks the process that serves this configuration for its sockets.
    ///
    /// # Errors
    /// If there is none, if it runs as another user, or does not answer in time.
    pub(crate) fn ask(configuration: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect_addr(&meeting(configuration)?)?;
        if !is_of_us(&stream) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it runs as another user"));
        }
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        (&stream).write_all(HELLO)?;
        let mut sockets = Vec::new();
        while receive(&stream, &mut sockets)? == MORE {}
        Ok(Self { stream, sockets })
    }

    /// The sockets that are bound to an address.
    pub(crate) fn take(&mut self, bind: SocketAddr) -> Vec<TcpListener> {
        let is_here = |socket: &mut TcpListener| socket.local_addr().is_ok_and(|address| address == bind);
        self.sockets.extract_if(.., is_here).collect()
    }

    /// Tells the other process that this one serves, and returns when it has left the meeting place.
    pub(crate) fn finish(self) -> io::Result<()> {
        // Sockets that nobody wanted would gather connections.
        drop(self.sockets);
        (&self.stream).write_all(READY)?;
        hear(&self.stream, YOURS)
    }
}

fn receive(stream: &UnixStream, sockets: &mut Vec<TcpListener>) -> io::Result<u8> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut mark = [0];
    let got = recvmsg(stream, &mut [IoSliceMut::new(&mut mark)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors.map(|descriptor: OwnedFd| TcpListener::from(descriptor)));
        }
    }
    match (got.bytes, mark[0]) {
        (0, _) => Err(io::ErrorKind::UnexpectedEof.into()),
        (_, MORE | LAST) => Ok(mark[0]),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it said something else")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::sync::mpsc;

    use super::*;

    fn configuration() -> tempfile::NamedTempFile {
        tempfile::NamedTempFile::new().unwrap()
    }

    #[test]
    fn sockets_change_hands_with_what_waits_in_them() {
        let file = configuration();
        // More than one message takes.
        let sockets: Vec<_> = (0..150).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let waiting = TcpStream::connect(addresses[149]).unwrap();
        let incumbent = Incumbent::new(file.path()).unwrap();
        assert!(Incumbent::new(file.path()).is_err(), "there is one at a time");
        let (done, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let clones = || sockets.iter().map(|socket| socket.try_clone().unwrap()).collect();
            let waited = incumbent.wait(clones);
            drop(sockets);
            done.send(waited).unwrap();
        });
        let mut newcomer = Newcomer::ask(file.path()).unwrap();
        let taken = newcomer.take(addresses[149]);
        assert_eq!((taken.len(), newcomer.take(addresses[149]).len()), (1, 0));
        let other = newcomer.take(addresses[0]);
        newcomer.finish().unwrap();
        ended.recv().unwrap().unwrap();
        let (_, from) = taken[0].accept().unwrap();
        assert_eq!(from, waiting.local_addr().unwrap());
        assert!(TcpStream::connect(addresses[0]).is_ok());
        drop(other);
        // What nobody took is closed.
        assert!(TcpStream::connect(addresses[1]).is_err());
        assert!(Incumbent::new(file.path()).is_ok(), "the place is free");
    }

    #[test]
    fn who_gives_up_leaves_everything_as_it_is() {
        let file = configuration();
        assert_eq!(Newcomer::ask(file.path()).err().unwrap().kind(), io::ErrorKind::ConnectionRefused);
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let incumbent = Incumbent::new(file.path()).unwrap();
        let (done, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let waited = incumbent.wait(|| vec![socket.try_clone().unwrap()]);
            done.send(waited).unwrap();
        });
        let mut stranger = UnixStream::connect_addr(&meeting(file.path()).unwrap()).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        drop(stranger);
        drop(Newcomer::ask(file.path()).unwrap());
        assert!(TcpStream::connect(address).is_ok());
        let newcomer = Newcomer::ask(file.path()).unwrap();
        newcomer.finish().unwrap();
        ended.recv().unwrap().unwrap();
    }
}
