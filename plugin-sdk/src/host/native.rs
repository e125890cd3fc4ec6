//! The same operations natively: they go to the [`Host`] that a test has installed on this thread.

use std::cell::RefCell;

use sluice_abi::{
    BodyMode, Code, Digest, HeaderMap, Identity, LogLevel, Measure, Number, Scope, Signature, Text,
};

/// What stands in for the gateway when a plugin runs natively. One method per host function of the ABI,
/// with bytes returned instead of written into a buffer.
#[expect(missing_docs, reason = "each is the host function of the same name, described in docs/abi.md")]
pub trait Host {
    fn config_read(&mut self) -> Result<Vec<u8>, Code>;
    fn text_get(&mut self, text: Text) -> Result<Vec<u8>, Code>;
    fn text_set(&mut self, text: Text, value: &[u8]) -> Result<(), Code>;
    fn number_get(&mut self, number: Number) -> Result<i64, Code>;
    fn number_set(&mut self, number: Number, value: i64) -> Result<(), Code>;
    fn header_get(&mut self, map: HeaderMap, name: &[u8]) -> Result<Vec<u8>, Code>;
    fn header_values(&mut self, map: HeaderMap, name: &[u8]) -> Result<Vec<u8>, Code>;
    fn header_list(&mut self, map: HeaderMap) -> Result<Vec<u8>, Code>;
    fn header_set(&mut self, map: HeaderMap, name: &[u8], value: &[u8]) -> Result<(), Code>;
    fn header_append(&mut self, map: HeaderMap, name: &[u8], value: &[u8]) -> Result<(), Code>;
    fn header_remove(&mut self, map: HeaderMap, name: &[u8]) -> Result<i32, Code>;
    fn header_remove_prefix(&mut self, map: HeaderMap, prefix: &[u8]) -> Result<i32, Code>;
    fn body_read(&mut self, offset: usize, out: &mut [u8]) -> Result<usize, Code>;
    fn body_write(&mut self, data: &[u8]) -> Result<(), Code>;
    fn respond(&mut self, reply: &[u8]) -> Result<(), Code>;
    fn fail(&mut self, message: &[u8]) -> Result<(), Code>;
    fn context_get(&mut self, scope: Scope, key: &[u8]) -> Result<Vec<u8>, Code>;
    fn context_set(&mut self, scope: Scope, key: &[u8], value: &[u8]) -> Result<(), Code>;
    fn context_remove(&mut self, scope: Scope, key: &[u8]) -> Result<(), Code>;
    fn outcome(&mut self) -> Result<Vec<u8>, Code>;
    fn consumer(&mut self) -> Result<Vec<u8>, Code>;
    /// `path_param`
    fn path_param(&mut self, name: &[u8]) -> Result<Vec<u8>, Code>;
    fn certificate(&mut self) -> Result<Vec<u8>, Code>;
    fn body_mode(&mut self, map: HeaderMap, mode: BodyMode) -> Result<(), Code>;
    fn body_hold(&mut self, from: usize, want: usize) -> Result<(), Code>;
    fn asset_length(&mut self, name: &[u8]) -> Result<i64, Code>;
    fn asset_read(&mut self, name: &[u8], offset: usize, out: &mut [u8]) -> Result<usize, Code>;
    fn log_write(&mut self, level: LogLevel, message: &[u8]) -> Result<(), Code>;
    fn clock_now(&mut self) -> Result<i64, Code>;
    fn clock_monotonic(&mut self) -> Result<i64, Code>;
    fn random_fill(&mut self, out: &mut [u8]) -> Result<(), Code>;
    fn store_get(&mut self, key: &[u8]) -> Result<Vec<u8>, Code>;
    fn store_set(&mut self, key: &[u8], value: &[u8], ttl_ms: i64) -> Result<(), Code>;
    fn store_cache(&mut self, key: &[u8], value: &[u8], ttl_ms: i64) -> Result<(), Code>;
    fn store_delete(&mut self, key: &[u8]) -> Result<(), Code>;
    fn store_add(&mut self, key: &[u8], delta: i64, ttl_ms: i64) -> Result<i64, Code>;
    fn store_take(&mut self, takes: &[u8]) -> Result<Vec<u8>, Code>;
    fn store_lead(&mut self, key: &[u8], lease_ms: i64, wait_ms: i64) -> Result<Vec<u8>, Code>;
    fn store_release(&mut self, key: &[u8]) -> Result<(), Code>;
    fn identify(&mut self, by: Identity, name: &[u8]) -> Result<Vec<u8>, Code>;
    fn set_consumer(&mut self, name: &[u8], credential: &[u8]) -> Result<(), Code>;
    fn signature_key(&mut self, id: &[u8]) -> Result<i32, Code>;
    fn jwks_verify(
        &mut self,
        set: &[u8],
        kid: &[u8],
        signature: Signature,
        data: &[u8],
        bytes: &[u8],
    ) -> Result<(), Code>;
    fn digest(&mut self, digest: Digest, data: &[u8]) -> Result<Vec<u8>, Code>;
    fn key_secret(&mut self, name: &[u8]) -> Result<i32, Code>;
    fn key_raw(&mut self, bytes: &[u8]) -> Result<i32, Code>;
    fn key_public(&mut self, bytes: &[u8]) -> Result<i32, Code>;
    fn hmac(&mut self, digest: Digest, key: i32, data: &[u8]) -> Result<Vec<u8>, Code>;
    fn hmac_verify(&mut self, digest: Digest, key: i32, data: &[u8], tag: &[u8]) -> Result<(), Code>;
    fn equal(&mut self, a: &[u8], b: &[u8]) -> Result<bool, Code>;
    fn verify(&mut self, signature: Signature, key: i32, data: &[u8], bytes: &[u8]) -> Result<(), Code>;
    fn fetch(&mut self, requests: &[u8]) -> Result<Vec<u8>, Code>;
    fn meter_open(&mut self, name: &[u8]) -> Result<i32, Code>;
    fn meter_describe(&mut self, meter: i32) -> Result<i32, Code>;
    fn meter_add(&mut self, meter: i32, value: i64) -> Result<(), Code>;
    fn meter_seen(&mut self, meter: i32, subject: &[u8]) -> Result<(), Code>;
    fn meter_measure(&mut self, meter: i32, what: Measure) -> Result<(), Code>;
    fn meter_expect(&mut self, meter: i32, value: i64) -> Result<(), Code>;
    fn meter_dimension(&mut self, meter: i32, name: &[u8], value: &[u8]) -> Result<(), Code>;
    fn meter_cancel(&mut self, meter: i32) -> Result<(), Code>;
}

