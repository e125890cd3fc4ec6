//! Admits requests that carry a JSON Web Token (RFC 7519) of a configured issuer, and tells the upstream who is asking.

mod algorithm;
mod claims;
mod config;
mod issuer;
mod json;
mod jws;
mod path;
mod places;
mod refusal;
mod upstream;

use sluice_sdk::Code;
use sluice_sdk::consumers::Identity;
use sluice_sdk::prelude::*;

pub use algorithm::Algorithm;
pub use claims::{Expected, Scalar};
pub use config::{Any, Audiences, By, Config, ConsumerConfig, IssuerConfig, TokenType};
pub use issuer::KeysConfig;
pub use path::ClaimPath;
pub use places::PlacesConfig;

use claims::{Claims, Requirements};
use issuer::Issuer;
use jws::Token;
use places::Places;
use refusal::{Answers, Failure, Refusal};
use upstream::ClaimHeaders;

/// Bytes of the longest claim by which a consumer is looked up. OpenID Connect has at most 255 for `sub`.
const MAX_IDENTITY: usize = 1024;

/// The policy.
pub struct Jwt {
    issuers: Vec<Issuer>,
    token_type: Option<TokenType>,
    requirements: Requirements,
    required_scopes: Vec<String>,
    scopes: Vec<ClaimPath>,
    places: Places,
    hide: bool,
    claim_headers: ClaimHeaders,
    consumer: ConsumerConfig,
    /// Whether the operator counts on consumers being found. Otherwise one is looked for only if that was granted.
    wants_consumers: bool,
    anonymous: Option<String>,
    answers: Answers,
}

#[plugin(capabilities(crypto, clock), optional(jwks, secret, consumers))]
impl Plugin for Jwt {
    type Config = Config;

    fn new(mut config: Config) -> Result<Self> {
        let issuers = config.issuers()?;
        let requirements = Requirements::new(
            config.leeway,
            config.max_lifetime,
            config.require_exp,
            config.required_claims,
            config.claims,
        )?;
        let answers = Answers::new(config.realm, &config.required_scopes)?;
        let scopes =
            config.scopes.map_or_else(|| ["scope", "scp"].map(ClaimPath::named).into(), |path| vec![path]);
        let places = Places::new(config.from)?;
        let claim_headers = ClaimHeaders::new(config.claims_to_headers)?;
        if let Some(name) = places.header().filter(|name| claim_headers.contains(name)) {
            bail!("`claims_to_headers`: `{name}` is where the token is");
        }
        ensure!(
            config.anonymous.as_deref() != Some(""),
            "`anonymous` is empty: leave it out if there is nobody"
        );
        Ok(Self {
            issuers,
            token_type: config.token_type,
            requirements,
            required_scopes: config.required_scopes,
            scopes,
            places,
            hide: config.hide,
            claim_headers,
            wants_consumers: config.consumer.is_some(),
            consumer: config.consumer.unwrap_or_default(),
            anonymous: config.anonymous,
            answers,
        })
    }

    fn self_test(&self) -> Result<()> {
        self.issuers.iter().try_for_each(Issuer::check)?;
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

impl Jwt {
    fn admit(&self, request: &mut Request, ctx: &mut Context) -> Result<(), Failure> {
        let Some(token) = self.places.find(request)? else {
            return self.admit_anonymous(request, ctx);
        };
        let claims = self.verified(&token)?;
        let scopes = claims::scopes(&claims, &self.scopes);
        if !self.required_scopes.iter().all(|scope| scopes.contains(scope)) {
            return Err(Refusal::Scope.into());
        }
        let values = self.claim_headers.values(&claims)?;
        let consumer = self.consumer(&claims)?;
        if consumer.is_none() && self.consumer.required {
            return Err(Refusal::Consumer.into());
        }
        if self.hide {
            self.places.hide(request)?;
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

    /// The claims of a token that is good now.
    fn verified(&self, token: &[u8]) -> Result<Claims, Failure> {
        let token = Token::parse(token)?;
        if !TokenType::fits(self.token_type, token.typ.as_deref()) {
            return Err(Refusal::Invalid("the token is of another type").into());
        }
        let (issuer, claims) = match &self.issuers[..] {
            // Its claims are not even read before it is known to have made them.
            [only] => {
                only.verify(&token)?;
                (only, read(&token)?)
            }
            // Until then, what it claims serves only to find the keys.
            several => {
                let claims = read(&token)?;
                let issuer = claimed_issuer(several, &claims).ok_or(claims::UNKNOWN_ISSUER)?;
                issuer.verify(&token)?;
                (issuer, claims)
            }
        };
        self.requirements.check(&claims, issuer, clock::since_epoch().as_secs_f64())?;
        Ok(claims)
    }

    fn consumer(&self, claims: &Claims) -> Result<Option<Consumer>> {
        let Some(identity) = self.consumer.claim.of(claims).and_then(identity) else { return Ok(None) };
        let found = match self.consumer.by {
            By::Token => {
                consumers::identify_token(claims.get("iss").and_then(serde_json::Value::as_str), &identity)
            }
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
    auth::Method { name: "jwt".to_owned(), anonymous }
}

fn read(token: &Token<'_>) -> Result<Claims, Refusal> {
    json::object(&token.payload).ok_or(Refusal::Invalid("the claims are malformed"))
}

fn claimed_issuer<'i>(issuers: &'i [Issuer], claims: &Claims) -> Option<&'i Issuer> {
    let iss = claims.get("iss")?.as_str()?;
    issuers.iter().find(|issuer| issuer.names.iter().any(|name| name == iss))
}

/// What a claim says of who somebody is; none if it cannot be that.
fn identity(claim: &serde_json::Value) -> Option<String> {
    let text = match claim {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) if !number.is_f64() => number.to_string(),
        _ => return None,
    };
    let is_identity = !text.is_empty() && text.len() <= MAX_IDENTITY && !text.chars().any(char::is_control);
    is_identity.then_some(text)
}
