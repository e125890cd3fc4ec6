use sluice_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Config {}

struct Policy;

#[plugin(capabilities = [store])]
impl Plugin for Policy {
    type Config = Config;

    fn new(_: Config) -> Result<Self> {
        Ok(Self)
    }
}

fn main() {}
