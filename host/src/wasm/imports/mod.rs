//! What plugins can import: one capability per file, all of them linked once per engine.
//!
//! Granting happens at load: a module that imports from a capability it was not granted is refused by
//! name, so the functions here need not ask again, except for the names after a colon.

mod clock;
mod consumers;
pub(super) mod crypto;
pub(crate) mod fetch;
mod guest;
mod http;
mod http_head;
mod jwks;
mod keys;
mod log;
mod meter;
mod random;
mod store;
mod wasi;

use std::collections::BTreeSet;

use sluice_abi::{Descriptor, import};
use wasmtime::{Engine, Linker};

use super::state::HostState;
use crate::config::Capability;

/// A linker with every function; `remote` where the store is on a server, so that its functions wait.
pub(super) fn linker(engine: &Engine, remote: bool) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    http::link(&mut linker)?;
    http_head::link(&mut linker)?;
    log::link(&mut linker)?;
    clock::link(&mut linker)?;
    random::link(&mut linker)?;
    store::link(&mut linker, remote)?;
    consumers::link(&mut linker)?;
    crypto::link(&mut linker)?;
    jwks::link(&mut linker)?;
    meter::link(&mut linker)?;
    fetch::link(&mut linker)?;
    wasi::link(&mut linker)?;
    Ok(linker)
}

/// Whether a function can wait, so that its callers need a stack of their own.
pub(super) fn can_wait(module: &str, name: &str, remote: bool) -> bool {
    match module {
        import::FETCH | import::JWKS => true,
        import::STORE => name == "lead" || (remote && name != "release"),
        _ => false,
    }
}

/// The kinds of capability that a module needs but was not granted, each with what it imports for it. What it says it can do
/// without is denied to it call by call.
pub(crate) fn missing_capabilities(
    imports: &[(String, String)],
    descriptor: &Descriptor,
    granted: &BTreeSet<Capability>,
) -> Vec<(String, Option<String>)> {
    let (wanted, optional) = (&descriptor.capabilities, &descriptor.optional);
    let dispensable = DENIABLE.into_iter().filter(|kind| optional.iter().any(|named| named == kind));
    let granted: BTreeSet<&str> = granted.iter().map(Capability::kind).chain(dispensable).collect();
    let mut missing: Vec<(String, Option<String>)> = Vec::new();
    for (module, name) in imports {
        let Some(kind) = kind_of(module) else { continue };
        if !granted.contains(kind) && !missing.iter().any(|(known, _)| known == kind) {
            missing.push((kind.to_owned(), Some(format!("{module}.{name}"))));
        }
    }
    for kind in wanted {
        if !granted.contains(kind.as_str()) && !missing.iter().any(|(known, _)| known == kind) {
            missing.push((kind.clone(), None));
        }
    }
    missing
}

/// Capabilities whose functions ask themselves whether they were granted.
const DENIABLE: [&str; 6] = ["log", "store", "consumers", "jwks", "fetch", "secret"];

/// The kind of capability that an import module stands for; none where everyone may.
fn kind_of(module: &str) -> Option<&'static str> {
    match module {
        import::LOG => Some("log"),
        import::CLOCK => Some("clock"),
        import::RANDOM => Some("random"),
        import::STORE => Some("store"),
        import::CONSUMERS => Some("consumers"),
        import::CRYPTO => Some("crypto"),
        import::FETCH => Some("fetch"),
        import::JWKS => Some("jwks"),
        import::METER => Some("meter"),
        _ => None,
    }
}
