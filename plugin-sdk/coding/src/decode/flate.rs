//! gzip and deflate.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Failure, MAX_PARTS, Output, STRIDE};

/// 32 KiB, the largest window that the format has.
const WINDOW_BITS: u8 = 15;

/// One member after the other, to the end of the input.
pub(super) fn gzip(mut input: &[u8], out: &mut Output) -> Result<(), Failure> {
    for _ in 0..MAX_PARTS {
        input = stream(Decompress::new_gzip(WINDOW_BITS), input, out)?;
        if input.is_empty() {
            return Ok(());
        }
    }
    Err(Failure::Malformed)
}

pub(super) fn zlib(input: &[u8], out: &mut Output) -> Result<(), Failure> {
    let rest = stream(Decompress::new(true), input, out)?;
    if rest.is_empty() { Ok(()) } else { Err(Failure::Malformed) }
}

/// Decodes one stream, checksums included, and returns what follows it.
fn stream<'i>(mut decoder: Decompress, mut input: &'i [u8], out: &mut Output) -> Result<&'i [u8], Failure> {
    let mut buffer = vec![0; STRIDE];
    loop {
        let (read, written) = (decoder.total_in(), decoder.total_out());
        let status = decoder.decompress(input, &mut buffer, FlushDecompress::None);
        let status = status.map_err(|_| Failure::Malformed)?;
        let read = usize::try_from(decoder.total_in() - read).unwrap_or(usize::MAX);
        let written = usize::try_from(decoder.total_out() - written).unwrap_or(usize::MAX);
        out.push(&buffer[..written])?;
        input = &input[read..];
        match status {
            Status::StreamEnd => return Ok(input),
            // Nothing goes in and nothing comes out: it wants more than there is.
            _ if read == 0 && written == 0 => return Err(Failure::Malformed),
            Status::Ok | Status::BufError => {}
        }
    }
}
