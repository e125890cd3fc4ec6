//! The imports of ABI v1: the only unsafe code of the SDK.
//!
//! Each function here is one import with slices for its pointers. An import ends up in a plugin only if
//! something calls its function, so a plugin asks for no capability that it does not use.
#![allow(unsafe_code, reason = "calling an import is unsafe, and this file is where the imports are")]

use sluice_abi::{BodyMode, Digest, HeaderMap, Identity, LogLevel, Measure, Number, Scope, Signature, Text};

mod http {
    #[link(wasm_import_module = "sluice:v1/http")]
    unsafe extern "C" {
        pub(super) fn result(out: *mut u8, capacity: usize) -> i64;
        pub(super) fn config_read(out: *mut u8, capacity: usize) -> i64;
        pub(super) fn text_get(text: i32, out: *mut u8, capacity: usize) -> i64;
        pub(super) fn text_set(text: i32, value: *const u8, length: usize) -> i32;
        pub(super) safe fn number_get(number: i32) -> i64;
        pub(super) safe fn number_set(number: i32, value: i64) -> i32;
        pub(super) fn header_get(
            map: i32,
            name: *const u8,
            length: usize,
            out: *mut u8,
            capacity: usize,
        ) -> i64;
        pub(super) fn header_values(
            map: i32,
            name: *const u8,
            length: usize,
            out: *mut u8,
            capacity: usize,
        ) -> i64;
        pub(super) fn header_list(map: i32, out: *mut u8, capacity: usize) -> i64;
        pub(super) fn header_set(
            map: i32,
            name: *const u8,
            length: usize,
            value: *const u8,
            of: usize,
        ) -> i32;
        pub(super) fn header_append(
            map: i32,
            name: *const u8,
            length: usize,
            value: *const u8,
            of: usize,
        ) -> i32;
        pub(super) fn header_remove(map: i32, name: *const u8, length: usize) -> i32;
        pub(super) fn header_remove_prefix(map: i32, prefix: *const u8, length: usize) -> i32;
        pub(super) fn body_read(offset: usize, out: *mut u8, capacity: usize) -> i64;
        pub(super) fn body_write(data: *const u8, length: usize) -> i32;
        pub(super) fn respond(reply: *const u8, length: usize) -> i32;
        pub(super) fn fail(message: *const u8, length: usize) -> i32;
        pub(super) fn context_get(
            scope: i32,
            key: *const u8,
            length: usize,
            out: *mut u8,
            capacity: usize,
        ) -> i64;
        pub(super) fn context_set(
            scope: i32,
            key: *const u8,
            length: usize,
            value: *const u8,
            of: usize,
        ) -> i32;
        pub(super) fn context_remove(scope: i32, key: *const u8, length: usize) -> i32;
        pub(super) fn outcome(out: *mut u8, capacity: usize) -> i64;
        pub(super) fn consumer(out: *mut u8, capacity: usize) -> i64;
        pub(super) fn path_param(name: *const u8, length: usize, out: *mut u8, capacity: usize) -> i64;
        pub(super) fn certificate(out: *mut u8, capacity: usize) -> i64;
        pub(super) safe fn body_mode(map: i32, mode: i32) -> i32;
        pub(super) safe fn body_hold(from: usize, want: usize) -> i32;
        pub(super) fn asset_length(name: *const u8, length: usize) -> i64;
        pub(super) fn asset_read(
            name: *const u8,
            length: usize,
            offset: usize,
            out: *mut u8,
            capacity: usize,
        ) -> i64;
    }
}

mod log {
    #[link(wasm_import_module = "sluice:v1/log")]
    unsafe extern "C" {
        pub(super) fn write(level: i32, message: *const u8, length: usize) -> i32;
    }
}

mod clock {
    #[link(wasm_import_module = "sluice:v1/clock")]
    unsafe extern "C" {
        pub(super) safe fn now() -> i64;
        pub(super) safe fn monotonic() -> i64;
    }
}

mod random {
    #[link(wasm_import_module = "sluice:v1/random")]
    unsafe extern "C" {
        pub(super) fn fill(out: *mut u8, length: usize) -> i32;
    }
}

mod store {
    #[link(wasm_import_module = "sluice:v1/store")]
    unsafe extern "C" {
        pub(super) fn get(key: *const u8, length: usize, out: *mut u8, capacity: usize) -> i64;
        pub(super) fn set(key: *const u8, length: usize, value: *const u8, of: usize, ttl_ms: i64) -> i32;
        pub(super) fn cache(key: *const u8, length: usize, value: *const u8, of: usize, ttl_ms: i64) -> i32;
        pub(super) fn delete(key: *const u8, length: usize) -> i32;
        pub(super) fn add(key: *const u8, length: usize, delta: i64, ttl_ms: i64, out: *mut [u8; 8]) -> i32;
        pub(super) fn take(takes: *const u8, length: usize, out: *mut u8, capacity: usize) -> i64;
        pub(super) fn lead(
            key: *const u8,
            length: usize,
            lease_ms: i64,
            wait_ms: i64,
            out: *mut u8,
            capacity: usize,
        ) -> i64;
        pub(super) fn release(key: *const u8, length: usize) -> i32;
    }
}

