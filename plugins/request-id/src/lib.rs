//! Gives each request an identifier of the operator's own form, and a W3C trace context.

mod id;
mod trace;

use sluice_sdk::prelude::*;

pub use trace::{Parent, TraceConfig};

use trace::{TRACEPARENT, TRACESTATE, Trace};

/// Longer prefixes leave too little of the identifier's room.
const MAX_PREFIX: usize = 32;

/// Headers that already mean something else.
const TAKEN: [&str; 3] = ["host", TRACEPARENT, TRACESTATE];

/// Which identifier a request gets, and where.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Header of the request, and of the response, that carries the identifier. `X-Request-Id` is the gateway's own.
    #[serde(default = "default_header")]
    header: HeaderName,
    /// Whether a well-formed identifier that the client sent is kept.
    #[serde(default)]
    accept: Accept,
    /// The form of identifiers that are made here.
    #[serde(default)]
    format: Format,
    /// What identifiers that are made here begin with: up to 32 of `A-Z a-z 0-9 - _ . : + / =`.
    #[serde(default)]
    #[schemars(regex(pattern = "^[A-Za-z0-9_.:+/=-]{0,32}$"))]
    prefix: String,
    /// Whether the response carries it too.
    #[serde(default = "default_respond")]
    respond: bool,
    /// Makes every request carry a good `traceparent`; without it, trace headers pass as they are.
    #[serde(default)]
    trace: Option<TraceConfig>,
}

fn default_header() -> HeaderName {
    HeaderName::from_static("x-correlation-id")
}

fn default_respond() -> bool {
    true
}

/// Whether what the client says is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Accept {
    /// It is replaced.
    #[default]
    Never,
    /// It is kept if it is well-formed. For clients that are the operator's own.
    Always,
}

/// The form of an identifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The gateway's own, as in `X-Request-Id` and in its logs.
    #[default]
    Gateway,
    /// A random UUID (RFC 9562 version 4).
    UuidV4,
    /// A UUID that sorts by time (RFC 9562 version 7).
    UuidV7,
    /// A ULID.
    Ulid,
}

/// The identifier, for the response.
const ID: Value<String> = Value::step("id");

/// The policy.
pub struct RequestId {
    config: Config,
    trace: Option<Trace>,
}

#[plugin(capabilities(clock, random))]
impl Plugin for RequestId {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let header = config.header.as_str();
        ensure!(
            !config.header.is_reserved(),
            "`header`: `{header}` belongs to the gateway, which frames messages itself"
        );
        ensure!(
            header != "x-request-id",
            "`header`: the gateway sets `x-request-id` itself, of requests and responses; use another name"
        );
        ensure!(!TAKEN.contains(&header), "`header`: `{header}` already means something else");
        ensure!(
            config.prefix.len() <= MAX_PREFIX
                && (config.prefix.is_empty() || id::is_well_formed(&config.prefix)),
            "`prefix` has at most {MAX_PREFIX} characters of `A-Z a-z 0-9 - _ . : + / =`"
        );
        let trace = config.trace.as_ref().map(Trace::new).transpose()?;
        Ok(Self { config, trace })
    }

    fn skips(&self, phase: Phase) -> bool {
        phase == Phase::Response && !self.config.respond
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let mut headers = request.headers_mut();
        let kept = match self.config.accept {
            Accept::Always => single(&headers, self.config.header.as_str()),
            Accept::Never => None,
        };
        let id = match kept.filter(|id| id::is_well_formed(id)) {
            Some(id) => id,
            None => {
                let id = self.generate(ctx);
                headers.set(&self.config.header, &id)?;
                id
            }
        };
        if self.config.respond {
            ctx.set(&ID, &id)?;
        }
        if let Some(trace) = &self.trace {
            trace.apply(&mut headers)?;
        }
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        if let Some(id) = ctx.get(&ID)? {
            response.headers_mut().set(&self.config.header, id)?;
        }
        Ok(Verdict::Continue)
    }
}

impl RequestId {
    fn generate(&self, ctx: &Context) -> String {
        let now = || u64::try_from(clock::since_epoch().as_millis()).unwrap_or_default();
        let id = match self.config.format {
            Format::Gateway => ctx.request_id(),
            Format::UuidV4 => id::uuid_v4(random::bytes()),
            Format::UuidV7 => id::uuid_v7(now(), random::bytes()),
            Format::Ulid => id::ulid(now(), random::bytes()),
        };
        format!("{}{id}", self.config.prefix)
    }
}

/// A header's value if it has exactly one: of several, it would be a guess which counts.
fn single(headers: &HeadersMut<'_>, name: &str) -> Option<String> {
    match &headers.get_all(name)[..] {
        [value] => value.as_str().map(str::to_owned),
        _ => None,
    }
}
