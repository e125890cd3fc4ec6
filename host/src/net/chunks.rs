//! The chunked coding (RFC 9112, 7.1), byte by byte where it is syntax and in strides where it is data. The guard in front of
//! clients' bodies and the reader of targets' bodies share it, so that both take the same for a chunk.

/// Follows one chunked body.
#[derive(Debug)]
pub(crate) struct Chunks {
    at: At,
    /// Bytes of the present chunk's data, while its size is read and after.
    left: u64,
    digits: u8,
    /// Bytes of extensions and trailers so far: they are bounded for the whole body.
    overhead: usize,
    most: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size,
    Extension,
    SizeFeed,
    Data,
    DataReturn,
    DataFeed,
    /// At the start of a line of the trailer section.
    TrailerStart,
    Trailer,
    TrailerFeed,
    LastFeed,
    End,
}

/// The coding is broken after that many bytes.
#[derive(Debug)]
pub(crate) struct ChunkError {
    pub(crate) valid: usize,
}

/// What the next bytes of a chunked body are, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Data(usize),
    /// Sizes, extensions and line ends.
    Syntax(usize),
    /// A part of the trailer section, its last empty line left out.
    Trailer(usize),
    /// With the last byte of the body.
    End(usize),
}

impl Piece {
    fn length(self) -> usize {
        match self {
            Self::Data(length) | Self::Syntax(length) | Self::Trailer(length) | Self::End(length) => length,
        }
    }
}

impl Chunks {
    /// `most`: how many bytes extensions and trailers may take together.
    pub(crate) fn new(most: usize) -> Self {
        Self { at: At::Size, left: 0, digits: 0, overhead: 0, most }
    }

