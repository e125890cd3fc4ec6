//! Admits requests that a known key has signed: RFC 9421, with digests of RFC 9530, and two older forms.

mod algorithm;
mod base;
mod compat;
mod component;
mod config;
mod digest;
mod input;
mod message;
mod proof;
mod refusal;
mod rfc9421;
mod structured;
mod time;

use sluice_sdk::prelude::*;

pub use algorithm::Algorithm;
pub use compat::Compat;
pub use config::Config;
pub use digest::Mode;
pub use structured::Structure;

use config::Policy;
use digest::Plan;
use message::Message;
use proof::Proof;
use refusal::{Refusal, Stop};

/// What the body will be held to.
const PLAN: Value<Plan> = Value::step("plan");

/// The policy.
pub struct HttpSignature {
    policy: Policy,
}

#[plugin(capabilities(clock, consumers, crypto), optional(store))]
impl Plugin for HttpSignature {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Policy::new(config).map(|policy| Self { policy })
    }

    fn self_test(&self) -> Result<()> {
        if self.policy.replay {
            store::get("self-test").context("`replay` keeps signatures in the capability `store`")?;
        }
        self.policy.anonymous.as_deref().map_or(Ok(()), auth::check_consumer)
    }

    fn skips(&self, phase: Phase) -> bool {
        phase == Phase::RequestBody && self.policy.digest == Mode::Off
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let message = Message::of(request);
        let verified = match self.proof(request, &message) {
            Ok(Some(proof)) => self.verify(&proof, &message),
            Ok(None) => return self.nobody(request, &message, ctx),
            Err(stop) => Err(stop),
        };
        let (consumer, plan) = match verified {
            Ok(verified) => verified,
            Err(Stop::Refused(refusal)) => return Ok(self.refuse(refusal, &message)),
            Err(Stop::Failed(error)) => return Err(error),
        };
        match plan {
            Some(plan) => ctx.set(&PLAN, &plan)?,
            None => self.leave_body(ctx),
        }
        if self.policy.hide {
            self.hide(request)?;
        }
        auth::admit(request, ctx, "http-signature", Some(consumer))?;
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        let Some(plan) = ctx.get(&PLAN)? else { return Ok(Verdict::Continue) };
        match plan.check(&body.bytes()?) {
            Ok(()) => Ok(Verdict::Continue),
            Err(Stop::Refused(refusal)) => Ok(self.refuse(refusal, &Message::of(request))),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

impl HttpSignature {
    /// The one signature that counts; none if there is no signature at all.
    fn proof(&self, request: &Request, message: &Message) -> Result<Option<Proof>, Stop> {
        let mut old = compat::find(request, message, &self.policy.compat)?;
        let input = message.has("signature-input");
        // Without the older form a `Signature` alone is half of a signature.
        let half = message.has("signature") && !input && old.is_empty();
        let new = input || half;
        match (new, old.len()) {
            (false, 0) => Ok(None),
            (true, 0) => rfc9421::proof(message, &self.policy, time::now()).map(Some),
            (false, 1) => match old.pop() {
                Some(old) => old.proof(message, &self.policy, time::now()).map(Some),
                None => Ok(None),
            },
            _ => Err(Refusal::Malformed("signatures of more than one form were sent".to_owned()).into()),
        }
    }

    fn verify(&self, proof: &Proof, message: &Message) -> Result<(Consumer, Option<Plan>), Stop> {
        let consumer = proof.verify()?;
        let plan = self.policy.digests(proof.is_old).plan(message, &proof.digests)?;
        // Last, so that a signature which is refused for something else can be used yet.
        if self.policy.replay {
            proof.use_once()?;
        }
        Ok((consumer, plan))
    }

    fn leave_body(&self, ctx: &mut Context) {
        if self.policy.digest != Mode::Off {
            ctx.skip_body();
        }
    }

    fn hide(&self, request: &mut Request) -> Result<()> {
        let mut headers = request.headers_mut();
        headers.remove("signature")?;
        headers.remove("signature-input")?;
        let is_signature = |value: &HeaderValue| {
            let text = value.as_str().unwrap_or_default();
            let scheme = text.split(' ').next().unwrap_or_default();
            (self.policy.compat.contains(&Compat::KongHmac) && scheme.eq_ignore_ascii_case("hmac"))
                || (self.policy.compat.contains(&Compat::Cavage) && scheme.eq_ignore_ascii_case("signature"))
        };
        if headers.get("authorization").as_ref().is_some_and(is_signature) {
            headers.remove("authorization")?;
        }
        Ok(())
    }

    fn nobody(&self, request: &mut Request, message: &Message, ctx: &mut Context) -> Result<Verdict> {
        let Some(name) = &self.policy.anonymous else {
            let refusal = Refusal::Missing("a signature is required".to_owned());
            return Ok(self.refuse(refusal, message));
        };
        self.leave_body(ctx);
        auth::admit_anonymous(request, ctx, "http-signature", name)?;
        Ok(Verdict::Continue)
    }

    fn refuse(&self, refusal: Refusal, message: &Message) -> Verdict {
        refusal.answer(&self.policy.challenges, message.announces_body())
    }
}
