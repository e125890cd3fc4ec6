//! Fees, and the share of an amount that so many days of a month are.

use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::calendar::Calendar;
use super::{Input, InvoiceError, Kind, Line};
use crate::money::share;
use crate::period::Every;
use crate::plan::{Fee, Plan};
use crate::rating::free_until;

/// The fees of a plan that are due in the month.
pub(super) fn fees(input: &Input<'_>, calendar: &Calendar, plan: &Plan) -> Result<Vec<Line>, InvoiceError> {
    let paid = calendar.paid(&plan.name, input.subscriptions);
    let mut lines = Vec::new();
    for fee in &plan.fees {
        if fee.every == Every::Year {
            for _ in 0..anniversaries(input, calendar, plan) {
                lines.push(whole(plan, fee, format!("{}, one year", fee.name))?);
            }
        } else if paid == calendar.length() || (paid > 0 && !fee.prorate) {
            lines.push(whole(plan, fee, fee.name.clone())?);
        } else if paid > 0 {
            let days = (paid, calendar.length());
            let description = format!("{}, {paid} of {} days", fee.name, days.1);
            lines.push(line(plan, description, fee.amount, days)?);
        }
    }
    Ok(lines)
}

fn whole(plan: &Plan, fee: &Fee, description: String) -> Result<Line, InvoiceError> {
    Ok(Line { days: None, ..line(plan, description, fee.amount, (1, 1))? })
}

fn line(plan: &Plan, description: String, whole: Decimal, days: (u32, u32)) -> Result<Line, InvoiceError> {
    let amount = prorated(plan, whole, days)?;
    Ok(Line {
        kind: Kind::Fee,
        description,
        meter: None,
        quantity: None,
        unit: None,
        unit_price: None,
        days: Some(days),
        details: Vec::new(),
        exact: exactly(whole, days),
        amount,
    })
}

/// So many days' part of a month's amount, rounded once.
pub(super) fn prorated(
    plan: &Plan,
    amount: Decimal,
    (days, of): (u32, u32),
) -> Result<Decimal, InvoiceError> {
    let share = share(amount, days, of, plan.currency.places(), plan.rounding);
    share.ok_or_else(|| InvoiceError::Overflow { plan: plan.name.clone() })
}

/// That part before it is rounded, if a decimal number is it.
pub(super) fn exactly(amount: Decimal, (days, of): (u32, u32)) -> Option<Decimal> {
    let amount = amount.normalize();
    // Months have 28 to 31 days, and no power of ten helps a division by 4 or 5 beyond the second.
    let top = amount.mantissa().checked_mul(days.into())?.checked_mul(100)?;
    let even = top.checked_rem(of.into())? == 0;
    let exact = Decimal::try_from_i128_with_scale(top.checked_div(of.into())?, amount.scale() + 2).ok()?;
    even.then(|| exact.normalize())
}

/// How many of the plan's subscriptions have the day in this month on which a year of them begins, and have it paid for.
fn anniversaries(input: &Input<'_>, calendar: &Calendar, plan: &Plan) -> usize {
    let month = input.period.start.to_zoned(TimeZone::UTC).date();
    let due = |(index, it): (usize, &super::Subscribed)| {
        let first = free_until(plan, it.from).unwrap_or(it.from).to_zoned(TimeZone::UTC).date();
        // Before the first year begins, no day is paid. Of 29 February, the 28th is the last day that other years have.
        it.plan == plan.name
            && first.month() == month.month()
            && calendar.is_paid(first.day().unsigned_abs().into(), index)
    };
    input.subscriptions.iter().enumerate().filter(|it| due(*it)).count()
}
