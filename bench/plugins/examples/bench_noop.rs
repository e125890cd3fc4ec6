//! Does nothing, in both phases: what a step costs by itself.

use sluice_sdk::prelude::*;

struct Noop;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[plugin(name = "noop")]
impl Plugin for Noop {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, _: &mut Request, _: &mut Context) -> Result<Verdict> {
        Ok(Verdict::Continue)
    }

    fn on_response(&self, _: &mut Response, _: &mut Context) -> Result<Verdict> {
        Ok(Verdict::Continue)
    }
}