mod consumers {
    #[link(wasm_import_module = "sluice:v1/consumers")]
    unsafe extern "C" {
        pub(super) fn identify(by: i32, name: *const u8, length: usize, out: *mut u8, capacity: usize)
        -> i64;
        pub(super) fn set_consumer(name: *const u8, length: usize, credential: *const u8, of: usize) -> i32;
        pub(super) fn signature_key(id: *const u8, length: usize) -> i32;
    }
}

mod crypto {
    #[link(wasm_import_module = "sluice:v1/crypto")]
    unsafe extern "C" {
        pub(super) fn digest(
            digest: i32,
            data: *const u8,
            length: usize,
            out: *mut u8,
            capacity: usize,
        ) -> i64;
        pub(super) fn key_secret(name: *const u8, length: usize) -> i32;
        pub(super) fn key_raw(bytes: *const u8, length: usize) -> i32;
        pub(super) fn key_public(bytes: *const u8, length: usize) -> i32;
        pub(super) fn hmac(
            digest: i32,
            key: i32,
            data: *const u8,
            length: usize,
            out: *mut u8,
            capacity: usize,
        ) -> i64;
        pub(super) fn hmac_verify(
            digest: i32,
            key: i32,
            data: *const u8,
            length: usize,
            tag: *const u8,
            of: usize,
        ) -> i32;
        pub(super) fn equal(a: *const u8, length: usize, b: *const u8, of: usize) -> i32;
        pub(super) fn verify(
            signature: i32,
            key: i32,
            data: *const u8,
            length: usize,
            bytes: *const u8,
            of: usize,
        ) -> i32;
    }
}

mod jwks {
    #[link(wasm_import_module = "sluice:v1/jwks")]
    unsafe extern "C" {
        pub(super) fn verify(
            set: *const u8,
            length: usize,
            kid: *const u8,
            kid_length: usize,
            signature: i32,
            data: *const u8,
            data_length: usize,
            bytes: *const u8,
            of: usize,
        ) -> i32;
    }
}

mod fetch {
    #[link(wasm_import_module = "sluice:v1/fetch")]
    unsafe extern "C" {
        pub(super) fn fetch(requests: *const u8, length: usize, out: *mut u8, capacity: usize) -> i64;
    }
}

mod meter {
    #[link(wasm_import_module = "sluice:v1/meter")]
    unsafe extern "C" {
        pub(super) fn open(name: *const u8, length: usize) -> i32;
        pub(super) safe fn describe(meter: i32) -> i32;
        pub(super) safe fn add(meter: i32, value: i64) -> i32;
        pub(super) fn seen(meter: i32, subject: *const u8, length: usize) -> i32;
        pub(super) safe fn measure(meter: i32, what: i32) -> i32;
        pub(super) safe fn expect(meter: i32, value: i64) -> i32;
        pub(super) fn dimension(
            meter: i32,
            name: *const u8,
            length: usize,
            value: *const u8,
            of: usize,
        ) -> i32;
        pub(super) safe fn cancel(meter: i32) -> i32;
    }
}

macro_rules! call {
    ($function:path, $($argument:expr),+) => {
        // SAFETY: every pointer comes from a slice or array that lives through the call and stands beside its
        // length; the host reads or writes those bytes alone, and keeps no pointer.
        unsafe { $function($($argument),+) }
    };
}

pub(crate) fn result(out: &mut [u8]) -> i64 {
    call!(http::result, out.as_mut_ptr(), out.len())
}

pub(crate) fn config_read(out: &mut [u8]) -> i64 {
    call!(http::config_read, out.as_mut_ptr(), out.len())
}

pub(crate) fn text_get(text: Text, out: &mut [u8]) -> i64 {
    call!(http::text_get, text.number(), out.as_mut_ptr(), out.len())
}

pub(crate) fn text_set(text: Text, value: &[u8]) -> i32 {
    call!(http::text_set, text.number(), value.as_ptr(), value.len())
}

pub(crate) fn number_get(number: Number) -> i64 {
    http::number_get(number.number())
}

pub(crate) fn number_set(number: Number, value: i64) -> i32 {
    http::number_set(number.number(), value)
}

pub(crate) fn header_get(map: HeaderMap, name: &[u8], out: &mut [u8]) -> i64 {
    call!(http::header_get, map.number(), name.as_ptr(), name.len(), out.as_mut_ptr(), out.len())
}