thread_local! {
    static HOST: RefCell<Option<Box<dyn Host>>> = const { RefCell::new(None) };
    // As the real host does: what did not fit is kept for `result`.
    static KEPT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Puts a host under every SDK call of this thread, or takes it away; returns the one that was there.
pub fn install(host: Option<Box<dyn Host>>) -> Option<Box<dyn Host>> {
    HOST.with_borrow_mut(|installed| std::mem::replace(installed, host))
}

fn with<R>(call: impl FnOnce(&mut dyn Host) -> R) -> R {
    HOST.with_borrow_mut(|host| {
        let host = host.as_mut().expect("outside the gateway a plugin runs under `sluice-sdk-testing`");
        call(&mut **host)
    })
}

fn fill(out: &mut [u8], call: impl FnOnce(&mut dyn Host) -> Result<Vec<u8>, Code>) -> i64 {
    match with(call) {
        Ok(bytes) => {
            let length = bytes.len();
            match out.get_mut(..length) {
                Some(room) => room.copy_from_slice(&bytes),
                None => KEPT.set(bytes),
            }
            i64::try_from(length).unwrap_or(i64::MAX)
        }
        Err(code) => i64::from(code.number()),
    }
}

fn unit(call: impl FnOnce(&mut dyn Host) -> Result<(), Code>) -> i32 {
    with(call).map_or_else(Code::number, |()| 0)
}

fn handle(call: impl FnOnce(&mut dyn Host) -> Result<i32, Code>) -> i32 {
    with(call).unwrap_or_else(Code::number)
}

fn wide(call: impl FnOnce(&mut dyn Host) -> Result<i64, Code>) -> i64 {
    with(call).unwrap_or_else(|code| i64::from(code.number()))
}

pub(crate) fn result(out: &mut [u8]) -> i64 {
    let kept = KEPT.take();
    fill(out, |_| Ok(kept))
}

pub(crate) fn config_read(out: &mut [u8]) -> i64 {
    fill(out, |host| host.config_read())
}

pub(crate) fn text_get(text: Text, out: &mut [u8]) -> i64 {
    fill(out, |host| host.text_get(text))
}

pub(crate) fn text_set(text: Text, value: &[u8]) -> i32 {
    unit(|host| host.text_set(text, value))
}

pub(crate) fn number_get(number: Number) -> i64 {
    wide(|host| host.number_get(number))
}

pub(crate) fn number_set(number: Number, value: i64) -> i32 {
    unit(|host| host.number_set(number, value))
}

pub(crate) fn header_get(map: HeaderMap, name: &[u8], out: &mut [u8]) -> i64 {
    fill(out, |host| host.header_get(map, name))
}

pub(crate) fn header_values(map: HeaderMap, name: &[u8], out: &mut [u8]) -> i64 {
    fill(out, |host| host.header_values(map, name))
}

pub(crate) fn header_list(map: HeaderMap, out: &mut [u8]) -> i64 {
    fill(out, |host| host.header_list(map))
}

pub(crate) fn header_set(map: HeaderMap, name: &[u8], value: &[u8]) -> i32 {
    unit(|host| host.header_set(map, name, value))
}

pub(crate) fn header_append(map: HeaderMap, name: &[u8], value: &[u8]) -> i32 {
    unit(|host| host.header_append(map, name, value))
}

pub(crate) fn header_remove_prefix(map: HeaderMap, prefix: &[u8]) -> i32 {
    handle(|host| host.header_remove_prefix(map, prefix))
}

pub(crate) fn header_remove(map: HeaderMap, name: &[u8]) -> i32 {
    handle(|host| host.header_remove(map, name))
}

pub(crate) fn body_read(offset: usize, out: &mut [u8]) -> i64 {
    wide(|host| host.body_read(offset, out).map(|copied| i64::try_from(copied).unwrap_or(i64::MAX)))
}

pub(crate) fn body_write(data: &[u8]) -> i32 {
    unit(|host| host.body_write(data))
}

pub(crate) fn respond(reply: &[u8]) -> i32 {
    unit(|host| host.respond(reply))
}

pub(crate) fn fail(message: &[u8]) -> i32 {
    unit(|host| host.fail(message))
}

pub(crate) fn context_get(scope: Scope, key: &[u8], out: &mut [u8]) -> i64 {
    fill(out, |host| host.context_get(scope, key))
}

pub(crate) fn context_set(scope: Scope, key: &[u8], value: &[u8]) -> i32 {
    unit(|host| host.context_set(scope, key, value))
}

pub(crate) fn context_remove(scope: Scope, key: &[u8]) -> i32 {
    unit(|host| host.context_remove(scope, key))
}

pub(crate) fn outcome(out: &mut [u8]) -> i64 {
    fill(out, |host| host.outcome())
}

pub(crate) fn consumer(out: &mut [u8]) -> i64 {
    fill(out, |host| host.consumer())
}

pub(crate) fn path_param(name: &[u8], out: &mut [u8]) -> i64 {
    fill(out, |host| host.path_param(name))
}

pub(crate) fn log_write(level: LogLevel, message: &[u8]) -> i32 {
    unit(|host| host.log_write(level, message))
}

pub(crate) fn clock_now() -> i64 {
    wide(|host| host.clock_now())
}

pub(crate) fn clock_monotonic() -> i64 {
    wide(|host| host.clock_monotonic())
}

pub(crate) fn random_fill(out: &mut [u8]) -> i32 {
    unit(|host| host.random_fill(out))
}

pub(crate) fn store_get(key: &[u8], out: &mut [u8]) -> i64 {
    fill(out, |host| host.store_get(key))
}

pub(crate) fn store_set(key: &[u8], value: &[u8], ttl_ms: i64) -> i32 {
    unit(|host| host.store_set(key, value, ttl_ms))
}

pub(crate) fn store_cache(key: &[u8], value: &[u8], ttl_ms: i64) -> i32 {
    unit(|host| host.store_cache(key, value, ttl_ms))
}

pub(crate) fn store_delete(key: &[u8]) -> i32 {
    unit(|host| host.store_delete(key))
}

pub(crate) fn store_add(key: &[u8], delta: i64, ttl_ms: i64, out: &mut [u8; 8]) -> i32 {
    unit(|host| host.store_add(key, delta, ttl_ms).map(|sum| *out = sum.to_le_bytes()))
}

pub(crate) fn store_take(takes: &[u8], out: &mut [u8]) -> i64 {
    fill(out, |host| host.store_take(takes))
}

pub(crate) fn store_lead(key: &[u8], lease_ms: i64, wait_ms: i64, out: &mut [u8]) -> i64 {
    fill(out, |host| host.store_lead(key, lease_ms, wait_ms))
}

pub(crate) fn store_release(key: &[u8]) -> i32 {
    unit(|host| host.store_release(key))
}

pub(crate) fn identify(by: Identity, name: &[u8], out: &mut [u8]) -> i64 {
    fill(out, |host| host.identify(by, name))
}

pub(crate) fn set_consumer(name: &[u8], credential: &[u8]) -> i32 {
    unit(|host| host.set_consumer(name, credential))
}

pub(crate) fn signature_key(id: &[u8]) -> i32 {
    handle(|host| host.signature_key(id))
}

pub(crate) fn jwks_verify(set: &[u8], kid: &[u8], signature: Signature, data: &[u8], bytes: &[u8]) -> i32 {
    unit(|host| host.jwks_verify(set, kid, signature, data, bytes))
}

pub(crate) fn certificate(out: &mut [u8]) -> i64 {
    fill(out, |host| host.certificate())
}

pub(crate) fn body_mode(map: HeaderMap, mode: BodyMode) -> i32 {
    unit(|host| host.body_mode(map, mode))
}

pub(crate) fn body_hold(from: usize, want: usize) -> i32 {
    unit(|host| host.body_hold(from, want))
}

pub(crate) fn asset_length(name: &[u8]) -> i64 {
    wide(|host| host.asset_length(name))
}

pub(crate) fn asset_read(name: &[u8], offset: usize, out: &mut [u8]) -> i64 {
    wide(|host| host.asset_read(name, offset, out).map(|copied| i64::try_from(copied).unwrap_or(i64::MAX)))
}

pub(crate) fn digest(digest: Digest, data: &[u8], out: &mut [u8]) -> i64 {
    fill(out, |host| host.digest(digest, data))
}

pub(crate) fn key_secret(name: &[u8]) -> i32 {
    handle(|host| host.key_secret(name))
}

pub(crate) fn key_raw(bytes: &[u8]) -> i32 {
    handle(|host| host.key_raw(bytes))
}

pub(crate) fn key_public(bytes: &[u8]) -> i32 {
    handle(|host| host.key_public(bytes))
}

pub(crate) fn hmac(digest: Digest, key: i32, data: &[u8], out: &mut [u8]) -> i64 {
    fill(out, |host| host.hmac(digest, key, data))
}

pub(crate) fn hmac_verify(digest: Digest, key: i32, data: &[u8], tag: &[u8]) -> i32 {
    unit(|host| host.hmac_verify(digest, key, data, tag))
}

pub(crate) fn equal(a: &[u8], b: &[u8]) -> i32 {
    handle(|host| host.equal(a, b).map(i32::from))
}

pub(crate) fn verify(signature: Signature, key: i32, data: &[u8], bytes: &[u8]) -> i32 {
    unit(|host| host.verify(signature, key, data, bytes))
}

pub(crate) fn fetch(requests: &[u8], out: &mut [u8]) -> i64 {
    fill(out, |host| host.fetch(requests))
}

pub(crate) fn meter_open(name: &[u8]) -> i32 {
    handle(|host| host.meter_open(name))
}

pub(crate) fn meter_describe(meter: i32) -> i32 {
    handle(|host| host.meter_describe(meter))
}

pub(crate) fn meter_add(meter: i32, value: i64) -> i32 {
    unit(|host| host.meter_add(meter, value))
}

pub(crate) fn meter_seen(meter: i32, subject: &[u8]) -> i32 {
    unit(|host| host.meter_seen(meter, subject))
}

pub(crate) fn meter_measure(meter: i32, what: Measure) -> i32 {
    unit(|host| host.meter_measure(meter, what))
}

pub(crate) fn meter_expect(meter: i32, value: i64) -> i32 {
    unit(|host| host.meter_expect(meter, value))
}

pub(crate) fn meter_dimension(meter: i32, name: &[u8], value: &[u8]) -> i32 {
    unit(|host| host.meter_dimension(meter, name, value))
}

pub(crate) fn meter_cancel(meter: i32) -> i32 {
    unit(|host| host.meter_cancel(meter))
}
