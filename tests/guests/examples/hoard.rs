//! Takes memory as a Rust plugin would: a list that grows until the allocator gives up.

use std::hint::black_box;

use sluice_sdk::prelude::*;

struct Hoard;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[plugin(name = "hoard")]
impl Plugin for Hoard {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, request: &mut Request, _: &mut Context) -> Result<Verdict> {
        if request.headers().get("x-misbehave").is_some() {
            let mut hoard = Vec::new();
            loop {
                hoard.push(black_box(vec![0_u8; 256 * 1024]));
            }
        }
        Ok(Verdict::Continue)
    }
}
