//! Takes bodies in pieces: turns requests to upper case, counts what passes, logs the sums at the end.

use sluice_sdk::prelude::*;

/// Pieces and bytes of the request body, pieces and bytes of the response body.
const SEEN: Value<[u64; 4]> = Value::step("seen");

struct Chunks;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

fn count(at: usize, chunk: &Chunk, ctx: &mut Context) -> Result<()> {
    let mut seen = ctx.get(&SEEN)?.unwrap_or_default();
    seen[at] += 1;
    seen[at + 1] += chunk.len() as u64;
    ctx.set(&SEEN, &seen)
}

#[plugin(name = "chunks", capabilities(log))]
impl Plugin for Chunks {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<Verdict> {
        count(0, chunk, ctx)?;
        let bytes = chunk.bytes()?;
        if bytes.starts_with(b"stop") {
            return Ok(Verdict::respond(Problem::content_too_large("that was enough").kind("stopped")));
        }
        chunk.set(bytes.to_ascii_uppercase())?;
        Ok(Verdict::Continue)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<()> {
        count(2, chunk, ctx)
    }

    fn on_complete(&self, outcome: &Outcome, ctx: &mut Context) -> Result<()> {
        let [_, request, _, response] = ctx.get(&SEEN)?.unwrap_or_default();
        info!("{} request={request} response={response} finished={}", ctx.path(), outcome.finished);
        Ok(())
    }
}
