//! Frames of a body that only passes: nothing of it is kept but the place in it.

use crate::frames::{FrameError, Framing, HEAD};

/// How far a body has come, for those who look at its frames without holding them back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// Bytes of the head that are there; all of them within a message.
    head: u8,
    /// The flags of the frame at hand.
    flags: u8,
    /// The length as far as it is known, then what is left of the message.
    left: u32,
}

impl Passage {
    /// A place that was kept as a number.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        let [.., head, flags, a, b, c, d] = number.to_be_bytes();
        Self { head: head.min(5), flags, left: u32::from_be_bytes([a, b, c, d]) }
    }

    /// The place as a number below 2^48.
    #[must_use]
    pub fn number(self) -> u64 {
        let [a, b, c, d] = self.left.to_be_bytes();
        u64::from_be_bytes([0, 0, self.head, self.flags, a, b, c, d])
    }

    /// Reads on: how many messages have ended. What ends a body of gRPC-Web's or Connect's is none.
    pub fn feed(&mut self, framing: &Framing, mut piece: &[u8]) -> Result<u64, FrameError> {
        let mut ended = 0;
        while let Some((&byte, after)) = piece.split_first() {
            if self.is_within_message() {
                let used = piece.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= u32::try_from(used).unwrap_or(self.left);
                piece = &piece[used..];
            } else {
                piece = after;
                self.feed_head(framing, byte)?;
            }
            if self.is_within_message() && self.left == 0 {
                ended += u64::from(framing.is_message(self.flags));
                *self = Self::default();
            }
        }
        Ok(ended)
    }

    fn feed_head(&mut self, framing: &Framing, byte: u8) -> Result<(), FrameError> {
        if self.head == 0 {
            framing.check_flags(byte)?;
            self.flags = byte;
        } else {
            self.left = self.left << 8 | u32::from(byte);
        }
        self.head += 1;
        if self.is_within_message() {
            framing.check_length(self.left)?;
        }
        Ok(())
    }

    fn is_within_message(self) -> bool {
        usize::from(self.head) == HEAD
    }

    /// The body ends here: fails within a frame.
    pub fn end(self) -> Result<(), FrameError> {
        if self.head == 0 { Ok(()) } else { Err(FrameError::CutOff) }
    }
}
