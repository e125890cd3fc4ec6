//! Limits how many requests a client may send in a time, and how many at once, over counters that all workers share.

mod config;
mod cost;
mod fields;
mod key;
mod limits;
mod noted;
mod plans;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use sluice_sdk::Code;
use sluice_sdk::prelude::*;

pub use config::{Algorithm, Compat, Concurrency, Config, LimitConfig, LimitsBy};
pub use cost::{Cost, Settle};
pub use key::{Key, Missing};

use config::Parts;
use limits::Set;
use noted::{NOTED, Noted, Open};
use plans::{Plans, Rules};

/// One line in so long tells of requests that would have been refused for the same reason.
const SHADOW_LINE_EVERY: std::time::Duration = std::time::Duration::from_secs(10);

/// The policy.
pub struct RateLimit(Parts);

#[plugin(capabilities(store), optional(log))]
impl Plugin for RateLimit {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        config.build().map(Self)
    }

    fn skips(&self, phase: Phase) -> bool {
        match phase {
            Phase::Response => self.0.told.is_none() && self.0.settle.is_none(),
            Phase::Complete => !self.remembers(),
            _ => false,
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let (index, plan) = self.choose(ctx);
        let set = &*self.set(index, &plan)?;
        if set.is_empty() {
            return Ok(Verdict::Continue);
        }
        let asked = self.0.key.of(request, ctx).and_then(|key| Ok((key, self.0.cost.of(request)?)));
        let (key, cost) = match asked {
            Ok((Some(key), cost)) => (key, cost),
            Ok((None, _)) => return Ok(Verdict::Continue),
            Err(_) if self.0.shadow => {
                tell_shadow("uncountable", format_args!("a request without a key or with a bad cost"));
                return Ok(Verdict::Continue);
            }
            Err(problem) => return Ok(Verdict::respond(problem)),
        };
        // A request's id may be the client's word, and two requests with one id hold two places.
        let holder = set.concurrency.as_ref().map(|_| RandomState::new().hash_one(0));
        if holder.is_some() {
            // The client may leave while the store is asked, and then nothing after this is done. A place that was not taken
            // after all may be given back.
            let open = Some(Open::new(&key, holder));
            ctx.set(&NOTED, &Noted { set: index, plan: plan.clone(), standing: Vec::new(), open })?;
        }
        let taken = match store::take(&set.takes(&key, cost, holder)) {
            Ok(taken) => taken,
            // It may have taken all the same: the note stays.
            Err(error) if error.code() == Some(Code::Unavailable) => return Ok(self.without_store()),
            Err(error) => {
                ctx.remove(&NOTED)?;
                return Err(error);
            }
        };
        if taken.iter().any(|taken| !taken.allowed) {
            if holder.is_some() {
                ctx.remove(&NOTED)?;
            }
            if self.0.shadow {
                for policy in set.violated(&taken) {
                    let (name, rule) = (&policy.name, policy.rule());
                    tell_shadow(name, format_args!("a request over the limit `{name}` ({rule})"));
                }
                return Ok(Verdict::Continue);
            }
            return Ok(Verdict::respond(fields::refusal(set, &taken, self.0.status, self.0.told)));
        }
        if self.0.told.is_some() || self.0.settle.is_some() {
            let open = self.remembers().then(|| Open::new(&key, holder).charged(cost, &taken));
            let standing = self.0.told.map(|_| fields::standing(&taken)).unwrap_or_default();
            ctx.set(&NOTED, &Noted { set: index, plan, standing, open })?;
        }
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let units = self.0.settle.as_ref().map(|settle| settle.units(response)).transpose()?.flatten();
        // A refusal of this step's own has told and taken what it had to, and so has one in the shadow.
        let Some(mut noted) = ctx.get(&NOTED)? else { return Ok(Verdict::Continue) };
        let set = &*self.set(noted.set, &noted.plan)?;
        if let Some(told) = self.0.told.filter(|_| !noted.standing.is_empty()) {
            let mut headers = response.headers_mut();
            for field in fields::tell(set, &noted.standing, told) {
                // Another limit of the chain may have told its own; the older fields have room for one alone.
                if field.is_list {
                    headers.append(field.name, &*field.value)?;
                } else {
                    headers.set(field.name, &*field.value)?;
                }
            }
        }
        if let (Some(units), Some(open)) = (units, &mut noted.open) {
            // More is taken at once. Less is given back in the end, when it is known how much still counts. If
            // the store cannot now, it may then: the response does not suffer from it.
            let more = set.more(open, units);
            if more.is_empty() || store::take(&more).is_err() {
                open.units = Some(units);
                ctx.set(&NOTED, &noted)?;
            }
        }
        Ok(Verdict::Continue)
    }

    fn on_complete(&self, outcome: &Outcome, ctx: &mut Context) -> Result<()> {
        let Some(Noted { set, plan, open: Some(open), .. }) = ctx.get(&NOTED)? else { return Ok(()) };
        let takes = self.set(set, &plan)?.settled(&open, outcome);
        if takes.is_empty() {
            return Ok(());
        }
        match store::take(&takes) {
            // It was tried, and that the server is away is no fault of this step's.
            Err(error) if error.code() != Some(Code::Unavailable) => Err(error),
            _ => Ok(()),
        }
    }
}

impl RateLimit {
    /// Whether something is left to do once the exchange has ended.
    fn remembers(&self) -> bool {
        self.0.settle.is_some() || self.0.sets.iter().any(|set| set.concurrency.is_some())
    }

    /// Those of the consumer's plan, else those of the first of its groups that has its own, else those of everybody.
    fn choose(&self, ctx: &Context) -> (usize, Rules) {
        if self.0.groups.is_empty() && self.0.plans.is_none() {
            return (0, Rules::new());
        }
        let Some(consumer) = ctx.consumer() else { return (0, Rules::new()) };
        let plan = self.0.plans.as_ref().map(|_| Plans::rules(&consumer.limits)).unwrap_or_default();
        let index = consumer.groups.iter().find_map(|group| self.0.groups.get(group).copied());
        (index.unwrap_or(0), plan)
    }

    fn set(&self, index: usize, plan: &Rules) -> Result<Rc<Set>> {
        match &self.0.plans {
            Some(plans) if !plan.is_empty() => plans.set(plan),
            _ => self.0.sets.get(index).map(Rc::clone).context("the limits of a request are not known"),
        }
    }

    fn without_store(&self) -> Verdict {
        if self.0.shadow {
            return Verdict::Continue;
        }
        let problem = Problem::unavailable("requests cannot be counted at the moment")
            .kind("rate-limit-unavailable")
            .header("retry-after", "1");
        Verdict::respond(problem)
    }
}

/// The log has room for the first of those that would be refused, and for one now and then.
fn tell_shadow(reason: &str, who: std::fmt::Arguments<'_>) {
    let known = store::add(format!("shadow {reason}"), 1, Some(SHADOW_LINE_EVERY));
    if known.is_ok_and(|count| count == 1) {
        info!("shadow: {who} is let through; the next line of this kind comes in 10 s at the earliest");
    }
}
