//! How much may be used.

use std::sync::Arc;

use sluice_metering::meter::Meter;
use sluice_metering::period::Every;
use sluice_metering::plan::Quota;

use super::super::Resolver;
use super::super::at::At;
use super::charges::Terms;
use crate::config::field::{Field, QuantityText};
use crate::config::raw::{RawCharge, RawPeriod};

/// A quota and where it was written.
pub(super) struct NotedQuota<'d> {
    pub(super) at: At<'d>,
    pub(super) quota: Quota,
}

impl Resolver<'_> {
    /// The quotas of a charge; whether any were written.
    pub(super) fn quotas<'d>(
        &mut self,
        at: &At<'d>,
        raw: &RawCharge,
        meter: Option<&Meter>,
        terms: &mut Terms<'d, '_>,
    ) -> bool {
        let per_at = at.key("per");
        let per = match self.given(&per_at, &raw.per) {
            Some(RawPeriod::Hour) => Every::Hour,
            Some(RawPeriod::Day) => Every::Day,
            Some(RawPeriod::Month) | None => Every::Month,
            Some(RawPeriod::Year) => Every::Year,
        };
        let (hard_at, soft_at) = (at.key("hard_quota"), at.key("soft_quota"));
        let written = hard_at.is_written() || soft_at.is_written();
        if per_at.is_written() && !written && !self.is_lost(&hard_at) {
            let message = "`per` is the time of a quota, and there is none";
            self.problems.push(per_at.problem(message).hint("add `hard_quota` or `soft_quota`"));
        }
        // Without knowing in what time it counts, nothing can be said of it.
        let Some(meter) = meter.filter(|_| !matches!(raw.per, Field::Broken)) else { return written };
        self.quota(hard_at, &raw.hard_quota, (meter, per, true), terms);
        self.quota(soft_at, &raw.soft_quota, (meter, per, false), terms);
        written
    }

    fn quota<'d>(
        &mut self,
        at: At<'d>,
        raw: &Field<QuantityText>,
        (meter, per, hard): (&Meter, Every, bool),
        terms: &mut Terms<'d, '_>,
    ) {
        let Some(limit) = self.quantity(&at, raw, meter.decimals) else { return };
        if !meter.aggregation.adds_up() {
            let kind = meter.aggregation.name();
            let message =
                format!("there are no quotas of a meter of `{kind}`: only what adds up can be used up");
            self.problems.push(at.problem(message));
            return;
        }
        // A quota of nothing is a way to keep everybody of the plan out.
        if hard && limit > 0 && meter.reserve > limit {
            let message = format!("no request would ever pass: `{}` reserves more than this", meter.name);
            let mut problem = at.problem(message);
            if let Some(place) = terms.meters.reserves.get(&meter.name) {
                problem = problem.related(place.clone(), "this much for each request");
            }
            self.problems.push(problem);
        }
        let quota = Quota { meter: Arc::clone(&meter.name), limit, per, hard };
        let same = |noted: &&NotedQuota<'_>| {
            noted.quota.meter == quota.meter && noted.quota.per == per && noted.quota.hard == hard
        };
        if let Some(first) = terms.quotas.iter().find(same) {
            let kind = if hard { "hard" } else { "soft" };
            let message = format!("`{}` has a {kind} quota per {} already", meter.name, per.name());
            let mut problem = at.problem(message);
            if let Some(place) = first.at.place() {
                problem = problem.related(place, "the first one");
            }
            self.problems.push(problem);
            return;
        }
        terms.quotas.push(NotedQuota { at, quota });
    }

    /// What one quota says of another.
    pub(super) fn check_quotas(&mut self, terms: &Terms<'_, '_>) {
        for soft in terms.quotas.iter().filter(|noted| !noted.quota.hard) {
            let hard = terms.quotas.iter().find(|noted| {
                noted.quota.hard && noted.quota.meter == soft.quota.meter && noted.quota.per == soft.quota.per
            });
            let Some(hard) = hard.filter(|hard| hard.quota.limit < soft.quota.limit) else { continue };
            let mut problem = soft.at.problem("the hard quota denies before this one is reached");
            if let Some(place) = hard.at.place() {
                problem = problem.related(place, "the hard quota");
            }
            self.problems.push(problem);
        }
    }
}
