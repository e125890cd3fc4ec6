//! Admits requests whose opaque token an authorization server calls active (RFC 7662), and tells the upstream who is asking.

mod cache;
mod config;
mod requirements;
mod server;
mod token;

use sluice_sdk::prelude::*;
use sluice_sdk_claims::{
    Admission, AdmissionConfig, ClaimPath, Claims, Failure, Places, Refusal, check_binding,
};

pub use config::{ClientAuthentication, Config};

use cache::Cache;
use requirements::Requirements;
use server::Answer;

/// The policy.
pub struct Introspection {
    cache: Cache,
    requirements: Requirements,
    admission: Admission,
}

#[plugin(capabilities(fetch, crypto, clock), optional(store, consumers, log))]
impl Plugin for Introspection {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let cache = Cache::new(&config)?;
        let requirements = Requirements::new(&config)?;
        ensure!(config.header != "cookie", "`header` is one that carries a token alone, or `authorization`");
        let admission = Admission::new(AdmissionConfig {
            method: "introspection",
            places: Places::in_header(config.header),
            hide: config.hide,
            scopes: vec![ClaimPath::named("scope")],
            required_scopes: config.required_scopes,
            claims_to_headers: config.claims_to_headers,
            consumer: config.consumer,
            anonymous: config.anonymous,
            realm: config.realm,
        })?;
        Ok(Self { cache, requirements, admission })
    }

    fn self_test(&self) -> Result<()> {
        self.cache.check()?;
        self.admission.self_test()
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        self.admission.decide(request, ctx, |token, ctx| self.introspected(token, ctx))
    }
}

impl Introspection {
    /// What the server says of a token that is good now.
    fn introspected(&self, token: &[u8], ctx: &Context) -> Result<Claims, Failure> {
        let Answer::Active(claims) = self.cache.answer(&token::read(token)?)? else {
            return Err(Refusal::Inactive.into());
        };
        check_binding(&claims, ctx)?;
        self.requirements.check(&claims, clock::since_epoch().as_secs_f64())?;
        Ok(claims)
    }
}
