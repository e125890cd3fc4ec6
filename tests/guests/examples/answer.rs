//! Answers in the phase that a request header names, and marks every response that passes.

use sluice_sdk::prelude::*;

const ASKED: Value<String> = Value::step("asked");

struct Answerer;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

fn reply(phase: &str) -> Verdict {
    Verdict::respond(Reply::text(418, phase).header("x-answered", phase))
}

#[plugin(name = "answer")]
impl Plugin for Answerer {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let step = ctx.step();
        let asked = request
            .headers()
            .get("x-answer")
            .map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned());
        // Asked as `phase` for every step, or `phase@step` for one.
        let asked = asked.filter(|asked| asked.split_once('@').is_none_or(|(_, name)| name == step));
        let phase = asked.as_deref().map(|asked| asked.split('@').next().unwrap_or_default().to_owned());
        match phase.as_deref() {
            Some("request") => Ok(reply("request")),
            Some("problem") => Ok(Verdict::respond(
                Problem::forbidden("not today")
                    .kind("closed")
                    .title("Closed")
                    .with("until", "tomorrow")
                    .header("x-why", "closed"),
            )),
            Some("huge") => Ok(Verdict::respond(Problem::forbidden("x".repeat(3 << 20)))),
            Some("fail") => bail!("the plugin's own words, not for clients"),
            Some(phase) => ctx.set(&ASKED, &phase.to_owned()).map(|()| Verdict::Continue),
            None => Ok(Verdict::Continue),
        }
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        if ctx.get(&ASKED)?.as_deref() == Some("response") {
            return Ok(reply("response"));
        }
        let step = ctx.step();
        response.headers_mut().append("x-passed", step)?;
        if ctx.get(&ASKED)?.as_deref() == Some("status") {
            response.set_status(202)?;
        }
        Ok(Verdict::Continue)
    }
}
