//! Admits requests that carry a JSON Web Token (RFC 7519) of a configured issuer, and tells the upstream who is asking.

mod algorithm;
mod claims;
mod config;
mod issuer;
mod json;
mod jws;

use sluice_sdk::prelude::*;
use sluice_sdk_claims::{
    Admission, AdmissionConfig, ClaimPath, Claims, Failure, Places, Refusal, check_binding,
};

pub use algorithm::Algorithm;
pub use config::{Any, Audiences, Config, IssuerConfig, TokenType};
pub use issuer::KeysConfig;

use claims::Requirements;
use issuer::Issuer;
use jws::Token;

/// The policy.
pub struct Jwt {
    issuers: Vec<Issuer>,
    token_type: Option<TokenType>,
    requirements: Requirements,
    admission: Admission,
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
        let scopes =
            config.scopes.map_or_else(|| ["scope", "scp"].map(ClaimPath::named).into(), |path| vec![path]);
        let admission = Admission::new(AdmissionConfig {
            method: "jwt",
            places: Places::new(config.from)?,
            hide: config.hide,
            scopes,
            required_scopes: config.required_scopes,
            claims_to_headers: config.claims_to_headers,
            consumer: config.consumer,
            anonymous: config.anonymous,
            realm: config.realm,
        })?;
        Ok(Self { issuers, token_type: config.token_type, requirements, admission })
    }

    fn self_test(&self) -> Result<()> {
        self.issuers.iter().try_for_each(Issuer::check)?;
        self.admission.self_test()
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        self.admission.decide(request, ctx, |token, ctx| self.verified(token, ctx))
    }
}

impl Jwt {
    /// The claims of a token that is good now.
    fn verified(&self, token: &[u8], ctx: &Context) -> Result<Claims, Failure> {
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
        check_binding(&claims, ctx)?;
        self.requirements.check(&claims, issuer, clock::since_epoch().as_secs_f64())?;
        Ok(claims)
    }
}

fn read(token: &Token<'_>) -> Result<Claims, Refusal> {
    json::object(&token.payload).ok_or(Refusal::Invalid("the claims are malformed"))
}

fn claimed_issuer<'i>(issuers: &'i [Issuer], claims: &Claims) -> Option<&'i Issuer> {
    let iss = claims.get("iss")?.as_str()?;
    issuers.iter().find(|issuer| issuer.names.iter().any(|name| name == iss))
}
