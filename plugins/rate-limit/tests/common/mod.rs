//! A plugin in a world of two consumers.

use rate_limit::RateLimit;
use sluice_sdk_testing::{Consumer, Harness, Request, TestPlugin, Value};

pub(crate) fn plugin(config: Value) -> TestPlugin {
    let world =
        Harness::<RateLimit>::new(config).consumer(Consumer::new("acme")).consumer(Consumer::new("bolt"));
    world.start().expect("the configuration is good")
}

pub(crate) fn admits(plugin: &TestPlugin, request: Request) -> bool {
    plugin.send(request).is_forwarded()
}
