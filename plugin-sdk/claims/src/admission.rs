//! A request on its way in, from its token to what the upstream and later steps learn.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;

use crate::answers::Answers;
use crate::consumer::{ConsumerConfig, Lookup};
use crate::headers::ClaimHeaders;
use crate::{ClaimPath, Claims, Failure, Places, Refusal, scopes};

/// How requests are let in: what a policy's configuration says of it, by the same keys.
#[derive(Clone, Debug)]
pub struct AdmissionConfig {
    /// The policy's word for itself, which later steps find in [`auth::METHOD`].
    pub method: &'static str,
    /// Where tokens are.
    pub places: Places,
    /// Whether the token is taken away before the request goes to the upstream.
    pub hide: bool,
    /// Claims with the scopes: the first that is there counts.
    pub scopes: Vec<ClaimPath>,
    /// Scopes that the token has to have, all of them.
    pub required_scopes: Vec<String>,
    /// Up to 32 headers that tell the upstream a claim, of up to 4 KiB. The client's own of these names are always taken away.
    pub claims_to_headers: BTreeMap<HeaderName, ClaimPath>,
    /// How the consumer is found. If not given, by its subject, where the capability `consumers` is granted.
    pub consumer: Option<ConsumerConfig>,
    /// Consumer as whom a request without a token is let in. A token that is not accepted is refused all the same.
    pub anonymous: Option<String>,
    /// The realm that `WWW-Authenticate` names.
    pub realm: auth::Realm,
}

/// Lets requests in by their tokens.
pub struct Admission {
    method: &'static str,
    places: Places,
    hide: bool,
    scopes: Vec<ClaimPath>,
    required_scopes: Vec<String>,
    headers: ClaimHeaders,
    consumers: Lookup,
    anonymous: Option<String>,
    answers: Answers,
}

impl Admission {
    /// Fails if a required scope is none (RFC 6749 section 3.3), if `claims_to_headers` has too many headers or one that means
    /// something else, or if `anonymous` is empty. The message names the key.
    pub fn new(config: AdmissionConfig) -> Result<Self> {
        let answers = Answers::new(config.realm, &config.required_scopes)?;
        let headers = ClaimHeaders::new(config.claims_to_headers, config.places.header())?;
        ensure!(
            config.anonymous.as_deref() != Some(""),
            "`anonymous` is empty: leave it out if there is nobody"
        );
        Ok(Self {
            method: config.method,
            places: config.places,
            hide: config.hide,
            scopes: config.scopes,
            required_scopes: config.required_scopes,
            headers,
            consumers: Lookup::new(config.consumer),
            anonymous: config.anonymous,
            answers,
        })
    }

    /// For the policy's own `self_test`. Fails if `consumer` is given but the capability `consumers` is not granted, or if
    /// there is no consumer `anonymous`.
    pub fn self_test(&self) -> Result<()> {
        self.consumers.check()?;
        match &self.anonymous {
            Some(name) => auth::check_consumer(name).context("`anonymous`"),
            None => Ok(()),
        }
    }

    /// Lets a request in whose token `verify` accepts, or that has none if `anonymous` may; else answers it with a problem
    /// document, and with a challenge (RFC 6750 section 3) if another token could help. `verify` gets the token as it was sent,
    /// of any length and bytes, but not empty.
    ///
    /// Once all is known to be good, and not before: the token is hidden, the upstream gets the claims and the consumer, and
    /// later steps find [`auth::SCOPES`], [`auth::CLAIMS`] and [`auth::METHOD`]. An `Err` is the policy's failure, or says that
    /// there is no room for these values.
    pub fn decide(
        &self,
        request: &mut Request,
        ctx: &mut Context,
        verify: impl FnOnce(&[u8], &Context) -> Result<Claims, Failure>,
    ) -> Result<Verdict> {
        let admitted = match self.places.find(request) {
            Ok(Some(token)) => verify(&token, ctx).and_then(|claims| self.admit(request, ctx, &claims)),
            Ok(None) => self.admit_anonymous(request, ctx),
            Err(refusal) => Err(refusal.into()),
        };
        match admitted {
            Ok(()) => Ok(Verdict::Continue),
            Err(Failure::Refused(refusal)) => Ok(Verdict::respond(self.answers.answer(refusal))),
            Err(Failure::Failed(error)) => Err(error),
        }
    }

    fn admit(&self, request: &mut Request, ctx: &mut Context, claims: &Claims) -> Result<(), Failure> {
        let scopes = scopes(claims, &self.scopes);
        if !self.required_scopes.iter().all(|scope| scopes.contains(scope)) {
            return Err(Refusal::Scope.into());
        }
        let values = self.headers.values(claims)?;
        let consumer = self.consumers.find(claims)?;
        if self.hide {
            self.places.hide(request)?;
        }
        self.headers.set(request, &values)?;
        auth::admit(request, ctx, self.method, consumer)?;
        ctx.set(&auth::SCOPES, &scopes)?;
        Ok(ctx.set(&auth::CLAIMS, claims)?)
    }

    fn admit_anonymous(&self, request: &mut Request, ctx: &mut Context) -> Result<(), Failure> {
        let name = self.anonymous.as_deref().ok_or(Refusal::Missing)?;
        self.headers.set(request, &[])?;
        Ok(auth::admit_anonymous(request, ctx, self.method, name)?)
    }
}
