//! Makes the service's code from the descriptor set that the gateway's plugins read too.

use std::error::Error;

use prost::Message as _;
use prost_types::FileDescriptorSet;

fn main() -> Result<(), Box<dyn Error>> {
    let path = "../library.binpb";
    println!("cargo::rerun-if-changed={path}");
    let set = FileDescriptorSet::decode(&*std::fs::read(path)?)?;
    tonic_prost_build::configure().build_client(false).compile_fds(set)?;
    Ok(())
}
