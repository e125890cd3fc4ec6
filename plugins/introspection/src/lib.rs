//! Admits requests whose opaque token an authorization server calls active (RFC 7662), and tells the upstream who is asking.

mod cache;
mod claim;
mod config;
mod refusal;
mod requirements;
mod server;
mod token;
mod upstream;

use serde_json::Value as Json;
use sluice_sdk::Code;
use sluice_sdk::consumers::Identity;
use sluice_sdk::prelude::*;

pub use claim::Claim;
pub use config::{By, ClientAuthentication, Config, ConsumerConfig};

use cache::Cache;
use claim::Claims;
use refusal::{Answers, Failure, Refusal};
use requirements::Requirements;
use server::Answer;
use upstream::ClaimHeaders;

/// Bytes of the longest claim by which a consumer is looked up. OpenID Connect has at most 255 for `sub`.
const MAX_IDENTITY: usize = 1024;

/// The policy.
pub struct Introspection {
    header: HeaderName,
    hide: bool,
    cache: Cache,
    requirements: Requirements,
    claim_headers: ClaimHeaders,
    consumer: ConsumerConfig,
    /// Whether the operator counts on consumers being found. Otherwise one is looked for only if that was granted.
    wants_consumers: bool,
    anonymous: Option<String>,
    answers: Answers,
}

#[plugin(capabilities(fetch, crypto, clock), optional(store, consumers, log))]
impl Plugin for Introspection {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let cache = Cache::new(&config)?;
        let requirements = Requirements::new(&config)?;
        let answers = Answers::new(config.realm, &config.required_scopes)?;
        ensure!(config.header != "cookie", "`header` is one that carries a token alone, or `authorization`");
        let claim_headers = ClaimHeaders::new(config.claims_to_headers, &config.header)?;
        ensure!(
            config.anonymous.as_deref() != Some(""),
            "`anonymous` is empty: leave it out if there is nobody"
        );
        Ok(Self {
            header: config.header,
            hide: config.hide,
            cache,
            requirements,
            claim_headers,
            wants_consumers: config.consumer.is_some(),
            consumer: config.consumer.unwrap_or_default(),
            anonymous: config.anonymous,
            answers,
        })
    }

    fn self_test(&self) -> Result<()> {
        self.cache.check()?;
        if self.wants_consumers {
            // Nobody has an empty name. What matters is whether one may ask.
            consumers::identify(Identity::Name, "").context("`consumer`")?;
        }
        match &self.anonymous {
            Some(name) => auth::check_consumer(name).context("`anonymous`"),
            None => Ok(()),
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        match self.admit(request, ctx) {
            Ok(()) => Ok(Verdict::Continue),
            Err(Failure::Refused(refusal)) => Ok(Verdict::respond(self.answers.answer(refusal))),
            Err(Failure::Failed(error)) => Err(error),
        }
    }
}

impl Introspection {
    fn admit(&self, request: &mut Request, ctx: &mut Context) -> Result<(), Failure> {
        let Some(token) = token::find(request, &self.header)? else {
            return self.admit_anonymous(request, ctx);
        };
        let Answer::Active(claims) = self.cache.answer(&token)? else {
            return Err(Refusal::Inactive.into());
        };
        self.requirements.check(&claims, clock::since_epoch().as_secs_f64())?;
        requirements::check_binding(&claims, ctx)?;
        let scopes = requirements::scopes(&claims);
        self.requirements.permit(&scopes)?;
        let values = self.claim_headers.values(&claims)?;
        let consumer = self.consumer(&claims)?;
        if consumer.is_none() && self.consumer.required {
            return Err(Refusal::Consumer.into());
        }
        if self.hide {
            request.headers_mut().remove(&self.header)?;
        }
        self.claim_headers.set(request, &values)?;
        auth::admit(request, ctx, consumer)?;
        ctx.set(&auth::SCOPES, &scopes)?;
        ctx.set(&auth::CLAIMS, &claims)?;
        Ok(ctx.set(&auth::METHOD, &method(false))?)
    }

    fn admit_anonymous(&self, request: &mut Request, ctx: &mut Context) -> Result<(), Failure> {
        let name = self.anonymous.as_deref().ok_or(Refusal::Missing)?;
        self.claim_headers.set(request, &[])?;
        auth::admit_anonymous(request, ctx, name)?;
        Ok(ctx.set(&auth::METHOD, &method(true))?)
    }

    fn consumer(&self, claims: &Claims) -> Result<Option<Consumer>> {
        let Some(identity) = self.consumer.claim.of(claims).and_then(identity) else { return Ok(None) };
        let found = match self.consumer.by {
            By::Token => consumers::identify_token(claims.get("iss").and_then(Json::as_str), &identity),
            By::Name => consumers::identify(Identity::Name, &identity),
            By::CustomId => consumers::identify(Identity::CustomId, &identity),
        };
        match found {
            Err(error) if error.code() == Some(Code::Denied) && !self.wants_consumers => Ok(None),
            found => found,
        }
    }
}

fn method(anonymous: bool) -> auth::Method {
    auth::Method { name: "introspection".to_owned(), anonymous }
}

/// What a claim says of who somebody is; none if it cannot be that.
fn identity(claim: &Json) -> Option<String> {
    let text = match claim {
        Json::String(text) => text.clone(),
        Json::Number(number) if !number.is_f64() => number.to_string(),
        _ => return None,
    };
    let is_identity = !text.is_empty() && text.len() <= MAX_IDENTITY && !text.chars().any(char::is_control);
    is_identity.then_some(text)
}
