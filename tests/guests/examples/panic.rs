//! Panics in a function of its own, for the backtrace in the log.

use sluice_sdk::prelude::*;

struct Panics;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[inline(never)]
fn compute_the_answer(question: &str) -> usize {
    assert!(question.is_empty(), "nobody may ask: {question}");
    42
}

#[plugin(name = "panic")]
impl Plugin for Panics {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, request: &mut Request, _: &mut Context) -> Result<Verdict> {
        let question = request.headers().get("x-misbehave");
        let question =
            question.map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned()).unwrap_or_default();
        request.headers_mut().set("x-answer", compute_the_answer(&question).to_string())?;
        Ok(Verdict::Continue)
    }
}
