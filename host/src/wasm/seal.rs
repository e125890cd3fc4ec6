//! The seal of a plugin file: a digest of the whole file in its last section.
//!
//! A truncated module can still be valid WebAssembly (eight bytes are a module) and so can one with a
//! flipped bit, so a file that is being written, or was damaged, is told by its digest alone.

use sha2::{Digest as _, Sha256};
use sluice_abi::section;

const DIGEST: usize = 32;

/// How a file fails to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error("the file is not a WebAssembly module")]
    NotWasm,
    #[error("the file carries no seal, so it cannot be told from a half-written one")]
    Missing,
    #[error("the file does not match its seal: it is damaged or only half written")]
    Broken,
}

/// The section as it stands at the end of a sealed file.
fn section_bytes(digest: [u8; DIGEST]) -> Vec<u8> {
    let name = section::SEAL.as_bytes();
    // Id 0 (custom), size, length of the name, the name, the payload; both lengths are below 128.
    let mut bytes = vec![0, u8::try_from(1 + name.len() + DIGEST).expect("a short section")];
    bytes.push(u8::try_from(name.len()).expect("a short name"));
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&digest);
    bytes
}

/// The file with a seal at its end; one that is there already is replaced.
pub(crate) fn seal(file: &[u8]) -> Result<Vec<u8>, SealError> {
    if !file.starts_with(b"\0asm") {
        return Err(SealError::NotWasm);
    }
    let content = match split(file) {
        Some((content, _)) => content,
        None => file,
    };
    let mut sealed = content.to_vec();
    sealed.extend_from_slice(&section_bytes(Sha256::digest(content).into()));
    Ok(sealed)
}

/// Whether the file is what was sealed.
pub(super) fn verify(file: &[u8]) -> Result<(), SealError> {
    if !file.starts_with(b"\0asm") {
        return Err(SealError::NotWasm);
    }
    let (content, digest) = split(file).ok_or(SealError::Missing)?;
    if Sha256::digest(content).as_slice() == digest { Ok(()) } else { Err(SealError::Broken) }
}

fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = section_bytes([0; DIGEST]);
    let header = &header[..header.len() - DIGEST];
    let at = file.len().checked_sub(header.len() + DIGEST)?;
    let (content, tail) = file.split_at(at);
    tail.strip_prefix(header).map(|digest| (content, digest))
}

/// A digest as `sha256` keys and logs write it.
pub(crate) fn sha256_hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn a_sealed_file_verifies_and_sealing_again_changes_nothing() {
        let sealed = seal(MODULE).unwrap();
        assert_eq!(verify(&sealed), Ok(()));
        assert_eq!(seal(&sealed).unwrap(), sealed);
        assert!(wasmparser::validate(&sealed).is_ok());
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_refused() {
        let sealed = seal(MODULE).unwrap();
        for length in 0..sealed.len() {
            assert!(verify(&sealed[..length]).is_err(), "{length} bytes");
        }
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn what_is_no_module_cannot_be_sealed() {
        assert_eq!(seal(b"hello"), Err(SealError::NotWasm));
        assert_eq!(verify(MODULE), Err(SealError::Missing));
    }
}
