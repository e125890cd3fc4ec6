//! Counts its calls in itself, which a plugin should not: shows whose instance an exchange got.

use std::sync::atomic::{AtomicU32, Ordering};

use sluice_sdk::prelude::*;

static CALLS: AtomicU32 = AtomicU32::new(0);

struct Fresh;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[plugin(name = "fresh")]
impl Plugin for Fresh {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, _: &mut Request, _: &mut Context) -> Result<Verdict> {
        CALLS.fetch_add(1, Ordering::Relaxed);
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, _: &mut Context) -> Result<Verdict> {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
        response.headers_mut().set("x-calls", calls.to_string())?;
        Ok(Verdict::Continue)
    }
}
