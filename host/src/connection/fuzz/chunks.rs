//! The chunked coding against a slow decoder that has all bytes at once and is written as the grammar is (RFC 9112 section 7.1).

use super::cut;
use crate::net::{Chunks, Piece};

/// Bytes that extensions and trailers may take together: few, so that short inputs reach them.
const MOST: usize = 48;

/// Any bytes as a body.
pub(crate) fn chunks(bytes: &[u8]) {
    let expected = decode(bytes, MOST);
    for pieces in cut(bytes) {
        let found = follow(&pieces);
        assert_eq!((&found.data, &found.end), (&expected.data, &expected.end));
        if !matches!(found.end, End::Broken(_)) {
            assert_eq!(found.trailers, expected.trailers);
        }
        assert_eq!(look(&pieces), expected.end);
    }
}

/// How a body ended, if it did, and after how many bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole(usize),
    Open,
    Broken(usize),
}

/// A body without its coding.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) data: Vec<u8>,
    pub(super) trailers: Vec<u8>,
    pub(super) end: End,
}

fn follow(pieces: &[&[u8]]) -> Decoded {
    let mut chunks = Chunks::new(MOST);
    let (mut data, mut trailers, mut at) = (Vec::new(), Vec::new(), 0);
    for mut rest in pieces.iter().copied() {
        while !rest.is_empty() {
            let length = match chunks.next(rest) {
                Ok(Piece::Data(length)) => {
                    data.extend_from_slice(&rest[..length]);
                    length
                }
                Ok(Piece::Trailer(length)) => {
                    trailers.extend_from_slice(&rest[..length]);
                    length
                }
                Ok(Piece::Syntax(length)) => length,
                Ok(Piece::End(length)) => return Decoded { data, trailers, end: End::Whole(at + length) },
                Err(broken) => return Decoded { data, trailers, end: End::Broken(at + broken.valid) },
            };
            assert!(length > 0, "it gets on");
            at += length;
            rest = &rest[length..];
        }
    }
    Decoded { data, trailers, end: End::Open }
}

fn look(pieces: &[&[u8]]) -> End {
    let (mut chunks, mut at) = (Chunks::new(MOST), 0);
    for piece in pieces {
        match chunks.look(piece) {
            Ok((length, true)) => return End::Whole(at + length),
            Ok((length, false)) => assert_eq!(length, piece.len()),
            Err(broken) => return End::Broken(at + broken.valid),
        }
        at += piece.len();
    }
    End::Open
}

/// The slow decoder. `most`: as of [`Chunks::new`].
pub(super) fn decode(bytes: &[u8], most: usize) -> Decoded {
    let mut reader = Reader { bytes, at: 0, room: most, data: Vec::new(), trailers: Vec::new() };
    let end = match reader.body() {
        Ok(()) => End::Whole(reader.at),
        Err(Stop) if reader.at == bytes.len() => End::Open,
        Err(Stop) => End::Broken(reader.at),
    };
    Decoded { data: reader.data, trailers: reader.trailers, end }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Left for extensions and trailers.
    room: usize,
    data: Vec<u8>,
    trailers: Vec<u8>,
}

/// The byte that comes next, if there is one, must not come here.
struct Stop;

impl Reader<'_> {
    /// `chunked-body = *chunk last-chunk trailer-section CRLF`
    fn body(&mut self) -> Result<(), Stop> {
        loop {
            let size = self.size()?;
            if size == 0 {
                break;
            }
            for _ in 0..size {
                let byte = self.take(|_| true)?;
                self.data.push(byte);
            }
            self.line_end()?;
        }
        while self.bytes.get(self.at) != Some(&b'\r') {
            let start = self.at;
            let line = self.trailer();
            self.trailers.extend_from_slice(&self.bytes[start..self.at]);
            line?;
        }
        self.line_end()
    }

    /// A line that does not continue the one before.
    fn trailer(&mut self) -> Result<(), Stop> {
        if matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b':')) {
            return Err(Stop);
        }
        self.text()?;
        self.line_end()
    }

    /// A size of 15 digits at most, with its extensions and the end of its line.
    fn size(&mut self) -> Result<u64, Stop> {
        let is_digit = |byte: u8| byte.is_ascii_hexdigit();
        let mut digits = vec![self.take(is_digit)?];
        while digits.len() < 15 && self.bytes.get(self.at).copied().is_some_and(is_digit) {
            digits.push(self.take(is_digit)?);
        }
        if self.bytes.get(self.at) == Some(&b';') {
            self.at += 1;
            self.text()?;
        }
        self.line_end()?;
        let digits = std::str::from_utf8(&digits).expect("digits");
        Ok(u64::from_str_radix(digits, 16).expect("15 digits"))
    }

    /// To the end of a line.
    fn text(&mut self) -> Result<(), Stop> {
        while self.bytes.get(self.at) != Some(&b'\r') {
            if self.room == 0 {
                return Err(Stop);
            }
            self.take(is_text)?;
            self.room -= 1;
        }
        Ok(())
    }

    fn line_end(&mut self) -> Result<(), Stop> {
        self.take(|byte| byte == b'\r')?;
        self.take(|byte| byte == b'\n').map(drop)
    }

    fn take(&mut self, may: impl Fn(u8) -> bool) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).filter(|byte| may(**byte)).ok_or(Stop)?;
        self.at += 1;
        Ok(byte)
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}
