//! Length-prefixed messages: a byte of flags, four of length, and so many of message. gRPC, gRPC-Web and Connect have them alike.

use std::fmt;

/// The length of what stands before a message.
pub const HEAD: usize = 5;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The flags.
    pub flags: u8,
    /// The message.
    pub message: &'a [u8],
}

/// What stands at the beginning of some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A whole one, and what follows it.
    Frame(Frame<'a>, &'a [u8]),
    /// A part of one, or nothing: so many bytes are wanted, from the beginning of the input.
    Wants(usize),
}

/// What frames may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The flags that have a meaning.
    flags: u8,
    /// Those of what ends a body and is no message.
    last: u8,
    /// The longest message.
    max: u32,
}

/// Why frames are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A message says that it is longer than `bound`.
    TooLarge {
        /// What it says.
        length: u32,
        /// What is allowed.
        bound: u32,
    },
    /// Flags without a meaning: it is no such body, or somebody has lost its place in it.
    Flags(u8),
    /// A message says that it is compressed, and no header says how. gRPC and Connect want `INTERNAL` for it.
    Compressed,
    /// The end came within a message.
    CutOff,
    /// One message was expected, and there is none.
    Missing,
    /// One message was expected, and there are more.
    Several,
}

impl Frame<'_> {
    /// The message is compressed, by `grpc-encoding` or `connect-content-encoding`.
    pub const COMPRESSED: u8 = 0b0000_0001;
    /// It is Connect's last one, which says how it went.
    pub const END_STREAM: u8 = 0b0000_0010;
    /// It is gRPC-Web's last one: the trailers.
    pub const TRAILERS: u8 = 0b1000_0000;

    /// Whether the message is compressed.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.flags & Self::COMPRESSED != 0
    }

    /// Whether it is Connect's last one.
    #[must_use]
    pub const fn is_end_stream(&self) -> bool {
        self.flags & Self::END_STREAM != 0
    }
}

impl Framing {
    /// gRPC's, of messages up to `max` bytes. gRPC-Web's requests are the same.
    #[must_use]
    pub fn grpc(max: usize) -> Self {
        Self::of(0, max)
    }

    /// That of gRPC-Web's responses.
    #[must_use]
    pub fn grpc_web(max: usize) -> Self {
        Self::of(Frame::TRAILERS, max)
    }

    /// That of Connect's responses; requests are as [`grpc`](Self::grpc).
    #[must_use]
    pub fn connect(max: usize) -> Self {
        Self::of(Frame::END_STREAM, max)
    }

    /// The same where no header names a coding: no message may be compressed.
    #[must_use]
    pub const fn without_compression(self) -> Self {
        Self { flags: self.flags & !Frame::COMPRESSED, ..self }
    }

    /// gRPC's and gRPC-Web's with whatever flags and lengths: nothing is refused. For those who only count.
    #[must_use]
    pub const fn lenient() -> Self {
        Self { flags: u8::MAX, last: Frame::TRAILERS, max: u32::MAX }
    }

    fn of(last: u8, max: usize) -> Self {
        Self { flags: Frame::COMPRESSED | last, last, max: u32::try_from(max).unwrap_or(u32::MAX) }
    }

    /// What the input begins with.
    pub fn next<'a>(&self, input: &'a [u8]) -> Result<Next<'a>, FrameError> {
        let Some((&flags, after)) = input.split_first() else { return Ok(Next::Wants(HEAD)) };
        self.check_flags(flags)?;
        let Some((length, after)) = after.split_first_chunk() else { return Ok(Next::Wants(HEAD)) };
        let length = self.check_length(u32::from_be_bytes(*length))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(match after.split_at_checked(length) {
            Some((message, rest)) => Next::Frame(Frame { flags, message }, rest),
            None => Next::Wants(HEAD.saturating_add(length)),
        })
    }

    /// The message of a whole body that has one and no other, as that of a call without streams.
    pub fn single<'a>(&self, body: &'a [u8]) -> Result<Frame<'a>, FrameError> {
        match self.next(body)? {
            Next::Frame(frame, []) => Ok(frame),
            Next::Frame(..) => Err(FrameError::Several),
            Next::Wants(_) if body.is_empty() => Err(FrameError::Missing),
            Next::Wants(_) => Err(FrameError::CutOff),
        }
    }

    pub(crate) const fn is_message(&self, flags: u8) -> bool {
        flags & self.last == 0
    }

    pub(crate) fn check_flags(&self, flags: u8) -> Result<(), FrameError> {
        match flags & !self.flags {
            0 => Ok(()),
            Frame::COMPRESSED => Err(FrameError::Compressed),
            _ => Err(FrameError::Flags(flags)),
        }
    }

    pub(crate) fn check_length(&self, length: u32) -> Result<u32, FrameError> {
        let bound = self.max;
        if length <= bound { Ok(length) } else { Err(FrameError::TooLarge { length, bound }) }
    }
}

