//! What stands between the exported functions, which `#[plugin]` writes, and the trait's methods.

use std::cell::OnceCell;
use std::thread::LocalKey;

#[cfg(not(target_family = "wasm"))]
use sluice_abi::Phase;
use sluice_abi::{Answer, Outcome};

use crate::host::{self, raw};
use crate::{
    Body, Chunk, Context, Described, Error, ErrorContext, Plugin, Request, Response, Result, Verdict,
};

/// Where a module keeps its plugin once it is configured.
pub type Slot<P> = LocalKey<OnceCell<P>>;

/// The descriptor as JSON: pointer in the high half, length in the low one. It stays in memory for good.
#[must_use]
pub fn describe<P: Described>() -> i64 {
    let json = serde_json::to_vec(&P::descriptor()).expect("a descriptor can be written as JSON").leak();
    let (pointer, length) = (json.as_ptr().addr() as u64, json.len() as u64);
    (pointer << 32 | length).cast_signed()
}

/// Builds the plugin from the configuration that the host holds.
pub fn build<P: Plugin>() -> Result<P> {
    let config = host::look(raw::config_read, |json| serde_json::from_slice(json));
    let config = config.map_err(|code| Error::from_host("read the configuration", code))?;
    P::new(config.context("the configuration")?)
}

/// Builds the plugin into its slot.
pub fn configure<P: Plugin>(slot: &'static Slot<P>) -> i32 {
    finish(build::<P>().map(|plugin| {
        // The host configures an instance once; were it twice, the first would stand.
        let _ = slot.with(|slot| slot.set(plugin));
        Verdict::Continue
    }))
}

/// Checks the plugin.
pub fn self_test<P: Plugin>(slot: &'static Slot<P>) -> i32 {
    run(slot, |plugin| plugin.self_test().map(|()| Verdict::Continue))
}

/// The phases that have nothing to do, as a set of bits.
pub fn skipped<P: Described>(slot: &'static Slot<P>) -> i32 {
    slot.with(|slot| slot.get().map_or(0, skipped_by))
}

/// As [`skipped`], of a plugin at hand.
pub fn skipped_by<P: Described>(plugin: &P) -> i32 {
    P::PHASES.iter().filter(|phase| plugin.skips(**phase)).fold(0, |set, phase| set | phase.bit())
}

/// One function per phase, so that a plugin is linked with what its own phases need and no more.
macro_rules! phases {
    ($($(#[$doc:meta])* $phase:ident => |$plugin:ident, $ctx:ident $(, $last:ident)?| $call:expr;)+) => {
        $($(#[$doc])*
        pub fn $phase<P: Plugin>(slot: &'static Slot<P> $(, $last: bool)?) -> i32 {
            run(slot, |$plugin| {
                let $ctx = &mut Context;
                $call
            })
        })+
    };
}

phases! {
    /// The request's head.
    request => |plugin, ctx| plugin.on_request(&mut Request, ctx);
    /// The whole request body.
    request_body => |plugin, ctx| plugin.on_request_body(&mut Request, &mut Body, ctx);
    /// A chunk of the request body.
    request_chunk => |plugin, ctx, last| plugin.on_request_chunk(&mut Chunk::new(last), ctx);
    /// The response's head.
    response => |plugin, ctx| plugin.on_response(&mut Response, ctx);
    /// The whole response body.
    response_body => |plugin, ctx| plugin.on_response_body(&mut Response, &mut Body, ctx);
    /// A chunk of the response body.
    response_chunk => |plugin, ctx, last| plugin.on_response_chunk(&mut Chunk::new(last), ctx).map(go_on);
    /// After the last byte.
    complete => |plugin, ctx| plugin.on_complete(&outcome()?, ctx).map(go_on);
}

/// Runs any phase, natively.
#[cfg(not(target_family = "wasm"))]
pub fn call<P: Plugin>(plugin: &P, phase: Phase, last: bool) -> Result<Verdict> {
    let ctx = &mut Context;
    match phase {
        Phase::Request => plugin.on_request(&mut Request, ctx),
        Phase::RequestBody => plugin.on_request_body(&mut Request, &mut Body, ctx),
        Phase::RequestChunk => plugin.on_request_chunk(&mut Chunk::new(last), ctx),
        Phase::Response => plugin.on_response(&mut Response, ctx),
        Phase::ResponseBody => plugin.on_response_body(&mut Response, &mut Body, ctx),
        Phase::ResponseChunk => plugin.on_response_chunk(&mut Chunk::new(last), ctx).map(go_on),
        Phase::Complete => plugin.on_complete(&outcome()?, ctx).map(go_on),
    }
}

fn go_on((): ()) -> Verdict {
    Verdict::Continue
}

fn outcome() -> Result<Outcome> {
    let outcome = host::look(raw::outcome, Outcome::decode);
    Ok(outcome.map_err(|code| Error::from_host("read the outcome", code))??)
}

fn run<P: Plugin>(slot: &'static Slot<P>, call: impl FnOnce(&P) -> Result<Verdict>) -> i32 {
    slot.with(|slot| finish(call(slot.get().expect("the host configures an instance before it calls it"))))
}

/// Tells the host what was decided.
pub fn finish(result: Result<Verdict>) -> i32 {
    let told = match result {
        Ok(Verdict::Continue) => return Answer::Continue.number(),
        Ok(Verdict::Respond(reply)) => host::done("answer", raw::respond(&reply.message.encode())),
        Err(error) => Err(error),
    };
    match told {
        Ok(()) => Answer::Respond.number(),
        Err(error) => {
            // A message over a limit is cut by the host; the failure counts either way.
            let _ = raw::fail(error.to_string().as_bytes());
            Answer::Failed.number()
        }
    }
}
