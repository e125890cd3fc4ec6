//! gzip: the compressor's bare deflate, and around it the format's header, checksum and length (RFC 1952).

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::Encode;

const STRIDE: usize = 16 * 1024;
/// Deflate, no flags, no time, nothing said of the effort, unknown operating system.
const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
/// The most that one stored block holds.
const MAX_STORED: usize = 0xFFFF;

pub(super) struct Encoder {
    encoder: Compress,
    crc: Crc,
    begun: bool,
    /// Whether something has gone in that has not come out.
    holds: bool,
    stores: bool,
}

impl Encoder {
    pub(super) fn new(level: u8) -> Self {
        let encoder = Compress::new(Compression::new(u32::from(level.min(9))), false);
        Self { encoder, crc: Crc::new(), begun: false, holds: false, stores: false }
    }
}

impl Encode for Encoder {
    fn push(&mut self, input: &[u8]) -> Vec<u8> {
        self.crc.update(input);
        if self.stores {
            let mut output = Vec::with_capacity(input.len() + 5 * input.len().div_ceil(MAX_STORED));
            input.chunks(MAX_STORED).for_each(|block| stored(block, false, &mut output));
            return output;
        }
        self.holds |= !input.is_empty();
        self.run(input, FlushCompress::None)
    }

    fn flush(&mut self) -> Vec<u8> {
        // A second flush would add an empty block each time.
        if std::mem::take(&mut self.holds) { self.run(&[], FlushCompress::Sync) } else { Vec::new() }
    }

    fn store(&mut self) -> Vec<u8> {
        let rest = if self.holds || !self.begun { self.run(&[], FlushCompress::Sync) } else { Vec::new() };
        (self.holds, self.stores) = (false, true);
        rest
    }

    fn finish(mut self: Box<Self>) -> Vec<u8> {
        let mut output = Vec::new();
        if self.stores {
            stored(&[], true, &mut output);
        } else {
            output = self.run(&[], FlushCompress::Finish);
        }
        output.extend(self.crc.sum().to_le_bytes());
        output.extend(self.crc.amount().to_le_bytes());
        output
    }
}

impl Encoder {
    fn run(&mut self, mut input: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut output = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            output.extend(HEADER);
        }
        loop {
            // It writes into the capacity alone. Room that is left says that it is done.
            output.reserve((input.len() / 4).max(STRIDE));
            let before = self.encoder.total_in();
            let status = self.encoder.compress_vec(input, &mut output, flush);
            let status = status.expect("a stream that has not ended takes input");
            let read = usize::try_from(self.encoder.total_in() - before).unwrap_or(usize::MAX);
            input = &input[read..];
            let is_done = input.is_empty() && output.len() < output.capacity();
            if status == Status::StreamEnd || (is_done && flush != FlushCompress::Finish) {
                return output;
            }
        }
    }
}

/// A stored block, RFC 1951 section 3.2.4. A flush ends at a byte's boundary, and so does this.
fn stored(block: &[u8], last: bool, output: &mut Vec<u8>) {
    let length = u16::try_from(block.len()).expect("a block has at most 65,535 bytes");
    output.push(u8::from(last));
    output.extend(length.to_le_bytes());
    output.extend((!length).to_le_bytes());
    output.extend_from_slice(block);
}
