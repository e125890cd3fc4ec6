//! The lock of the guest zoo: a guest that no test names proves nothing.

use std::fs;

use super::source::{root, sources};

#[test]
fn every_guest_is_named_by_a_test() {
    let tests: String = sources("tests/it").into_iter().map(|source| source.text).collect();
    let mut guests = 0;
    for (folder, extension) in [("tests/guests/examples", "rs"), ("tests/guests/text", "wat")] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(path.extension().unwrap(), extension, "{} is no guest", path.display());
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let named = tests.contains(&format!("\"{name}\"")) || tests.contains(&format!("/{name}.wat\""));
            assert!(named, "no test in tests/it names the guest `{name}`");
            guests += 1;
        }
    }
    assert!(guests > 30, "{guests}");
}

#[test]
fn every_guest_in_rust_is_declared() {
    let manifest = fs::read_to_string(root().join("tests/guests/Cargo.toml")).unwrap();
    for entry in fs::read_dir(root().join("tests/guests/examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "`{name}` is missing in tests/guests/Cargo.toml"
        );
    }
}
