//! Asks a service whether a request may pass.

mod config;
mod fields;
mod question;

use sluice_sdk::prelude::*;

pub use config::{BodyConfig, Config};

use fields::{Field, Fields};
use question::{Question, Service};

const MAX_CACHE: Duration = Duration::from_secs(600);
const MAX_BODY: u64 = 1 << 20;

/// The longest body of a refusing answer.
const MAX_ANSWER: usize = 64 << 10;

/// Seconds after which the service may be there again.
const RETRY_AFTER: &str = "5";

/// Headers of the permission that the response gets.
const RESPONSE: Value<Vec<Field>> = Value::step("response");

/// The policy.
pub struct ExtAuthz {
    service: Service,
    /// The longest body that is sent, if it is.
    max_body: Option<u64>,
    allow_headers: Fields,
    response_headers: Fields,
    client_headers: Fields,
    status: u16,
    cache: Duration,
}

/// What a permitting answer adds.
#[derive(Default, Serialize, Deserialize)]
struct Permission {
    upstream: Vec<Field>,
    response: Vec<Field>,
}

enum Decision {
    Permitted(Permission),
    Refused(Reply),
}

#[plugin(capabilities(fetch, crypto), optional(store, log))]
impl Plugin for ExtAuthz {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let service = Service::new(&config)?;
        let Config { body, allow_headers, response_headers, client_headers, status, cache, .. } = config;
        let max_body = body.map(|body| body.max.bytes());
        ensure!(
            max_body.is_none_or(|max| (1..=MAX_BODY).contains(&max)),
            "`body.max` is more than nothing and at most 1MiB"
        );
        ensure!((400..=599).contains(&status), "`status` is 400 to 599");
        ensure!(cache <= MAX_CACHE, "`cache` is at most 10m");
        if let Some(name) = allow_headers.iter().find(|name| auth::is_consumer_header(name)) {
            bail!("`allow_headers`: `{name}` tells which consumer the gateway knows");
        }
        Ok(Self {
            service,
            max_body,
            allow_headers: Fields::new("allow_headers", allow_headers)?,
            response_headers: Fields::new("response_headers", response_headers)?,
            client_headers: Fields::new("client_headers", client_headers)?,
            status,
            cache,
        })
    }

    fn self_test(&self) -> Result<()> {
        if self.cache.is_zero() {
            return Ok(());
        }
        store::get("check").map(drop).context("grant `store`, or leave `cache` out")
    }

    fn skips(&self, phase: Phase) -> bool {
        match phase {
            Phase::Request => self.max_body.is_some(),
            Phase::RequestBody => self.max_body.is_none(),
            Phase::Response => self.response_headers.is_empty(),
            _ => false,
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        self.decide(request, ctx, None)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        let max = self.max_body.unwrap_or_default();
        if body.len() as u64 > max {
            let problem =
                Problem::content_too_large(format!("requests here have bodies of up to {max} bytes"));
            return Ok(Verdict::respond(problem.kind("authorization-body-too-large").with("limit", &max)));
        }
        let body = body.bytes()?;
        self.decide(request, ctx, Some(body))
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        if let Some(fields) = ctx.get(&RESPONSE)? {
            fields::replace(&mut response.headers_mut(), &fields)?;
        }
        Ok(Verdict::Continue)
    }
}

impl ExtAuthz {
    fn decide(&self, request: &mut Request, ctx: &mut Context, body: Option<Vec<u8>>) -> Result<Verdict> {
        let question = self.service.question(request, ctx, body);
        let permission = match self.decision(question) {
            Ok(Decision::Permitted(permission)) => permission,
            Ok(Decision::Refused(reply)) => return Ok(reply.into()),
            Err(error) => {
                // An operator who lets requests pass where a step fails does not mean those that nobody has permitted.
                error!("a request could not be authorized: {error}");
                return Ok(Verdict::respond(self.unavailable()));
            }
        };
        // Whoever the service has recognised, no consumer stands for them.
        auth::admit_unknown(request, ctx, "ext-authz")?;
        let mut headers = request.headers_mut();
        for name in self.allow_headers.names() {
            headers.remove(name)?;
        }
        fields::replace(&mut headers, &permission.upstream)?;
        if !permission.response.is_empty() {
            ctx.set(&RESPONSE, &permission.response)?;
        }
        Ok(Verdict::Continue)
    }

