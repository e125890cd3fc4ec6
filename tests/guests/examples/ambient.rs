//! Uses the clock and randomness.

use sluice_sdk::prelude::*;

struct Ambient;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[plugin(name = "ambient", capabilities(clock, random))]
impl Plugin for Ambient {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, request: &mut Request, _: &mut Context) -> Result<Verdict> {
        let steady = clock::monotonic() <= clock::monotonic();
        let headers = &mut request.headers_mut();
        headers.set("x-now", clock::since_epoch().as_secs().to_string())?;
        headers.set("x-steady", steady.to_string())?;
        headers.set("x-random", format!("{:016x}", random::number()))?;
        Ok(Verdict::Continue)
    }
}
