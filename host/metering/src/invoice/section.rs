//! A plan's section: fees, charges, minimum and credit.

use rust_decimal::Decimal;

use super::calendar::Calendar;
use super::credit::credit;
use super::fees::{fees, prorated};
use super::{Detail, Input, InvoiceError, Kind, Line, Note, Section};
use crate::meter::Aggregation;
use crate::money::{Money, quantity, round};
use crate::plan::{Charge, Plan, Price};
use crate::rating::{self, Part, RatingError, Step, free_until};

/// What a plan costs in the month; without lines and notes if there is nothing to say.
pub(super) fn section(input: &Input<'_>, calendar: &Calendar, plan: &Plan) -> Result<Section, InvoiceError> {
    let mut notes = trials(input, plan);
    let compacted = input.compacted.iter().filter(|(name, _)| *name == plan.name);
    notes.extend(compacted.map(|(_, day)| Note::Compacted { day: *day }));
    let mut lines = fees(input, calendar, plan)?;
    let days = (calendar.paid(&plan.name, input.subscriptions), calendar.length());
    let used = input.usage.iter().any(|it| it.plan == plan.name);
    let mut charges = Vec::new();
    // Nothing used of what is offered is worth a line; what was not yet offered is not.
    for charge in plan.charges.iter().filter(|_| used || days.0 > 0) {
        charges.push(line(input, plan, charge, &mut notes)?);
    }
    let minimum = minimum(plan, &charges, days)?;
    let (credit, said) = credit(input, plan, &charges)?;
    notes.extend(said);
    lines.extend(charges);
    lines.extend(minimum);
    lines.extend(credit);
    // The parts of the sum are bounded by the sum of their sizes.
    let room = lines.iter().try_fold(Decimal::ZERO, |sum, line| sum.checked_add(line.amount.abs()));
    room.ok_or_else(|| InvoiceError::Overflow { plan: plan.name.clone() })?;
    Ok(Section { plan: plan.name.clone(), currency: plan.currency, lines, notes })
}

/// The trials that are in force in some of the month.
fn trials(input: &Input<'_>, plan: &Plan) -> Vec<Note> {
    let of = |it: &super::Subscribed| {
        let until = free_until(plan, it.from)?;
        let here = it.from < input.period.end() && it.to.is_none_or(|to| to > input.period.start);
        (here && until > input.period.start).then_some(Note::Trial { until })
    };
    input.subscriptions.iter().filter(|it| it.plan == plan.name).filter_map(of).collect()
}

fn line(
    input: &Input<'_>,
    plan: &Plan,
    charge: &Charge,
    notes: &mut Vec<Note>,
) -> Result<Line, InvoiceError> {
    let failed = |error| InvoiceError::Rating { plan: plan.name.clone(), charge: charge.name.clone(), error };
    let used = used(input, plan, charge, notes).map_err(failed)?;
    let exact = rating::total(charge, used).map_err(failed)?;
    let parts = rating::lines(charge, used).map_err(failed)?;
    // One price for all needs no explanation.
    let plain = matches!(&*parts, [Part { step: Step::Units | Step::Flat, .. }]);
    let unit = input.meters.iter().find(|it| it.name == charge.meter).and_then(|it| it.unit.clone());
    let details = parts.iter().filter(|_| !plain).map(|part| detail(charge, unit.as_ref(), part)).collect();
    Ok(Line {
        kind: Kind::Charge,
        description: charge.name.clone(),
        meter: Some(charge.meter.clone()),
        quantity: Some(quantity(used, charge.decimals)),
        unit_price: if let Price::PerUnit { unit } = charge.price { Some(unit.normalize()) } else { None },
        days: None,
        details,
        unit,
        exact: Some(exact),
        amount: round(exact, plan.currency.places(), plan.rounding),
    })
}

/// What was used of a charge, put together as its meter does.
fn used(input: &Input<'_>, plan: &Plan, charge: &Charge, notes: &mut Vec<Note>) -> Result<i64, RatingError> {
    let rows = || input.usage.iter().filter(|it| it.plan == plan.name && it.meter == charge.meter);
    if charge.aggregation == Aggregation::Unique && rows().filter(|it| it.quantity != 0).count() > 1 {
        notes.push(Note::CountedApart { meter: charge.meter.clone() });
    }
    let mut quantities = rows().map(|it| it.quantity);
    Ok(match charge.aggregation {
        Aggregation::Count | Aggregation::Sum => {
            quantities.try_fold(0, i64::checked_add).ok_or(RatingError::Overflow)?
        }
        Aggregation::Max | Aggregation::Unique => quantities.max().unwrap_or(0),
        Aggregation::Latest => quantities.next_back().unwrap_or(0),
    })
}

fn detail(charge: &Charge, unit: Option<&String>, part: &Part) -> Detail {
    let units = |smallest| quantity(smallest, charge.decimals);
    let range = |after, up_to: Option<i64>| match up_to {
        Some(up_to) => format!("above {} to {}", units(after), units(up_to)),
        None => format!("above {}", units(after)),
    };
    let (description, quantity) = match part.step {
        Step::Included => ("included".to_owned(), Some(units(part.quantity))),
        Step::Flat => ("flat".to_owned(), None),
        Step::Units => ("beyond".to_owned(), Some(units(part.quantity))),
        Step::Tier { after, up_to } => (range(after, up_to), Some(units(part.quantity))),
        Step::TierFlat { after, up_to } => (format!("{}, once", range(after, up_to)), None),
        Step::Volume { after, up_to } => {
            (format!("all, {}", range(after, up_to)), Some(units(part.quantity)))
        }
        Step::Packages { count, size } => {
            (format!("packages of {}", units(size)), Some(Decimal::from(count)))
        }
    };
    let unit =
        if matches!(part.step, Step::Packages { .. }) { Some("package".to_owned()) } else { unit.cloned() };
    let unit = unit.filter(|_| quantity.is_some());
    Detail { description, quantity, unit, price: part.price, amount: part.amount }
}

/// What the charges lack to the minimum of the paid days.
fn minimum(plan: &Plan, charges: &[Line], days: (u32, u32)) -> Result<Option<Line>, InvoiceError> {
    let Some(minimum) = plan.minimum.filter(|_| days.0 > 0) else {
        return Ok(None);
    };
    let due = prorated(plan, minimum, days)?;
    let overflow = || InvoiceError::Overflow { plan: plan.name.clone() };
    let add = |sum: Decimal, it: &Line| sum.checked_add(it.amount);
    let charged = charges.iter().try_fold(Decimal::ZERO, add).ok_or_else(overflow)?;
    if charged >= due {
        return Ok(None);
    }
    let part = if days.0 < days.1 { format!(" for {} of {} days", days.0, days.1) } else { String::new() };
    let money = |amount| Money::new(amount, plan.currency);
    let amount = (due - charged).normalize();
    Ok(Some(Line {
        kind: Kind::Minimum,
        description: format!("Minimum{part}: {}, less charges of {}", money(due), money(charged)),
        meter: None,
        quantity: None,
        unit: None,
        unit_price: None,
        days: (days.0 < days.1).then_some(days),
        details: Vec::new(),
        exact: Some(amount),
        amount,
    }))
}
