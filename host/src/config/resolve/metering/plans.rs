//! Plans.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use sluice_metering::plan::{Currency, Plan, Prepaid, RateLimit, Rounding};

use super::super::at::At;
use super::super::{Entry, Input, Names, Resolver};
use super::Meters;
use super::charges::Terms;
use super::check::fits_nanos;
use crate::config::raw::{RawPlan, RawRounding};

const MOST: usize = 10_000;
const DAY: u64 = 24 * 3600;
const LONG: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_650 * DAY);
const WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * DAY);

impl Resolver<'_> {
    pub(in crate::config::resolve) fn plans(
        &mut self,
        inputs: &[Input<'_>],
        meters: &Meters,
    ) -> (BTreeMap<Arc<str>, Arc<Plan>>, Names) {
        let mut plans = BTreeMap::new();
        let mut names = Names::new();
        let entries = self.named(inputs, "plans", |raw| &raw.plans);
        self.at_most(MOST, "plans", &entries);
        for entry in entries {
            names.extend(entry.at.head().map(|place| (Arc::clone(&entry.name), place)));
            let (plan, doubtful) = self.doubted(&entry.at, |resolver| resolver.plan(&entry, meters));
            let Some((plan, terms)) = plan else { continue };
            if !doubtful {
                self.check_plan(&entry.at, &terms, &plan);
            }
            plans.insert(entry.name, Arc::new(plan));
        }
        (plans, names)
    }

    fn plan<'d, 'a>(
        &mut self,
        entry: &'a Entry<'d, RawPlan>,
        meters: &'a Meters,
    ) -> Option<(Plan, Terms<'d, 'a>)> {
        let (at, raw) = (&entry.at, entry.raw?);
        let rounding = match self.given(&at.key("rounding"), &raw.rounding) {
            Some(RawRounding::HalfEven) => Rounding::HalfEven,
            Some(RawRounding::HalfUp) | None => Rounding::HalfUp,
        };
        let prepaid_at = at.key("prepaid");
        let mut terms = Terms::new(&entry.name, prepaid_at.is_written().then(|| prepaid_at.clone()), meters);
        for (at, raw) in self.list(&at.key("charges"), &raw.charges) {
            self.term(&at, raw, &mut terms);
        }
        self.check_quotas(&terms);
        let minimum_at = at.key("minimum");
        let minimum = self.amount(&minimum_at, &raw.minimum);
        if minimum.is_some() {
            terms.note_price(&minimum_at);
        }
        let prepaid = self.prepaid(&prepaid_at, raw);
        if prepaid.is_some() {
            terms.note_price(&prepaid_at);
        }
        let currency = self.currency(at, raw, &terms);
        let trial = self.some_duration(at, "trial", &raw.trial, LONG);
        let limits = self.plan_limits(&at.key("limits"), raw);
        let exhausted =
            self.number(at, "exhausted", &raw.exhausted, if prepaid.is_some() { 402 } else { 429 });
        let plan = Plan {
            name: Arc::clone(&entry.name),
            currency,
            rounding,
            fees: terms.fees.iter().map(|(_, fee)| fee.clone()).collect(),
            charges: terms.charges.iter().map(|(_, charge)| charge.clone()).collect(),
            quotas: terms.quotas.iter().map(|noted| noted.quota.clone()).collect(),
            minimum,
            trial,
            prepaid,
            limits,
            exhausted,
        };
        Some((plan, terms))
    }

    /// The currency; any where there is no price, for then nobody asks for it.
    fn currency(&mut self, at: &At<'_>, raw: &RawPlan, terms: &Terms<'_, '_>) -> Currency {
        let currency_at = at.key("currency");
        let none = || Currency::new("EUR").expect("a currency of ISO 4217");
        let Some(code) = self.given(&currency_at, &raw.currency) else {
            if let Some(price) = &terms.price
                && !currency_at.is_written()
                && !self.is_lost(&currency_at)
            {
                let hint = format!("add `currency = \"EUR\"` to `{}`", at.path());
                self.problems.push(price.problem("a price needs a currency").hint(hint));
            }
            return none();
        };
        Currency::new(code).unwrap_or_else(|| {
            let expected = "a currency of ISO 4217 such as \"EUR\"";
            let upper = code.to_ascii_uppercase();
            let meant = Currency::new(&upper).filter(|_| upper != *code);
            let hint = meant.map(|meant| format!("write \"{}\"", meant.code()));
            let message = format!("expected {expected}, found {}", currency_at.written());
            self.invalid(&currency_at, expected, &message, hint);
            none()
        })
    }

    fn prepaid(&mut self, at: &At<'_>, raw: &RawPlan) -> Option<Prepaid> {
        let raw = self.given(at, &raw.prepaid)?;
        let (grant_at, expires_at) = (at.key("grant"), at.key("expires"));
        let grant = self.amount(&grant_at, &raw.grant);
        if grant.is_some_and(|grant| !fits_nanos(grant)) {
            let expected = "at most 9223372036, with up to 9 decimal places";
            let message = format!("expected {expected}, found {}", grant_at.written());
            self.invalid(&grant_at, expected, &message, Some("credit is kept in billionths".to_owned()));
        }
        let expires = self.some_duration(at, "expires", &raw.expires, LONG);
        if expires.is_some() && !grant_at.is_written() && !self.is_lost(&grant_at) {
            let message = "there is no `grant` that could expire";
            let hint = "add `grant = \"5.00\"`; what is paid in expires as `sluice credit` is told";
            self.problems.push(expires_at.problem(message).hint(hint));
        }
        Some(Prepaid { grant, expires })
    }

    fn plan_limits(&mut self, at: &At<'_>, raw: &RawPlan) -> Vec<RateLimit> {
        let mut limits: Vec<RateLimit> = Vec::new();
        for (at, raw) in self.list(at, &raw.limits) {
            let window_at = at.key("w");
            let quota = self.number(&at, "q", &raw.q, 0_u64);
            let Some(window) = self.some_duration(&at, "w", &raw.w, WINDOW) else { continue };
            if limits.iter().any(|limit| limit.window == window) {
                self.problems.push(window_at.problem("there is a limit for this time already"));
            }
            limits.push(RateLimit { quota, window });
        }
        limits
    }
}
