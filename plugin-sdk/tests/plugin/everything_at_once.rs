use sluice_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Config {}

struct Policy;

#[plugin(capabilities(store, stor, filesystem, store), nam = "x", version = "1", description)]
impl<T> Plugin for Policy {
    fn on_requst(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        Ok(Verdict::Continue)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<()> {
        Ok(())
    }
}

fn main() {}
