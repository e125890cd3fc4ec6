//! What a plan as a whole has to hold, once each of its parts is in order.

use sluice_metering::Decimal;
use sluice_metering::plan::{Charge, Plan, Price};

use super::super::Resolver;
use super::charges::Terms;

impl Resolver<'_> {
    /// The one place for what rating asks of a plan. `terms` knows where its fees, charges and quotas were written, in the
    /// plan's own order.
    pub(super) fn check_plan(&mut self, terms: &Terms<'_, '_>, plan: &Plan) {
        if plan.prepaid.is_none() {
            return;
        }
        for (at, charge) in &terms.charges {
            if let Some(key) = too_fine(charge) {
                let message =
                    "credit is kept in billionths, and the smallest unit of this meter would cost less";
                let hint = "a price and its meter have up to 9 decimal places together";
                self.problems.push(at.key(key).problem(message).hint(hint));
            }
        }
    }
}

/// The key of a price that is finer than credit.
fn too_fine(charge: &Charge) -> Option<&'static str> {
    let places = |price: Decimal, decimals: u8| price.normalize().scale() + u32::from(decimals) > 9;
    let tiers = match &charge.price {
        Price::Flat { amount } => return places(*amount, 0).then_some("price"),
        Price::PerUnit { unit } => return places(*unit, charge.decimals).then_some("unit"),
        Price::Package { price, .. } => return places(*price, 0).then_some("price"),
        Price::Graduated { tiers } | Price::Volume { tiers } => tiers,
    };
    let fine = tiers.iter().any(|tier| places(tier.unit, charge.decimals) || places(tier.flat, 0));
    fine.then_some("tiers")
}

/// Whether credit of this amount can be kept exactly.
pub(super) fn fits_nanos(amount: Decimal) -> bool {
    let nanos = amount.checked_mul(Decimal::from(1_000_000_000_i64));
    nanos.is_some_and(|nanos| nanos.is_integer() && i64::try_from(nanos).is_ok())
}
