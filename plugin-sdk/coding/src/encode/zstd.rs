//! Zstandard.

use structured_zstd::encoding::{CompressionContext, CompressionLevel, CompressionParameters};

use super::Encode;

/// A window of 256 KiB: the levels' own of up to 8 MiB is more than a plugin has memory for.
const WINDOW_LOG: u32 = 18;
/// What one block holds at most.
const MAX_BLOCK: usize = 128 << 10;

pub(super) struct Encoder {
    context: CompressionContext,
    stores: bool,
}

impl Encoder {
    pub(super) fn new(level: u8) -> Self {
        let level = CompressionLevel::from_level(i32::from(level.clamp(1, 22)));
        let parameters = CompressionParameters::builder(level).window_log(WINDOW_LOG).build();
        let mut context = CompressionContext::new(level);
        context
            .set_parameters(&parameters.expect("the window is within the format's bounds"))
            .expect("the frame has not begun");
        Self { context, stores: false }
    }
}

impl Encode for Encoder {
    fn push(&mut self, input: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if self.stores {
            for block in input.chunks(MAX_BLOCK) {
                raw(block, false, &mut out);
            }
        } else {
            let taken = self.context.write(&mut out, input).expect(WRITES);
            // It takes all of it unless a size was promised. If a block failed, the next call says so.
            debug_assert_eq!(taken, input.len());
        }
        out
    }

    fn flush(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.stores {
            self.context.flush(&mut out).expect(WRITES);
        }
        out
    }

    fn store(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        // The frame's header comes with the first byte otherwise.
        self.context.start_frame(&mut out).expect(WRITES);
        out.extend(self.flush());
        self.stores = true;
        out
    }

    fn finish(mut self: Box<Self>) -> Vec<u8> {
        let mut out = Vec::new();
        if self.stores {
            raw(&[], true, &mut out);
        } else {
            self.context.finish_frame(&mut out).expect(WRITES);
        }
        out
    }
}

const WRITES: &str = "writing to memory does not fail";

/// A raw block, RFC 8878 section 3.1.1.2: last, type 0, length.
fn raw(block: &[u8], last: bool, out: &mut Vec<u8>) {
    let length = u32::try_from(block.len()).expect("a block is at most 128 KiB");
    let header = (length << 3 | u32::from(last)).to_le_bytes();
    out.extend_from_slice(&header[..3]);
    out.extend_from_slice(block);
}