/// A frame with this message.
///
/// # Panics
/// If the message has 4 GiB or more, which no plugin's memory holds.
#[must_use]
pub fn frame(flags: u8, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + message.len());
    push_frame(&mut out, flags, message);
    out
}

/// Adds a frame with this message.
///
/// # Panics
/// As [`frame`].
pub fn push_frame(out: &mut Vec<u8>, flags: u8, message: &[u8]) {
    let length = u32::try_from(message.len()).expect("a message is below 4 GiB");
    out.reserve(HEAD + message.len());
    out.push(flags);
    out.extend(length.to_be_bytes());
    out.extend(message);
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { length, bound } => {
                write!(f, "a message of {length} bytes is larger than {bound} bytes")
            }
            Self::Flags(flags) => {
                write!(f, "a message begins with the byte {flags:#04x}, which has no meaning")
            }
            Self::Compressed => f.write_str("a message is compressed, and no header says how"),
            Self::CutOff => f.write_str("the body ends within a message"),
            Self::Missing => f.write_str("the body has no message"),
            Self::Several => f.write_str("the body has more than one message"),
        }
    }
}

impl std::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_as_soon_as_it_is_seen() {
        let framing = Framing::grpc(10);
        assert_eq!(framing.next(&[]), Ok(Next::Wants(5)));
        assert_eq!(framing.next(&[2]), Err(FrameError::Flags(2)));
        assert_eq!(framing.next(&[0x80]), Err(FrameError::Flags(0x80)));
        assert_eq!(framing.next(&[0, 0, 0, 0]), Ok(Next::Wants(5)));
        assert_eq!(framing.next(&[1, 0, 0, 0, 10]), Ok(Next::Wants(15)));
        assert_eq!(framing.next(&[0, 0, 0, 0, 11]), Err(FrameError::TooLarge { length: 11, bound: 10 }));
        let huge = FrameError::TooLarge { length: u32::MAX, bound: 10 };
        assert_eq!(framing.next(&[0, 255, 255, 255, 255]), Err(huge));
        assert_eq!(huge.to_string(), "a message of 4294967295 bytes is larger than 10 bytes");
        let limitless = Framing::grpc(usize::MAX);
        assert!(
            matches!(limitless.next(&[0, 255, 255, 255, 255]), Ok(Next::Wants(want)) if want >= u32::MAX as usize)
        );
    }

    #[test]
    fn the_protocols_have_their_flags() {
        assert!(Framing::grpc_web(9).next(&frame(0x81, b"x")).is_ok());
        assert!(Framing::connect(9).next(&frame(0x03, b"x")).is_ok());
        assert!(Framing::connect(9).next(&frame(0x80, b"x")).is_err());
        assert!(Framing::grpc_web(9).next(&frame(0x02, b"x")).is_err());
    }

    #[test]
    fn without_a_coding_nothing_is_compressed() {
        let framing = Framing::connect(9).without_compression();
        assert!(framing.next(&frame(0, b"x")).is_ok());
        assert!(framing.next(&frame(2, b"x")).is_ok());
        assert_eq!(framing.next(&[1]), Err(FrameError::Compressed));
        assert_eq!(framing.next(&[3]), Err(FrameError::Compressed));
        assert_eq!(framing.next(&[5]), Err(FrameError::Flags(5)));
    }

    #[test]
    fn a_call_without_streams_has_one_message() {
        let framing = Framing::grpc(10);
        let one = frame(1, b"one");
        assert_eq!(framing.single(&one), Ok(Frame { flags: 1, message: b"one" }));
        assert_eq!(framing.single(&frame(0, b"")), Ok(Frame { flags: 0, message: b"" }));
        assert_eq!(framing.single(&[]), Err(FrameError::Missing));
        assert_eq!(framing.single(&one[..7]), Err(FrameError::CutOff));
        assert_eq!(framing.single(&[one.clone(), one.clone()].concat()), Err(FrameError::Several));
        assert_eq!(framing.single(&[&one[..], b"\0"].concat()), Err(FrameError::Several));
    }
}
