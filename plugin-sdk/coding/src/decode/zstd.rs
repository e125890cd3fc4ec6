//! Zstandard.

use std::io::Read;

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{Failure, MAX_PARTS, Output, STRIDE};

/// One frame after the other, to the end of the input.
pub(super) fn decode(mut input: &[u8], out: &mut Output) -> Result<(), Failure> {
    for _ in 0..MAX_PARTS {
        input = frame(input, out)?;
        if input.is_empty() {
            return Ok(());
        }
    }
    Err(Failure::Malformed)
}

/// Decodes one frame, or skips it if it is of those that carry no data, and returns what follows it.
fn frame<'i>(input: &'i [u8], out: &mut Output) -> Result<&'i [u8], Failure> {
    let (start, rest) = input.split_first_chunk().ok_or(Failure::Malformed)?;
    let start = Start::read(start, out.room())?;
    let mut source = start.bytes.chain(rest);

    let mut decoder = FrameDecoder::new();
    // The bound is what limits the window.
    decoder.set_max_window_size(u64::MAX);
    match decoder.init(&mut source) {
        Ok(()) => {}
        Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
            let length = usize::try_from(length).map_err(|_| Failure::Malformed)?;
            let payload = input.get(8..).ok_or(Failure::Malformed)?;
            return payload.get(length..).ok_or(Failure::Malformed);
        }
        Err(_) => return Err(Failure::Malformed),
    }
    if decoder.content_size() > out.room() as u64 {
        return Err(Failure::TooLarge);
    }
    let content = blocks(&mut decoder, &mut source, start.window, out)?;

    let whole = !start.tells_size || decoder.content_size() == content;
    let sum = decoder.get_checksum_from_data();
    let intact = sum.is_none_or(|sum| decoder.get_calculated_checksum() == Some(sum));
    if !(whole && intact) {
        return Err(Failure::Malformed);
    }
    let read = usize::try_from(decoder.bytes_read_from_source()).unwrap_or(usize::MAX);
    input.get(read..).ok_or(Failure::Malformed)
}

/// Decodes the blocks of a frame and returns how many bytes they were.
fn blocks(
    decoder: &mut FrameDecoder,
    source: &mut impl Read,
    window: u64,
    out: &mut Output,
) -> Result<u64, Failure> {
    let before = out.bytes.len();
    let mut buffer = vec![0; STRIDE];
    loop {
        let decoded = decoder.decode_blocks(&mut *source, BlockDecodingStrategy::UptoBlocks(1));
        let finished = decoded.map_err(|_| Failure::Malformed)?;
        let ready = decoder.can_collect();
        // Before the end, what is ready has a whole window behind it that is to come as well.
        let kept = if finished || ready == 0 { 0 } else { window };
        if ready as u64 + kept > out.room() as u64 {
            return Err(Failure::TooLarge);
        }
        while decoder.can_collect() > 0 {
            let read = decoder.read(&mut buffer).map_err(|_| Failure::Malformed)?;
            out.push(&buffer[..read])?;
        }
        if finished {
            return Ok((out.bytes.len() - before) as u64);
        }
    }
}

/// The first bytes of a frame: magic number, descriptor, and the window's size unless there is a single segment.
struct Start {
    bytes: [u8; 6],
    /// How much the decoder keeps; 0 if it is as much as the content.
    window: u64,
    /// Whether the header says how large the content is.
    tells_size: bool,
}

const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
const SINGLE_SEGMENT: u8 = 1 << 5;
const RESERVED: u8 = 1 << 3;
/// What one block yields at most.
const MAX_BLOCK: u64 = 128 << 10;

impl Start {
    /// The decoder keeps a whole window before it gives anything away. One that is larger than all that may come
    /// out serves nothing but to fill memory, so such a frame is read as if it had a smaller one.
    fn read(bytes: &[u8; 6], room: usize) -> Result<Self, Failure> {
        let mut bytes = *bytes;
        let [magic @ .., descriptor, window] = &mut bytes;
        // Also for a frame that is to be skipped: its length lies there, and is left alone.
        if *magic != MAGIC {
            return Ok(Self { bytes, window: 0, tells_size: false });
        }
        if *descriptor & RESERVED != 0 {
            return Err(Failure::Malformed);
        }
        let single_segment = *descriptor & SINGLE_SEGMENT != 0;
        let tells_size = single_segment || *descriptor >> 6 != 0;
        if single_segment {
            return Ok(Self { bytes, window: 0, tells_size });
        }
        let enough = (room as u64).max(MAX_BLOCK);
        *window = (0..*window).find(|&narrower| size(narrower) >= enough).unwrap_or(*window);
        let window = size(*window);
        Ok(Self { bytes, window, tells_size })
    }
}

/// The size that a window's byte stands for: exponent and eighths, RFC 8878 section 3.1.1.1.2.
fn size(window: u8) -> u64 {
    let base = 1_u64 << (10 + (window >> 3));
    base + base / 8 * u64::from(window & 7)
}
