//! Brotli.

use std::io::Write;

use brotli::CompressorWriter;

use super::Encode;

/// A window of 256 KiB. The usual 4 MiB would cost several times that in memory for each exchange, and win
/// little on bodies that fit into a plugin's time.
const WINDOW_BITS: u32 = 18;
/// How much the encoder yields at a time.
const STRIDE: usize = 4096;
/// The most that one stored block holds with a length of four nibbles.
const MAX_STORED: usize = 1 << 16;

pub(super) struct Encoder {
    encoder: CompressorWriter<Vec<u8>>,
    holds: bool,
    stores: bool,
}

impl Encoder {
    pub(super) fn new(level: u8) -> Self {
        let encoder = CompressorWriter::new(Vec::new(), STRIDE, u32::from(level.min(11)), WINDOW_BITS);
        Self { encoder, holds: false, stores: false }
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.encoder.get_mut())
    }
}

impl Encode for Encoder {
    fn push(&mut self, input: &[u8]) -> Vec<u8> {
        if self.stores {
            let mut output = Vec::with_capacity(input.len() + 3 * input.len().div_ceil(MAX_STORED));
            input.chunks(MAX_STORED).for_each(|block| stored(block, &mut output));
            return output;
        }
        self.holds |= !input.is_empty();
        self.encoder.write_all(input).expect(WRITES);
        self.take()
    }

    fn flush(&mut self) -> Vec<u8> {
        // A second flush would add an empty block each time.
        if std::mem::take(&mut self.holds) {
            self.encoder.flush().expect(WRITES);
        }
        self.take()
    }

    fn store(&mut self) -> Vec<u8> {
        if !self.stores {
            // Even with nothing in it: the stream's header comes with the first block.
            self.encoder.flush().expect(WRITES);
        }
        (self.holds, self.stores) = (false, true);
        self.take()
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        if self.stores { LAST_EMPTY.to_vec() } else { self.encoder.into_inner() }
    }
}

const WRITES: &str = "writing to memory does not fail";

/// `ISLAST` and `ISLASTEMPTY`.
const LAST_EMPTY: [u8; 1] = [0b11];

/// An uncompressed meta-block, RFC 7932 section 9.2. A flush ends at a byte's boundary, and so does this.
fn stored(block: &[u8], output: &mut Vec<u8>) {
    let length = u32::try_from(block.len() - 1).expect("a block is not empty and at most 64 KiB");
    // From the lowest bit: not the last, four nibbles, the length less one, uncompressed, filled up.
    let header = (length << 3 | 1 << 19).to_le_bytes();
    output.extend_from_slice(&header[..3]);
    output.extend_from_slice(block);
}
