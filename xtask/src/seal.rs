//! The seal of a plugin file: its last custom section holds the SHA-256 of every byte before it.
//!
//! The tests include this file by path. The names are those of `sluice_abi::section`, which a test asserts.

use sha2::{Digest as _, Sha256};

/// The section's name.
pub(crate) const SECTION: &str = "sluice.seal";
const DIGEST: usize = 32;

/// `module` with its seal, a former one replaced.
pub(crate) fn seal(module: &[u8]) -> Vec<u8> {
    let header = header();
    let bare = match module.len().checked_sub(header.len() + DIGEST) {
        Some(start) if module[start..].starts_with(&header) => &module[..start],
        _ => module,
    };
    let mut sealed = bare.to_vec();
    sealed.extend_from_slice(&header);
    sealed.extend_from_slice(&Sha256::digest(bare));
    sealed
}

/// A custom section (id 0), its size, and its name with the name's size. Both sizes are below 128: one LEB128 byte each.
fn header() -> Vec<u8> {
    let name = u8::try_from(SECTION.len()).expect("a short name");
    let size = 1 + name + u8::try_from(DIGEST).expect("32");
    let mut header = vec![0, size, name];
    header.extend_from_slice(SECTION.as_bytes());
    header
}
