use sluice_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Config {}

struct Policy;

#[plugin]
impl Plugin for Policy {
    type Config = Config;

    fn new(_: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request_chunk(&self, _: &mut Chunk, _: &mut Context) -> Result<Verdict> {
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, _: &mut Request, _: &mut Body, _: &mut Context) -> Result<Verdict> {
        Ok(Verdict::Continue)
    }
}

fn main() {}
