//! Marks request, response and response body with its build and its configuration, each in a phase of its own:
//! an exchange that was served by two versions shows it.

use std::hint::black_box;

use sluice_sdk::prelude::*;

/// The tests put other digits in its place, which makes another version of the plugin.
static BUILD: &str = "build-000000";

struct Tag {
    mark: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What the configuration adds to the mark.
    label: String,
}

#[plugin(name = "tag")]
impl Plugin for Tag {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self { mark: format!("{}/{}", black_box(BUILD), config.label) })
    }

    fn on_request(&self, request: &mut Request, _: &mut Context) -> Result<Verdict> {
        request.headers_mut().set("x-tag", &self.mark)?;
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, _: &mut Context) -> Result<Verdict> {
        response.headers_mut().set("x-tag", &self.mark)?;
        Ok(Verdict::Continue)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, _: &mut Context) -> Result<()> {
        if chunk.is_last() {
            let mut bytes = chunk.bytes()?;
            bytes.extend_from_slice(format!("\n{}", self.mark).as_bytes());
            chunk.set(bytes)?;
        }
        Ok(())
    }
}
