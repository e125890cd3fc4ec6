//! Opens a meter and panics before it has counted, when the response carries `x-misbehave`.

use sluice_sdk::prelude::*;

/// It has no settings.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// What it counts.
pub struct Uncounted {
    requests: Meter,
}

#[plugin(capabilities(meter))]
impl Plugin for Uncounted {
    type Config = Config;

    fn new(_: Config) -> Result<Self> {
        Ok(Self { requests: Meter::named("requests")? })
    }

    fn on_response(&self, response: &mut Response, _ctx: &mut Context) -> Result<Verdict> {
        assert!(response.headers().get("x-misbehave").is_none(), "it misbehaves");
        self.requests.add(1)?;
        Ok(Verdict::Continue)
    }
}
