//! The plugin, a request to it, and what it answers.

use body_script::BodyScript;
use sluice_sdk_testing::{Harness, Request, TestPlugin, Value};

pub(crate) fn plugin(config: Value) -> TestPlugin {
    Harness::<BodyScript>::new(config).start().expect("the configuration is good")
}

pub(crate) fn posted(body: &str) -> Request {
    Request::post("/orders?page=2&tag=a%20b&tag=c")
        .with_header("content-type", "application/json")
        .with_body(body)
}

pub(crate) fn answered(config: Value, request: Request) -> (u16, String, String) {
    let plugin = plugin(config);
    let answer = plugin.send(request).answer();
    let problem = answer.problem();
    let member = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (answer.status(), member("type"), member("detail"))
}
