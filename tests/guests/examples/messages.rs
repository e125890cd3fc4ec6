//! Takes bodies apart into messages, each with its length in front of it: a byte for the hundreds and one for the rest. Each becomes
//! a line; trailers tell what there was.

use sluice_sdk::prelude::*;

struct Messages {
    most: usize,
    banner: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Messages in one call.
    #[serde(default = "most")]
    most: usize,
    /// What every response says in `x-banner`.
    #[serde(default)]
    banner: Option<Asset>,
}

const fn most() -> usize {
    100
}

impl Messages {
    /// Lines of the messages that are there; what is left of the chunk is held.
    fn pass(&self, chunk: &mut Chunk) -> Result<()> {
        let bytes = chunk.bytes()?;
        let (mut lines, mut at, mut count) = (Vec::new(), 0, 0);
        let missing = loop {
            let rest = &bytes[at..];
            let &[hundreds, units, ..] = rest else { break 2 };
            let length = 2 + usize::from(hundreds) * 100 + usize::from(units);
            let Some(message) = rest.get(2..length) else { break length };
            if count == self.most {
                chunk.set(lines)?;
                return chunk.again(at);
            }
            lines.extend_from_slice(message);
            lines.push(b'\n');
            (at, count) = (at + length, count + 1);
        };
        if chunk.is_last() {
            ensure!(at == bytes.len(), "a message is cut off after {} of {missing} bytes", bytes.len() - at);
            let came = chunk.trailers().get("x-sum").map(|sum| sum.to_str().unwrap_or_default().to_owned());
            lines.extend(format!("sum {}", came.as_deref().unwrap_or("none")).bytes());
            chunk.trailers_mut().remove("x-sum")?;
            chunk.trailers_mut().set("x-last", count.to_string())?;
            return chunk.set(lines);
        }
        chunk.set(lines)?;
        if at < bytes.len() {
            chunk.hold(at, missing)?;
        }
        Ok(())
    }
}

#[plugin(name = "messages")]
impl Plugin for Messages {
    type Config = Config;

    fn new(Config { most, banner }: Config) -> Result<Self> {
        let banner = banner.map(|banner| banner.bytes()).transpose()?;
        let banner = banner.map(|bytes| format!("{} {:?}", bytes.len(), bytes.first()));
        Ok(Self { most, banner })
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let protocol = request.protocol();
        request.headers_mut().set("x-protocol", protocol)?;
        if request.headers().contains("x-whole") {
            ctx.body_mode(BodyMode::Whole);
        }
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, _: &mut Request, body: &mut Body, _: &mut Context) -> Result<Verdict> {
        let sum = body.trailers().get("x-sum").map_or(0, |sum| sum.as_bytes().len());
        let told = format!("{} {sum}", body.len());
        body.trailers_mut().set("x-whole", told)?;
        body.set("whole")?;
        Ok(Verdict::Continue)
    }

    fn on_request_chunk(&self, chunk: &mut Chunk, _: &mut Context) -> Result<Verdict> {
        self.pass(chunk)?;
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        if let Some(banner) = &self.banner {
            response.headers_mut().set("x-banner", banner)?;
        }
        if response.headers().get("x-framed").is_none() {
            ctx.skip_body();
        }
        Ok(Verdict::Continue)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, _: &mut Context) -> Result<()> {
        self.pass(chunk)
    }
}
