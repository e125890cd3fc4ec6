//! The teapot natively, and, where `SLUICE_TEST_WASM` says so, compiled in the real runtime.

use first_plugin::FirstPlugin;
use sluice_sdk_testing::{Harness, Request, json};

#[test]
fn coffee_is_refused_and_tea_is_not() {
    let plugin =
        Harness::<FirstPlugin>::new(json!({ "refuses": ["coffee"], "name": "pot" })).start().unwrap();

    let coffee = plugin.send(Request::get("/brew/coffee"));
    assert_eq!(coffee.answer().status(), 418);
    assert_eq!(coffee.answer().problem()["detail"], "pot does not brew coffee");

    let tea = plugin.send(Request::get("/brew/tea"));
    assert_eq!(tea.forwarded().header("x-brewed-by"), Some("pot"));
}

#[test]
fn a_teapot_without_purpose_is_refused() {
    assert!(Harness::<FirstPlugin>::new(json!({ "refuses": [] })).start().is_err());
}