pub(crate) fn header_values(map: HeaderMap, name: &[u8], out: &mut [u8]) -> i64 {
    call!(http::header_values, map.number(), name.as_ptr(), name.len(), out.as_mut_ptr(), out.len())
}

pub(crate) fn header_list(map: HeaderMap, out: &mut [u8]) -> i64 {
    call!(http::header_list, map.number(), out.as_mut_ptr(), out.len())
}

pub(crate) fn header_set(map: HeaderMap, name: &[u8], value: &[u8]) -> i32 {
    call!(http::header_set, map.number(), name.as_ptr(), name.len(), value.as_ptr(), value.len())
}

pub(crate) fn header_append(map: HeaderMap, name: &[u8], value: &[u8]) -> i32 {
    call!(http::header_append, map.number(), name.as_ptr(), name.len(), value.as_ptr(), value.len())
}

pub(crate) fn header_remove_prefix(map: HeaderMap, prefix: &[u8]) -> i32 {
    call!(http::header_remove_prefix, map.number(), prefix.as_ptr(), prefix.len())
}

pub(crate) fn header_remove(map: HeaderMap, name: &[u8]) -> i32 {
    call!(http::header_remove, map.number(), name.as_ptr(), name.len())
}

pub(crate) fn body_read(offset: usize, out: &mut [u8]) -> i64 {
    call!(http::body_read, offset, out.as_mut_ptr(), out.len())
}

pub(crate) fn body_write(data: &[u8]) -> i32 {
    call!(http::body_write, data.as_ptr(), data.len())
}

pub(crate) fn respond(reply: &[u8]) -> i32 {
    call!(http::respond, reply.as_ptr(), reply.len())
}

pub(crate) fn fail(message: &[u8]) -> i32 {
    call!(http::fail, message.as_ptr(), message.len())
}

pub(crate) fn context_get(scope: Scope, key: &[u8], out: &mut [u8]) -> i64 {
    call!(http::context_get, scope.number(), key.as_ptr(), key.len(), out.as_mut_ptr(), out.len())
}

pub(crate) fn context_set(scope: Scope, key: &[u8], value: &[u8]) -> i32 {
    call!(http::context_set, scope.number(), key.as_ptr(), key.len(), value.as_ptr(), value.len())
}

pub(crate) fn context_remove(scope: Scope, key: &[u8]) -> i32 {
    call!(http::context_remove, scope.number(), key.as_ptr(), key.len())
}

pub(crate) fn outcome(out: &mut [u8]) -> i64 {
    call!(http::outcome, out.as_mut_ptr(), out.len())
}

pub(crate) fn consumer(out: &mut [u8]) -> i64 {
    call!(http::consumer, out.as_mut_ptr(), out.len())
}

pub(crate) fn path_param(name: &[u8], out: &mut [u8]) -> i64 {
    call!(http::path_param, name.as_ptr(), name.len(), out.as_mut_ptr(), out.len())
}

pub(crate) fn certificate(out: &mut [u8]) -> i64 {
    call!(http::certificate, out.as_mut_ptr(), out.len())
}

pub(crate) fn body_mode(map: HeaderMap, mode: BodyMode) -> i32 {
    http::body_mode(map.number(), mode.number())
}

pub(crate) fn body_hold(from: usize, want: usize) -> i32 {
    http::body_hold(from, want)
}

pub(crate) fn asset_length(name: &[u8]) -> i64 {
    call!(http::asset_length, name.as_ptr(), name.len())
}

pub(crate) fn asset_read(name: &[u8], offset: usize, out: &mut [u8]) -> i64 {
    call!(http::asset_read, name.as_ptr(), name.len(), offset, out.as_mut_ptr(), out.len())
}

pub(crate) fn log_write(level: LogLevel, message: &[u8]) -> i32 {
    call!(log::write, level.number(), message.as_ptr(), message.len())
}

pub(crate) fn clock_now() -> i64 {
    clock::now()
}

pub(crate) fn clock_monotonic() -> i64 {
    clock::monotonic()
}

pub(crate) fn random_fill(out: &mut [u8]) -> i32 {
    call!(random::fill, out.as_mut_ptr(), out.len())
}

pub(crate) fn store_get(key: &[u8], out: &mut [u8]) -> i64 {
    call!(store::get, key.as_ptr(), key.len(), out.as_mut_ptr(), out.len())
}

pub(crate) fn store_set(key: &[u8], value: &[u8], ttl_ms: i64) -> i32 {
    call!(store::set, key.as_ptr(), key.len(), value.as_ptr(), value.len(), ttl_ms)
}

pub(crate) fn store_cache(key: &[u8], value: &[u8], ttl_ms: i64) -> i32 {
    call!(store::cache, key.as_ptr(), key.len(), value.as_ptr(), value.len(), ttl_ms)
}

pub(crate) fn store_delete(key: &[u8]) -> i32 {
    call!(store::delete, key.as_ptr(), key.len())
}

