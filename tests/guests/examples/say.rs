//! Logs what a request header says, at every level.

use sluice_sdk::prelude::*;

struct Say;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[plugin(name = "say", capabilities(log))]
impl Plugin for Say {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, request: &mut Request, _: &mut Context) -> Result<Verdict> {
        if let Some(text) = request.headers().get("x-say") {
            let text = String::from_utf8_lossy(text.as_bytes()).into_owned();
            error!("loud {text}");
            warn!("odd {text}");
            info!("plain {text}");
            debug!("quiet {text}");
        }
        Ok(Verdict::Continue)
    }
}
