//! Takes the field `secret` from a JSON object on its way to the upstream and adds `bench`.

use serde_json::Map;
use sluice_sdk::prelude::*;

struct Json;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

#[plugin(name = "json")]
impl Plugin for Json {
    type Config = Config;

    fn new(Config {}: Config) -> Result<Self> {
        Ok(Self)
    }

    fn on_request_body(&self, _: &mut Request, body: &mut Body, _: &mut Context) -> Result<Verdict> {
        if body.is_empty() {
            return Ok(Verdict::Continue);
        }
        let mut object: Map<String, serde_json::Value> = body.json()?;
        object.remove("secret");
        object.insert("bench".to_owned(), serde_json::Value::from(1));
        body.set_json(&object)?;
        Ok(Verdict::Continue)
    }
}
