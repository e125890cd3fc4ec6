//! Refuses to brew coffee (RFC 2324), and says on every other pot who brewed it.

use sluice_sdk::prelude::*;

/// What this teapot is like.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Drinks that it does not brew: the last part of a request's path.
    refuses: Vec<String>,
    /// Who it says it is.
    #[serde(default = "default_name")]
    name: String,
}

fn default_name() -> String {
    "teapot".to_owned()
}

/// The policy.
pub struct FirstPlugin {
    config: Config,
}

#[plugin]
impl Plugin for FirstPlugin {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        ensure!(!config.refuses.is_empty(), "a teapot that refuses nothing needs no plugin");
        Ok(Self { config })
    }

    fn on_request(&self, request: &mut Request, _: &mut Context) -> Result<Verdict> {
        let path = request.path();
        let drink = path.rsplit('/').next().unwrap_or_default();
        if self.config.refuses.iter().any(|refused| refused == drink) {
            let detail = format!("{} does not brew {drink}", self.config.name);
            return Ok(Verdict::respond(Problem::new(418, detail).kind("teapot")));
        }
        request.headers_mut().set("x-brewed-by", &self.config.name)?;
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, _: &mut Context) -> Result<Verdict> {
        response.headers_mut().set("x-brewed-by", &self.config.name)?;
        Ok(Verdict::Continue)
    }
}
