use sluice_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Config {}

struct Policy;

#[plugin]
struct Other;

fn main() {}
