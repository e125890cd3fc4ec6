use sluice_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Config {}

struct Policy;

struct Generic<T>(T);

#[plugin]
impl<T: 'static> Plugin for Generic<T> {
    type Config = Config;

    fn new(_: Config) -> Result<Self> {
        bail!("which one?")
    }
}

fn main() {}
