use sluice_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Config {}

struct Policy;

#[plugin(dispensable)]
impl Plugin for Policy {
    type Config = Config;

    fn new(_: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, _: &mut Request, _: &mut Context) -> Result<Verdict> {
        Ok(Verdict::Continue)
    }
}

fn main() {}
