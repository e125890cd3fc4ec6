//! What a test needs around a gateway: the process itself, clients that send exact bytes, origins that answer
//! anything, guests, a probe that watches for failures. Nothing here sleeps for a fixed time.

pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod corpus;
pub(crate) mod damage;
pub(crate) mod echo;
pub(crate) mod faulty_disk;
pub(crate) mod frames;
pub(crate) mod gateway;
pub(crate) mod guests;
pub(crate) mod h2;
pub(crate) mod identity_provider;
pub(crate) mod library;
pub(crate) mod metering;
pub(crate) mod observe;
pub(crate) mod origin;
pub(crate) mod peers;
pub(crate) mod ports;
#[path = "../../host/metering/tests/postgres/mod.rs"]
pub(crate) mod postgres;
pub(crate) mod probe;
pub(crate) mod redis;
#[path = "../../xtask/src/seal.rs"]
pub(crate) mod seal;
pub(crate) mod setup;
pub(crate) mod wait;

use std::path::{Path, PathBuf};

pub(crate) use client::{Connection, Response};
pub(crate) use gateway::Gateway;
pub(crate) use guests::guest;
pub(crate) use origin::Origin;
pub(crate) use probe::Probe;
pub(crate) use setup::Setup;

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository")
}

/// The gateway's binary: the one of this build, unless `SLUICE_BIN` names another.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("SLUICE_BIN")
        .map(PathBuf::from)
        .or_else(|| option_env!("CARGO_BIN_EXE_sluice").map(PathBuf::from))
        .expect("SLUICE_BIN names the gateway's binary")
}

/// One of the repository's own plugins, as `cargo xtask plugins` installed it.
pub(crate) fn plugin(name: &str) -> Vec<u8> {
    let path = root().join(format!("target/plugins/{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}\n\nhint: run `cargo xtask plugins`", path.display()))
}
