//! `crypto`: digests, HMAC and signatures, native because Wasm does them an order of magnitude slower.
//! Keys are handles; a secret's bytes never enter a plugin's memory.

use std::sync::Arc;

use aws_lc_rs::{constant_time, digest, hmac};
use sluice_abi::{Code, Digest, Signature, import};
use sluice_keys::PublicKey;
use wasmtime::{Caller, Linker};

use super::guest::{Guest, code, known, open, slice};
use super::keys::Key;
pub(in crate::wasm) use super::keys::Keys;
use crate::wasm::fault::Refusal;
use crate::wasm::state::HostState;

type Call<'a> = Caller<'a, HostState>;

/// The longest key, in bytes.
const MAX_KEY: u32 = 64 << 10;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker
        .func_wrap(import::CRYPTO, "digest", digest)?
        .func_wrap(import::CRYPTO, "key_secret", key_secret)?
        .func_wrap(import::CRYPTO, "key_raw", key_raw)?
        .func_wrap(import::CRYPTO, "key_public", key_public)?
        .func_wrap(import::CRYPTO, "hmac", hmac)?
        .func_wrap(import::CRYPTO, "hmac_verify", hmac_verify)?
        .func_wrap(import::CRYPTO, "equal", equal)?
        .func_wrap(import::CRYPTO, "verify", verify)?;
    Ok(())
}

fn digest(
    mut caller: Call<'_>,
    algorithm: i32,
    data: u32,
    length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let mut guest = open(&mut caller, "crypto.digest")?;
    let algorithm = match known(guest.call, "digest algorithm", algorithm, Digest::from_number(algorithm))? {
        Digest::Sha256 => &digest::SHA256,
        Digest::Sha384 => &digest::SHA384,
        Digest::Sha512 => &digest::SHA512,
    };
    if length > most(&guest) {
        return Ok(code(Code::TooLarge));
    }
    let result = digest::digest(algorithm, guest.bytes(data, length)?);
    Ok(guest.give(pointer, capacity, result.as_ref())?)
}

/// The longest data of one call: no deadline interrupts native code.
fn most(guest: &Guest<'_>) -> u32 {
    let limit = guest.state.bound.as_ref().map_or(0, |bound| bound.limits.body);
    u32::try_from(limit.max(64 << 10)).unwrap_or(u32::MAX)
}

fn keep(guest: &mut Guest<'_>, key: Key) -> i32 {
    guest.state.keys.add(key).unwrap_or(Code::TooLarge.number())
}

fn key_secret(mut caller: Call<'_>, name: u32, length: u32) -> wasmtime::Result<i32> {
    let mut guest = open(&mut caller, "crypto.key_secret")?;
    let Ok(name) = std::str::from_utf8(guest.bytes(name, length)?) else { return Ok(Code::Invalid.number()) };
    if !guest.state.bound.as_ref().is_some_and(|bound| bound.may_use_secret(name)) {
        return Ok(Code::Denied.number());
    }
    let Some(secret) = guest.state.services(guest.call)?.secrets.get(name).cloned() else {
        return Ok(Code::None.number());
    };
    Ok(keep(&mut guest, Key::Secret(secret.expose().as_bytes().to_vec())))
}

fn key_raw(mut caller: Call<'_>, pointer: u32, length: u32) -> wasmtime::Result<i32> {
    let mut guest = open(&mut caller, "crypto.key_raw")?;
    if length > MAX_KEY {
        return Ok(Code::TooLarge.number());
    }
    let bytes = guest.bytes(pointer, length)?.to_vec();
    Ok(keep(&mut guest, Key::Secret(bytes)))
}

fn key_public(mut caller: Call<'_>, pointer: u32, length: u32) -> wasmtime::Result<i32> {
    let mut guest = open(&mut caller, "crypto.key_public")?;
    if length > MAX_KEY {
        return Ok(Code::TooLarge.number());
    }
    Ok(match PublicKey::import(guest.bytes(pointer, length)?) {
        Ok(key) => keep(&mut guest, Key::Public(Arc::new(key))),
        Err(_) => Code::Invalid.number(),
    })
}

fn secret<'a>(guest: &'a Guest<'_>, key: i32) -> Option<&'a [u8]> {
    match guest.state.keys.get(key)? {
        Key::Secret(bytes) => Some(bytes),
        Key::Public(_) => None,
    }
}

fn mac_key(guest: &Guest<'_>, algorithm: i32, key: i32) -> Result<Option<hmac::Key>, Refusal> {
    let algorithm = match known(guest.call, "digest algorithm", algorithm, Digest::from_number(algorithm))? {
        Digest::Sha256 => hmac::HMAC_SHA256,
        Digest::Sha384 => hmac::HMAC_SHA384,
        Digest::Sha512 => hmac::HMAC_SHA512,
    };
    Ok(secret(guest, key).map(|bytes| hmac::Key::new(algorithm, bytes)))
}

fn hmac(
    mut caller: Call<'_>,
    algorithm: i32,
    key: i32,
    data: u32,
    length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let mut guest = open(&mut caller, "crypto.hmac")?;
    if length > most(&guest) {
        return Ok(code(Code::TooLarge));
    }
    let Some(key) = mac_key(&guest, algorithm, key)? else { return Ok(code(Code::Invalid)) };
    let tag = hmac::sign(&key, guest.bytes(data, length)?);
    Ok(guest.give(pointer, capacity, tag.as_ref())?)
}

fn hmac_verify(
    mut caller: Call<'_>,
    algorithm: i32,
    key: i32,
    data: u32,
    length: u32,
    tag: u32,
    tag_length: u32,
) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "crypto.hmac_verify")?;
    if length > most(&guest) {
        return Ok(Code::TooLarge.number());
    }
    let Some(key) = mac_key(&guest, algorithm, key)? else { return Ok(Code::Invalid.number()) };
    let verified = hmac::verify(&key, guest.bytes(data, length)?, guest.bytes(tag, tag_length)?);
    Ok(verified.map_or(Code::Mismatch.number(), |()| 0))
}

fn equal(
    mut caller: Call<'_>,
    left: u32,
    left_length: u32,
    right: u32,
    right_length: u32,
) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "crypto.equal")?;
    let (left, right) = (guest.bytes(left, left_length)?, guest.bytes(right, right_length)?);
    Ok(i32::from(constant_time::verify_slices_are_equal(left, right).is_ok()))
}

fn verify(
    mut caller: Call<'_>,
    algorithm: i32,
    key: i32,
    data: u32,
    length: u32,
    signature: u32,
    signature_length: u32,
) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "crypto.verify")?;
    let algorithm = known(guest.call, "signature algorithm", algorithm, Signature::from_number(algorithm))?;
    if length > most(&guest) {
        return Ok(Code::TooLarge.number());
    }
    let data = slice(guest.memory, guest.call, data, length)?;
    let signature = slice(guest.memory, guest.call, signature, signature_length)?;
    Ok(match guest.state.keys.get(key) {
        Some(Key::Public(key)) => match key.verify(algorithm, data, signature) {
            Some(true) => 0,
            Some(false) => Code::Mismatch.number(),
            None => Code::Invalid.number(),
        },
        _ => Code::Invalid.number(),
    })
}
