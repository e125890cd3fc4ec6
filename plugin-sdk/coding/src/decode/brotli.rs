//! Brotli.

use brotli_decompressor::{
    Allocator, BrotliDecoderErrorCode as Code, BrotliDecompressStream, BrotliResult, BrotliState,
    SliceWrapper, SliceWrapperMut, StandardAlloc,
};

use super::{Failure, Output, STRIDE};

pub(super) fn decode(input: &[u8], out: &mut Output) -> Result<(), Failure> {
    // Strict: without the large windows, which `br` does not have.
    let window = Bounded::new(out.room());
    let mut state = BrotliState::new_strict(window, StandardAlloc::default(), StandardAlloc::default());
    let mut buffer = vec![0; STRIDE];
    let (mut left, mut read, mut total) = (input.len(), 0, 0);
    loop {
        let (mut room, mut written) = (buffer.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            input,
            &mut room,
            &mut written,
            &mut buffer,
            &mut total,
            &mut state,
        );
        out.push(&buffer[..written])?;
        match result {
            BrotliResult::ResultSuccess if left == 0 => return Ok(()),
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure if is_too_large(state.error_code) => return Err(Failure::TooLarge),
            BrotliResult::ResultSuccess | BrotliResult::NeedsMoreInput | BrotliResult::ResultFailure => {
                return Err(Failure::Malformed);
            }
        }
    }
}

fn is_too_large(code: Code) -> bool {
    matches!(
        code,
        Code::BROTLI_DECODER_ERROR_ALLOC_RING_BUFFER_1 | Code::BROTLI_DECODER_ERROR_ALLOC_RING_BUFFER_2
    )
}

/// Lends the decoder its window. It is sized by what the stream announces to contain, so one that is refused
/// here belongs to a stream that would pass the bound.
struct Bounded {
    largest: usize,
}

/// Context maps are this large whatever comes out.
const LEAST: usize = 64 * 1024;

impl Bounded {
    fn new(bound: usize) -> Self {
        // The window is a power of two and has a little more at its end.
        let window = bound.checked_next_power_of_two().unwrap_or(bound);
        Self { largest: window.max(LEAST).saturating_add(4096) }
    }
}

#[derive(Default)]
struct Memory(Vec<u8>);

impl SliceWrapper<u8> for Memory {
    fn slice(&self) -> &[u8] {
        &self.0
    }
}

impl SliceWrapperMut<u8> for Memory {
    fn slice_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Allocator<u8> for Bounded {
    type AllocatedMemory = Memory;

    fn alloc_cell(&mut self, length: usize) -> Memory {
        // Nothing is how the decoder is told that there is none.
        if length > self.largest { Memory::default() } else { Memory(vec![0; length]) }
    }

    fn free_cell(&mut self, _: Memory) {}
}