    /// What a kept permission depends on beside the question: what of the answer is in it, and for how long it may be believed.
    fn kept_as(&self) -> String {
        let names = |fields: &Fields| {
            let names: Vec<&str> = fields.names().iter().map(HeaderName::as_str).collect();
            names.join(",")
        };
        let (upstream, response) = (names(&self.allow_headers), names(&self.response_headers));
        format!("{}\n{upstream}\n{response}", self.cache.get().as_millis())
    }

    fn decision(&self, question: Question<'_>) -> Result<Decision> {
        let key = if self.cache.is_zero() { None } else { Some(question.digest(&self.kept_as())?) };
        if let Some(permission) = key.as_deref().and_then(kept) {
            return Ok(Decision::Permitted(permission));
        }
        let answer = question.ask()?;
        match answer.status() {
            200..=299 => {
                let (upstream, response) =
                    (self.allow_headers.of(&answer)?, self.response_headers.of(&answer)?);
                let permission = Permission { upstream, response };
                if let Some(key) = key.filter(|_| may_be_kept(&answer, &permission))
                    && let Err(error) =
                        store::set_evictable(key, serde_json::to_vec(&permission)?, Some(self.cache.get()))
                {
                    debug!("a permission cannot be kept: {error}");
                }
                Ok(Decision::Permitted(permission))
            }
            300..=499 => self.refusal(&answer).map(Decision::Refused),
            status => bail!("the service answered {status}"),
        }
    }

    /// What the client is told: what the service says, or at least that it was refused.
    fn refusal(&self, answer: &Fetched) -> Result<Reply> {
        let (status, body) = (answer.status(), answer.body());
        ensure!(body.len() <= MAX_ANSWER, "the answer's body is longer than {MAX_ANSWER} bytes");
        let is_silent = body.is_empty() && status >= 400;
        let mut reply = if is_silent {
            Problem::new(status, "the request is not permitted").kind("not-permitted").into()
        } else {
            Reply::new(status).body(body)
        };
        for (name, value) in self.client_headers.of(answer)? {
            let is_of_body = matches!(name.as_str(), "content-type" | "content-encoding");
            if !is_of_body {
                reply = reply.header(name, value);
            }
        }
        for name in ["content-type", "content-encoding"] {
            if !body.is_empty()
                && let Some(value) = answer.header(name)
            {
                reply = reply.header(name, value);
            }
        }
        Ok(reply)
    }

    fn unavailable(&self) -> Problem {
        let problem =
            Problem::new(self.status, "whether the request is permitted cannot be found out at the moment")
                .kind("authorization-unavailable");
        if self.status == 503 { problem.header("retry-after", RETRY_AFTER) } else { problem }
    }
}

/// What was permitted before. Without the store the service is asked.
fn kept(key: &[u8]) -> Option<Permission> {
    match store::get(key) {
        Ok(kept) => serde_json::from_slice(&kept?).ok(),
        Err(error) => {
            debug!("the store cannot be used: {error}");
            None
        }
    }
}

/// Whether a permission is for more than this one request: the service may say that it is not, and cookies are for one.
fn may_be_kept(answer: &Fetched, permission: &Permission) -> bool {
    let is_cache_control = |name: &[u8]| name.eq_ignore_ascii_case(b"cache-control");
    let directives = answer
        .headers()
        .filter(|(name, _)| is_cache_control(name))
        .flat_map(|(_, value)| value.split(|&byte| byte == b','));
    let forbids = |directive: &[u8]| {
        let directive = directive.trim_ascii();
        ["no-store", "no-cache", "private", "max-age=0"]
            .iter()
            .any(|name| directive.eq_ignore_ascii_case(name.as_bytes()))
    };
    !directives.into_iter().any(forbids) && permission.response.iter().all(|(name, _)| name != "set-cookie")
}
