//! What credit pays of a section's charges.

use rust_decimal::Decimal;

use super::{Input, InvoiceError, Kind, Line, Note};
use crate::money::{from_nanos, round};
use crate::plan::Plan;

/// The line that takes off what was paid ahead, and what is to be said of it. `charges`: the lines of the charges.
///
/// Draws are exact and lines are rounded, so what remains is worked out exactly and rounded once: charges that were covered to the last
/// nano leave nothing due, however their lines were rounded. If nothing was drawn, there is no such line, and the charges are due as
/// they stand.
pub(super) fn credit(
    input: &Input<'_>,
    plan: &Plan,
    charges: &[Line],
) -> Result<(Option<Line>, Vec<Note>), InvoiceError> {
    let overflow = || InvoiceError::Overflow { plan: plan.name.clone() };
    let add = |sum: Option<Decimal>, it: Decimal| sum.and_then(|sum| sum.checked_add(it));
    let rows = input.drawn.iter().filter(|it| it.plan == plan.name);
    let drawn = rows.map(|it| from_nanos(it.amount)).fold(Some(Decimal::ZERO), add).ok_or_else(overflow)?;
    if plan.prepaid.is_none() && drawn.is_zero() {
        return Ok((None, Vec::new()));
    }
    let exact =
        charges.iter().filter_map(|it| it.exact).fold(Some(Decimal::ZERO), add).ok_or_else(overflow)?;
    let rounded = charges.iter().map(|it| it.amount).fold(Some(Decimal::ZERO), add).ok_or_else(overflow)?;
    let left = exact.checked_sub(drawn).ok_or_else(overflow)?;
    let left = round(left, plan.currency.places(), plan.rounding);
    let due = if drawn.is_zero() { rounded } else { left.clamp(Decimal::ZERO, rounded) };

    let mut notes = Vec::new();
    if due > Decimal::ZERO {
        notes.push(Note::Uncovered { amount: due, currency: plan.currency });
    } else if left < Decimal::ZERO {
        notes.push(Note::Overdrawn { amount: -left, currency: plan.currency });
    }
    let amount = (due - rounded).normalize();
    let line = Line {
        kind: Kind::Credit,
        description: "Paid by credit".to_owned(),
        meter: None,
        quantity: None,
        unit: None,
        unit_price: None,
        days: None,
        details: Vec::new(),
        exact: Some(-drawn).map(|it| it.normalize()),
        amount,
    };
    Ok(((!amount.is_zero()).then_some(line), notes))
}