pub(crate) fn store_add(key: &[u8], delta: i64, ttl_ms: i64, out: &mut [u8; 8]) -> i32 {
    call!(store::add, key.as_ptr(), key.len(), delta, ttl_ms, out)
}

pub(crate) fn store_take(takes: &[u8], out: &mut [u8]) -> i64 {
    call!(store::take, takes.as_ptr(), takes.len(), out.as_mut_ptr(), out.len())
}

pub(crate) fn store_lead(key: &[u8], lease_ms: i64, wait_ms: i64, out: &mut [u8]) -> i64 {
    call!(store::lead, key.as_ptr(), key.len(), lease_ms, wait_ms, out.as_mut_ptr(), out.len())
}

pub(crate) fn store_release(key: &[u8]) -> i32 {
    call!(store::release, key.as_ptr(), key.len())
}

pub(crate) fn identify(by: Identity, name: &[u8], out: &mut [u8]) -> i64 {
    call!(consumers::identify, by.number(), name.as_ptr(), name.len(), out.as_mut_ptr(), out.len())
}

pub(crate) fn set_consumer(name: &[u8], credential: &[u8]) -> i32 {
    call!(consumers::set_consumer, name.as_ptr(), name.len(), credential.as_ptr(), credential.len())
}

pub(crate) fn signature_key(id: &[u8]) -> i32 {
    call!(consumers::signature_key, id.as_ptr(), id.len())
}

pub(crate) fn jwks_verify(set: &[u8], kid: &[u8], signature: Signature, data: &[u8], bytes: &[u8]) -> i32 {
    call!(
        jwks::verify,
        set.as_ptr(),
        set.len(),
        kid.as_ptr(),
        kid.len(),
        signature.number(),
        data.as_ptr(),
        data.len(),
        bytes.as_ptr(),
        bytes.len()
    )
}

pub(crate) fn digest(digest: Digest, data: &[u8], out: &mut [u8]) -> i64 {
    call!(crypto::digest, digest.number(), data.as_ptr(), data.len(), out.as_mut_ptr(), out.len())
}

pub(crate) fn key_secret(name: &[u8]) -> i32 {
    call!(crypto::key_secret, name.as_ptr(), name.len())
}

pub(crate) fn key_raw(bytes: &[u8]) -> i32 {
    call!(crypto::key_raw, bytes.as_ptr(), bytes.len())
}

pub(crate) fn key_public(bytes: &[u8]) -> i32 {
    call!(crypto::key_public, bytes.as_ptr(), bytes.len())
}

pub(crate) fn hmac(digest: Digest, key: i32, data: &[u8], out: &mut [u8]) -> i64 {
    call!(crypto::hmac, digest.number(), key, data.as_ptr(), data.len(), out.as_mut_ptr(), out.len())
}

pub(crate) fn hmac_verify(digest: Digest, key: i32, data: &[u8], tag: &[u8]) -> i32 {
    call!(crypto::hmac_verify, digest.number(), key, data.as_ptr(), data.len(), tag.as_ptr(), tag.len())
}

pub(crate) fn equal(a: &[u8], b: &[u8]) -> i32 {
    call!(crypto::equal, a.as_ptr(), a.len(), b.as_ptr(), b.len())
}

pub(crate) fn verify(signature: Signature, key: i32, data: &[u8], bytes: &[u8]) -> i32 {
    call!(crypto::verify, signature.number(), key, data.as_ptr(), data.len(), bytes.as_ptr(), bytes.len())
}

pub(crate) fn fetch(requests: &[u8], out: &mut [u8]) -> i64 {
    call!(fetch::fetch, requests.as_ptr(), requests.len(), out.as_mut_ptr(), out.len())
}

pub(crate) fn meter_open(name: &[u8]) -> i32 {
    call!(meter::open, name.as_ptr(), name.len())
}

pub(crate) fn meter_describe(meter: i32) -> i32 {
    meter::describe(meter)
}

pub(crate) fn meter_add(meter: i32, value: i64) -> i32 {
    meter::add(meter, value)
}

pub(crate) fn meter_seen(meter: i32, subject: &[u8]) -> i32 {
    call!(meter::seen, meter, subject.as_ptr(), subject.len())
}

pub(crate) fn meter_measure(meter: i32, what: Measure) -> i32 {
    meter::measure(meter, what.number())
}

pub(crate) fn meter_expect(meter: i32, value: i64) -> i32 {
    meter::expect(meter, value)
}

pub(crate) fn meter_dimension(meter: i32, name: &[u8], value: &[u8]) -> i32 {
    call!(meter::dimension, meter, name.as_ptr(), name.len(), value.as_ptr(), value.len())
}

pub(crate) fn meter_cancel(meter: i32) -> i32 {
    meter::cancel(meter)
}
