//! Leaves values for later phases and for other steps, and logs what it finds at the end.

use sluice_sdk::prelude::*;

const MINE: Value<String> = Value::step("mine");
const OURS: Value<Vec<String>> = Value::exchange("ours");

struct Values;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[plugin(name = "context", capabilities(log))]
impl Plugin for Values {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let mark =
            request.headers().get("x-mark").map(|mark| String::from_utf8_lossy(mark.as_bytes()).into_owned());
        ctx.set(&MINE, &format!("{} of {}", mark.unwrap_or_default(), ctx.step()))?;
        let mut ours = ctx.get(&OURS)?.unwrap_or_default();
        ours.push(ctx.step());
        ctx.set(&OURS, &ours)?;
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let mine = ctx.get(&MINE)?.unwrap_or_default();
        let ours = ctx.get(&OURS)?.unwrap_or_default();
        let told = format!("{mine}; {}; {}; {}", ours.join("+"), ctx.route(), ctx.client_address());
        response.headers_mut().append("x-context", told)?;
        Ok(Verdict::Continue)
    }

    fn on_complete(&self, outcome: &Outcome, ctx: &mut Context) -> Result<()> {
        let mine = ctx.get(&MINE)?.unwrap_or_default();
        info!("over: {mine}, status {}, finished {}", outcome.status, outcome.finished);
        Ok(())
    }
}
