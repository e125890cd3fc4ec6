//! Removes, renames and writes headers of requests and responses, with variables in the values.

mod rules;

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;

pub use rules::RulesConfig;
use rules::{Message, Rules};

/// What happens to the headers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Headers of the request, before it goes to the upstream.
    #[serde(default)]
    request: RulesConfig,
    /// Headers of the response, before it goes to the client.
    #[serde(default)]
    response: RulesConfig,
}

/// Headers of the request that values of the response refer to.
const REQUEST_HEADERS: Value<BTreeMap<String, String>> = Value::step("request-headers");

/// The policy.
pub struct HeaderRules {
    request: Rules,
    response: Rules,
    /// Headers of the request that the response's rules need.
    remembered: Vec<HeaderName>,
}

#[plugin]
impl Plugin for HeaderRules {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let request = Rules::new(config.request, "request")?;
        let response = Rules::new(config.response, "response")?;
        ensure!(
            !(request.is_empty() && response.is_empty()),
            "there is nothing to do: give `request` or `response`"
        );
        let remembered = response.request_headers();
        Ok(Self { request, response, remembered })
    }

    fn skips(&self, phase: Phase) -> bool {
        match phase {
            Phase::Request => self.request.is_empty() && self.remembered.is_empty(),
            Phase::Response => self.response.is_empty(),
            _ => false,
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        if !self.remembered.is_empty() {
            let found =
                |name: &HeaderName| Some((name.to_string(), request.headers().get(name)?.to_string()));
            ctx.set(&REQUEST_HEADERS, &self.remembered.iter().filter_map(found).collect())?;
        }
        let headers = request.headers();
        let values = self.request.render(ctx, &|name| headers.get(name).map(|value| value.to_string()));
        self.request.apply(&mut Message::new(request.headers_mut()), values)?;
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let remembered = if self.remembered.is_empty() { None } else { ctx.get(&REQUEST_HEADERS)? };
        let remembered = remembered.unwrap_or_default();
        let values = self.response.render(ctx, &|name| remembered.get(name.as_str()).cloned());
        self.response.apply(&mut Message::new(response.headers_mut()), values)?;
        Ok(Verdict::Continue)
    }
}
