//! Takes bodies whole: turns them to upper case and, having seen them, still changes the head.

use sluice_sdk::prelude::*;

struct Rewrite;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[plugin(name = "rewrite")]
impl Plugin for Rewrite {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, _: &mut Context) -> Result<Verdict> {
        if body.text()? == "forbidden" {
            return Ok(Verdict::respond(Problem::unprocessable("that word is forbidden")));
        }
        request.headers_mut().set("x-request-length", body.len().to_string())?;
        body.set(body.bytes()?.to_ascii_uppercase())?;
        Ok(Verdict::Continue)
    }

    fn on_response_body(&self, response: &mut Response, body: &mut Body, _: &mut Context) -> Result<Verdict> {
        response.headers_mut().set("x-response-length", body.len().to_string())?;
        let mut text = body.bytes()?;
        text.extend_from_slice(b"\nrewritten");
        body.set(text)?;
        Ok(Verdict::Continue)
    }
}
