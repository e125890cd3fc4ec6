use sluice_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Config {}

struct Policy;

#[plugin]
impl Plugin for Policy {}

fn main() {}
