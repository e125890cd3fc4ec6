//! Digests and HMAC. Signatures are verified by the real runtime alone.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use sluice_abi::{Code, Digest};

/// A key that the plugin has a handle to.
pub(super) struct Key(pub(super) Vec<u8>);

pub(super) fn digest(digest: Digest, data: &[u8]) -> Vec<u8> {
    match digest {
        Digest::Sha256 => Sha256::digest(data).to_vec(),
        Digest::Sha384 => Sha384::digest(data).to_vec(),
        Digest::Sha512 => Sha512::digest(data).to_vec(),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> M {
    let mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update(data)
}

pub(super) fn hmac(digest: Digest, Key(key): &Key, data: &[u8]) -> Vec<u8> {
    match digest {
        Digest::Sha256 => mac::<Hmac<Sha256>>(key, data).finalize().into_bytes().to_vec(),
        Digest::Sha384 => mac::<Hmac<Sha384>>(key, data).finalize().into_bytes().to_vec(),
        Digest::Sha512 => mac::<Hmac<Sha512>>(key, data).finalize().into_bytes().to_vec(),
    }
}

pub(super) fn verify(digest: Digest, Key(key): &Key, data: &[u8], tag: &[u8]) -> Result<(), Code> {
    let verified = match digest {
        Digest::Sha256 => mac::<Hmac<Sha256>>(key, data).verify_slice(tag),
        Digest::Sha384 => mac::<Hmac<Sha384>>(key, data).verify_slice(tag),
        Digest::Sha512 => mac::<Hmac<Sha512>>(key, data).verify_slice(tag),
    };
    verified.map_err(|_| Code::Mismatch)
}
