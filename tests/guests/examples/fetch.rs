//! Asks other upstreams before and after the request's own, as request headers say: `x-fetch: upstream /path`, several
//! by commas for several at once; `x-fetch-response` likewise, in the response phase.

use sluice_sdk::prelude::*;

const LATER: Value<String> = Value::step("later");

struct Asker;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

/// What came of each, as `status:length`, or the reason.
fn ask(list: &str) -> Result<String> {
    let requests = list.split(',').filter_map(|item| item.trim().split_once(' '));
    let answers = fetch_all(requests.map(|(upstream, path)| Fetch::get(upstream, path)))?;
    let told = answers.iter().map(|answer| match answer {
        Ok(fetched) => format!("{}:{}", fetched.status(), fetched.body().len()),
        Err(error) => format!("{:?}", error.code()),
    });
    Ok(told.collect::<Vec<_>>().join(" "))
}

#[plugin(name = "fetch", capabilities(fetch))]
impl Plugin for Asker {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let text = |name: &str| {
            request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (now, later) = (text("x-fetch"), text("x-fetch-response"));
        if let Some(list) = now {
            request.headers_mut().set("x-fetched", ask(&list)?)?;
        }
        if let Some(list) = later {
            ctx.set(&LATER, &list)?;
        }
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        if let Some(list) = ctx.get(&LATER)? {
            response.headers_mut().set("x-fetched", ask(&list)?)?;
        }
        Ok(Verdict::Continue)
    }
}
