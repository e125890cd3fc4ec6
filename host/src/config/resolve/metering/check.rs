//! What a plan as a whole has to hold, once each of its parts is in order.

use sluice_metering::Decimal;
use sluice_metering::plan::Plan;

use super::super::Resolver;
use super::super::at::At;

impl Resolver<'_> {
    /// The one place where what rating asks of a plan belongs: its typed problems, with the places of what they name.
    pub(super) fn check_plan(&mut self, at: &At<'_>, plan: &Plan) {
        let grant = plan.prepaid.as_ref().and_then(|prepaid| prepaid.grant);
        if let Some(grant) = grant
            && !fits_nanos(grant)
        {
            let at = at.key("prepaid").key("grant");
            let expected = "at most 9223372036, with up to 9 decimal places";
            let message = format!("expected {expected}, found {}", at.written());
            self.invalid(&at, expected, &message, Some("credit is kept in billionths".to_owned()));
        }
    }
}

/// Whether credit can be kept exactly.
fn fits_nanos(amount: Decimal) -> bool {
    let nanos = amount.checked_mul(Decimal::from(1_000_000_000_i64));
    nanos.is_some_and(|nanos| nanos.is_integer() && i64::try_from(nanos).is_ok())
}