    /// How many of `bytes` belong to the body, and whether it ended with them.
    pub(crate) fn look(&mut self, bytes: &[u8]) -> Result<(usize, bool), ChunkError> {
        let mut at = 0;
        while at < bytes.len() {
            let piece = self.next(&bytes[at..]).map_err(|broken| ChunkError { valid: at + broken.valid })?;
            at += piece.length();
            if matches!(piece, Piece::End(_)) {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// What `bytes`, which are not empty, begin with.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Piece, ChunkError> {
        if self.at == At::Data {
            let here = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.left -= here as u64;
            if self.left == 0 {
                self.at = At::DataReturn;
            }
            return Ok(Piece::Data(here));
        }
        let trailer = self.is_in_trailer();
        for (at, byte) in bytes.iter().enumerate() {
            let before = self.at;
            if !self.step(*byte) {
                return Err(ChunkError { valid: at });
            }
            match self.at {
                At::End => return Ok(Piece::End(at + 1)),
                At::Data => return Ok(Piece::Syntax(at + 1)),
                // The line end that ends the section belongs to no line of it.
                At::LastFeed if trailer && at > 0 => {
                    self.at = before;
                    return Ok(Piece::Trailer(at));
                }
                At::TrailerStart if !trailer => return Ok(Piece::Syntax(at + 1)),
                _ => {}
            }
        }
        Ok(if trailer && self.at != At::LastFeed {
            Piece::Trailer(bytes.len())
        } else {
            Piece::Syntax(bytes.len())
        })
    }

    fn is_in_trailer(&self) -> bool {
        matches!(self.at, At::TrailerStart | At::Trailer | At::TrailerFeed)
    }

    fn step(&mut self, byte: u8) -> bool {
        self.at = match (self.at, byte) {
            (At::Size, _) if byte.is_ascii_hexdigit() && self.digits < 15 => {
                self.digits += 1;
                self.left = self.left << 4 | u64::from((byte as char).to_digit(16).unwrap_or_default());
                At::Size
            }
            (At::Size, b'\r') if self.digits > 0 => At::SizeFeed,
            (At::Size, b';') if self.digits > 0 => At::Extension,
            (At::Extension, b'\r') => At::SizeFeed,
            (At::Extension, _) if self.is_text(byte) => At::Extension,
            (At::SizeFeed, b'\n') if self.left > 0 => At::Data,
            (At::SizeFeed, b'\n') => At::TrailerStart,
            (At::DataReturn, b'\r') => At::DataFeed,
            (At::DataFeed, b'\n') => {
                self.digits = 0;
                At::Size
            }
            (At::TrailerStart, b'\r') => At::LastFeed,
            // A line that starts with white space continues the one before: not in our time.
            (At::TrailerStart, b' ' | b'\t' | b':') => return false,
            (At::Trailer, b'\r') => At::TrailerFeed,
            (At::TrailerStart | At::Trailer, _) if self.is_text(byte) => At::Trailer,
            (At::TrailerFeed, b'\n') => At::TrailerStart,
            (At::LastFeed, b'\n') => At::End,
            _ => return false,
        };
        true
    }

    fn is_text(&mut self, byte: u8) -> bool {
        self.overhead += 1;
        self.overhead <= self.most && (byte == b'\t' || (byte >= b' ' && byte != 0x7f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(body: &str) -> Result<(usize, bool), usize> {
        Chunks::new(32).look(body.as_bytes()).map_err(|error| error.valid)
    }

    #[test]
    fn whole_bodies_end_where_they_end() {
        for body in
            ["0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "A;x=y\r\n0123456789\r\n000\r\nx-a: b\r\nx-c: d\r\n\r\n"]
        {
            assert_eq!(look(&format!("{body}GET")), Ok((body.len(), true)), "{body:?}");
        }
        assert_eq!(look("5\r\nhel"), Ok((6, false)));
    }

    #[test]
    fn extensions_and_trailers_are_bounded_together_and_line_ends_are_none() {
        let body = format!("1;{}\r\na\r\n0\r\n{}\r\n", "x".repeat(20), "t: 4\r\n".repeat(3));
        assert_eq!(look(&body), Ok((body.len(), true)));
        let body = format!("1;{}\r\na\r\n0\r\n{}x\r\n\r\n", "x".repeat(20), "t: 4\r\n".repeat(3));
        assert_eq!(look(&body), Err(body.len() - 5));
    }

    /// Data and trailers of a body that arrives in pieces of `stride` bytes.
    fn decode(body: &[u8], stride: usize) -> (Vec<u8>, Vec<u8>, bool) {
        let (mut chunks, mut data, mut trailers, mut ended) =
            (Chunks::new(1024), Vec::new(), Vec::new(), false);
        for mut part in body.chunks(stride) {
            while !part.is_empty() && !ended {
                let piece = chunks.next(part).unwrap();
                let (here, rest) = part.split_at(piece.length());
                match piece {
                    Piece::Data(_) => data.extend_from_slice(here),
                    Piece::Trailer(_) => trailers.extend_from_slice(here),
                    Piece::Syntax(_) => {}
                    Piece::End(_) => ended = true,
                }
                part = rest;
            }
        }
        (data, trailers, ended)
    }

    #[test]
    fn data_and_trailers_are_told_apart_wherever_the_bytes_are_cut() {
        let body = b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nx-sum: 9\r\nx-b: c\r\n\r\n";
        for stride in 1..=body.len() {
            let expected = (b"hello!".to_vec(), b"x-sum: 9\r\nx-b: c\r\n".to_vec(), true);
            assert_eq!(decode(body, stride), expected, "{stride}");
            assert_eq!(decode(b"0\r\n\r\n", stride), (Vec::new(), Vec::new(), true));
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_broken() {
        for body in [
            "5\nhello\r\n",
            "5 \r\nhello\r\n",
            " 5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            "+5\r\nhello\r\n",
            "\r\nhello\r\n",
            ";x\r\nhello\r\n",
            "5;\u{0}\r\nhello\r\n",
            "5;x\nhello\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "10000000000000000\r\n",
            "0\r\nx-a: b\n\r\n",
            "0\r\n x\r\n\r\n",
            "5;0123456789012345678901234567890123456789\r\nhello\r\n",
        ] {
            assert!(look(body).is_err(), "{body:?}");
        }
    }
}
