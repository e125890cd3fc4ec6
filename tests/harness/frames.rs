//! HTTP/2 frame by frame: what is sent is what a test writes, and what comes back is read as frames (RFC 9113 section 4.1).

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::wait::DEADLINE;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A frame as bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Fields as a block of literals that nobody remembers (RFC 7541 section 6.2.2), so that anything can be written.
pub(crate) fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(text.len(), 7, &mut block);
            block.extend_from_slice(text);
        }
    }
    block
}

/// A number with a prefix of so many bits (RFC 7541 section 5.1), whose other bits are none.
fn integer(number: usize, bits: u32, out: &mut Vec<u8>) {
    let most = (1 << bits) - 1;
    if number < most {
        out.push(u8::try_from(number).expect("below the prefix"));
        return;
    }
    out.push(u8::try_from(most).expect("a prefix is short"));
    let mut rest = number - most;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).expect("seven bits") | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).expect("seven bits"));
}

/// The pseudo-header fields of a request and its further fields.
pub(crate) fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut all: Vec<(&[u8], &[u8])> = vec![
        (b":method", method.as_bytes()),
        (b":scheme", b"http"),
        (b":authority", b"a.example"),
        (b":path", path.as_bytes()),
    ];
    all.extend(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    block(&all)
}

/// A connection whose client has sent its preface and empty SETTINGS.
pub(crate) struct Raw {
    stream: TcpStream,
}

impl Raw {
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut raw = Self::silent(address);
        raw.send(PREFACE);
        raw.send(frame(SETTINGS, 0, 0, &[]));
        raw
    }

    /// One that has said nothing yet.
    #[track_caller]
    pub(crate) fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway accepts");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("a socket");
        Self { stream }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the gateway takes the bytes");
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// The same connection once more, to be written to while this one reads.
    pub(crate) fn twin(&self) -> Self {
        Self { stream: self.stream.try_clone().expect("a socket") }
    }

    /// The next frame; none at the end of the connection, however it came.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read(&mut head)?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.read(&mut payload)?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("neither a frame nor the end within {DEADLINE:?}")
            }
            Err(_) => None,
        }
    }

    /// The code of the GOAWAY that ends the connection, if one comes before its end.
    pub(crate) fn goaway(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next() {
            if frame.kind == GOAWAY {
                code = frame.payload.get(4..8).map(|code| u32::from_be_bytes(code.try_into().expect("four")));
            }
        }
        code
    }
}
