use sluice_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Config {}

struct Policy;

#[plugin]
impl Policy {
    fn new(_: Config) -> Result<Self> {
        Ok(Self)
    }
}

fn main() {}
