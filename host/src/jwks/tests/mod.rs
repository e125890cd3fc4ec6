//! Key sets with real servers: what is fetched, when, and what callers get meanwhile.

mod fetching;
mod machine;
mod pair;
mod provider;
mod serving;

use sluice_abi::Signature;

use super::{KeySets, Signed, Status, Verification};

/// Verifies in set `a`.
async fn verify(sets: &KeySets, kid: Option<&str>, signature: &[u8]) -> Verification {
    let signed = Signed { algorithm: Signature::Es256, kid, data: b"data", signature };
    sets.verify("a", signed).await
}

/// How set `a` is doing.
fn status(sets: &KeySets) -> Status {
    sets.statuses().into_iter().find(|status| &*status.name == "a").unwrap()
}

/// Why the last fetch of set `a` failed.
fn failure(sets: &KeySets) -> String {
    status(sets).last_failure.unwrap().1.to_string()
}
