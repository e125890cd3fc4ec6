//! With `SLUICE_TEST_WASM` set, the harness talks to another process, one JSON object per line.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use sluice_sdk::prelude::*;
use sluice_sdk_testing::protocol::Stage;
use sluice_sdk_testing::{Harness, json};

#[derive(Deserialize, JsonSchema)]
struct NoConfig {}

struct Nothing;

#[plugin]
impl Plugin for Nothing {
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

/// Says what it was called with, and refuses if it was asked to start.
const PARTNER: &str = r#"#!/bin/sh
read -r ask
case "$ask" in
  '{"start":{"config":{"a":1},'*) echo '{"refused":{"stage":"load","message":"'"$*"'"}}' ;;
esac
"#;

/// Tells the test that it is the child, in an environment of its own.
const CHILD: &str = "SLUICE_TEST_CONVERSES";

#[test]
fn the_partner_is_started_with_the_module() {
    if std::env::var_os(CHILD).is_some() {
        let refused = Harness::<Nothing>::new(json!({ "a": 1 })).start().unwrap_err();
        assert_eq!((refused.stage, refused.message.as_str()), (Stage::Load, "plugin harness /x/y.wasm"));
        return;
    }
    let partner = std::env::temp_dir().join(format!("sluice-partner-{}", std::process::id()));
    fs::write(&partner, PARTNER).unwrap();
    fs::set_permissions(&partner, fs::Permissions::from_mode(0o700)).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_partner_is_started_with_the_module"])
        .env(CHILD, "1")
        .env("SLUICE_TEST_WASM", "/x/y.wasm")
        .env("SLUICE_BIN", &partner)
        .output()
        .unwrap();
    fs::remove_file(&partner).unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}
