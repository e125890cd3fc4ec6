//! Keeps a value and two counters in the store, and takes from a limit of three.

use std::time::Duration as Time;

use sluice_sdk::prelude::*;

struct Keeper {
    limit: Limit,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[plugin(name = "store", capabilities(store))]
impl Plugin for Keeper {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self { limit: Limit::gcra(3, Time::from_secs(3600)) })
    }

    fn on_request(&self, request: &mut Request, _: &mut Context) -> Result<Verdict> {
        let key = request.path();
        let count = store::add(format!("count {key}"), 1, None)?;
        let before = store::get(&key)?.unwrap_or_else(|| b"nothing".to_vec());
        store::set(&key, format!("request {count}"), None)?;
        if request.headers().get("x-forget").is_some() {
            store::delete(&key)?;
        }
        let taken = store::take(&[self.limit.take(key)])?[0];
        let headers = &mut request.headers_mut();
        headers.set("x-count", count.to_string())?;
        headers.set("x-before", before)?;
        headers.set("x-taken", format!("{} {}", taken.allowed, taken.remaining))?;
        Ok(Verdict::Continue)
    }
}
