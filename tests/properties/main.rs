//! Properties of the whole repository: who may name whom, how long files are, that no guest is forgotten.
#![allow(clippy::unwrap_used, reason = "tests")]

mod direction;
mod house;
mod source;
mod zoo_lock;

#[path = "../../xtask/src/seal.rs"]
mod seal;

#[test]
fn the_seal_that_xtask_writes_is_the_one_of_the_contract() {
    assert_eq!(seal::SECTION, sluice_abi::section::SEAL);
    let module = b"\0asm\x01\0\0\0";
    let sealed = seal::seal(module);
    assert_eq!(seal::seal(&sealed), sealed, "sealing again changes nothing");
    assert_eq!(sealed.len(), module.len() + 46);
}
