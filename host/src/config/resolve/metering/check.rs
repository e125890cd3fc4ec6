//! What rating asks of a plan, once each of its parts is in order: that amounts can be exact.

use sluice_metering::Decimal;
use sluice_metering::plan::Plan;
use sluice_metering::rating::{ChargeField, FeeField, Place, PlanProblem, Reason};

use super::super::Resolver;
use super::super::at::At;
use super::charges::Terms;

impl Resolver<'_> {
    /// Reports what keeps a plan from being rated, where it was written. `terms` has fees, charges and quotas in the plan's order.
    pub(super) fn check_plan(&mut self, at: &At<'_>, terms: &Terms<'_, '_>, plan: &Plan) {
        for PlanProblem { place, reason } in plan.check() {
            let Some((at, key)) = place_of(at, terms, place) else { continue };
            let message =
                if tells_of_its_key(reason) { format!("`{key}` {reason}") } else { reason.to_string() };
            self.problems.push(at.problem(message));
        }
    }
}

/// Where a piece of a plan was written, and its key.
fn place_of<'d>(plan: &At<'d>, terms: &Terms<'d, '_>, place: Place) -> Option<(At<'d>, &'static str)> {
    let (table, key) = match place {
        Place::Fee(index, field) => {
            let key = match field {
                FeeField::Amount => "fee",
                FeeField::Every => "every",
            };
            (terms.fees.get(index)?.0.clone(), key)
        }
        Place::Charge(index, field) => {
            let charge = &terms.charges.get(index)?.0;
            match field {
                ChargeField::Meter => (charge.clone(), "meter"),
                ChargeField::Model => (charge.clone(), "model"),
                ChargeField::Included => (charge.clone(), "included"),
                ChargeField::Amount | ChargeField::Price => (charge.clone(), "price"),
                ChargeField::Unit => (charge.clone(), "unit"),
                ChargeField::Size => (charge.clone(), "size"),
                ChargeField::Tiers => (charge.clone(), "tiers"),
                ChargeField::TierUpTo(tier) => (charge.key("tiers").index(tier), "up_to"),
                ChargeField::TierUnit(tier) => (charge.key("tiers").index(tier), "unit"),
                ChargeField::TierFlat(tier) => (charge.key("tiers").index(tier), "flat"),
            }
        }
        Place::Quota(index) => {
            let noted = terms.quotas.get(index)?;
            return Some((noted.at.clone(), if noted.quota.hard { "hard_quota" } else { "soft_quota" }));
        }
        Place::Minimum => (plan.clone(), "minimum"),
        Place::Trial => (plan.clone(), "trial"),
        Place::Grant => (plan.key("prepaid"), "grant"),
        Place::GrantExpires => (plan.key("prepaid"), "expires"),
        Place::Exhausted => (plan.clone(), "exhausted"),
    };
    Some((table.key(key), key))
}

/// Whether a reason goes on where a key has been named.
const fn tells_of_its_key(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Negative
            | Reason::TooFine { .. }
            | Reason::FinerThanCredit { .. }
            | Reason::TooGreat { .. }
            | Reason::NotAscending(_)
            | Reason::Empty
    )
}

/// Whether credit of this amount can be kept exactly.
pub(super) fn fits_nanos(amount: Decimal) -> bool {
    let nanos = amount.checked_mul(Decimal::from(1_000_000_000_i64));
    nanos.is_some_and(|nanos| nanos.is_integer() && i64::try_from(nanos).is_ok())
}
