//! Refuses configurations, in `new` or in its self-test.

use sluice_sdk::prelude::*;

struct Picky {
    healthy: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// An even number, which no schema can say.
    number: u32,
    /// Whether the self-test passes.
    #[serde(default = "yes")]
    healthy: bool,
}

fn yes() -> bool {
    true
}

#[plugin(name = "picky")]
impl Plugin for Picky {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        ensure!(config.number.is_multiple_of(2), "{} is an odd number", config.number);
        Ok(Self { healthy: config.healthy })
    }

    fn self_test(&self) -> Result<()> {
        ensure!(self.healthy, "it does not feel well");
        Ok(())
    }

    fn on_request(&self, _: &mut Request, _: &mut Context) -> Result<Verdict> {
        Ok(Verdict::Continue)
    }
}
