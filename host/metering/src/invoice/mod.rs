//! Invoices: what a consumer owes for a calendar month (UTC), line by line.
//!
//! # How it comes about
//! - There is a section for each plan that the consumer was on. Its lines are fees, charges, what lacks to the minimum, and credit.
//! - **Rounding**: every line is rounded once, by the plan's rounding, to the currency's places. Totals are sums of rounded lines.
//! - **Days** are UTC days. A day belongs to the plan in force at its end, so to one plan at most. A subscription that begins and
//!   ends within a day has none. A day at whose end a trial lasts is free. A trial belongs to a subscription: who comes back to a plan
//!   later has a trial again.
//! - **Fees** of a month: `amount × paid days / days of the month`; without `prorate`, whole if there is one paid day. Fees of a year
//!   are due whole, on the day on which the subscription is first paid for (it begins, or its trial ends) and on each anniversary, as
//!   long as the day belongs to the plan; of a subscription paid for since 29 February, on the 28th in other years. Nothing of it is
//!   given back.
//! - **Charges** are of the month's usage under this plan, outside of trials; included units, flat amounts and tiers are those of a
//!   whole month, however many days the plan lasted.
//! - **Minimum**: prorated as a fee is; what the charges lack to it is a line of its own.
//! - **Credit**: charges of a prepaid plan are listed and paid by what was drawn for them. What credit did not cover is due; the ledger
//!   keeps it as a debt, so whoever settles the invoice books the payment as a top-up (its id: the invoice's), and nobody pays twice.
//! - **Currencies**: sections of other currencies have other totals; nothing is converted.
//! - What is not on any line (a plan or charge that is no longer configured) is listed apart, so nothing is lost unseen.

mod calendar;
mod credit;
mod fees;
mod notes;
mod render;
mod section;
mod unrated;

#[cfg(test)]
mod case;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rust_decimal::Decimal;

pub use self::calendar::spans;
pub use self::notes::Note;
pub use self::unrated::{Counted, Unrated, Why};
use crate::Nanos;
use crate::meter::Meter;
use crate::money::Money;
use crate::period::{Every, Period};
use crate::plan::{Currency, Plan};
use crate::rating::RatingError;
use calendar::Calendar;

/// What an invoice is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Whose.
    pub consumer: &'a str,
    /// Of which calendar month.
    pub period: Period,
    /// Whether that is over is seen by this.
    pub now: Timestamp,
    /// All that are configured.
    pub plans: &'a [&'a Plan],
    /// All that are configured: for units and decimals.
    pub meters: &'a [&'a Meter],
    /// At least those that overlap the month, in the order in which they began.
    pub subscriptions: &'a [Subscribed],
    /// The month's, a row for each plan and meter. Of a plan of which [`spans`] is not the whole month, only what lies in these: a row
    /// for each span, in their order. Rows of one plan and meter are put together as the meter does.
    pub usage: &'a [Usage],
    /// What credit paid of the month's charges.
    pub drawn: &'a [Drawn],
    /// Plans, and days (midnight, UTC) on which one of their [`spans`] begins or ends, if of a day only the whole is kept: no usage of it
    /// is here.
    pub compacted: &'a [(Arc<str>, Timestamp)],
}

/// For how long a consumer was on a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Its name.
    pub plan: Arc<str>,
    /// When it began, even if long before the month: the trial and the year are counted from here.
    pub from: Timestamp,
    /// The first moment that is no longer in it; `None` while it lasts.
    pub to: Option<Timestamp>,
}

/// How much of a meter was used under a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The plan's name; empty if the consumer had none.
    pub plan: Arc<str>,
    /// The meter's name.
    pub meter: Arc<str>,
    /// In smallest units.
    pub quantity: i64,
}

/// What was drawn from credit for a plan's charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The plan's name.
    pub plan: Arc<str>,
    /// Without what became a debt.
    pub amount: Nanos,
}

/// What a consumer owes for a month.
#[derive(Clone, Debug, PartialEq)]
pub struct Invoice {
    /// Whose.
    pub consumer: String,
    /// Of which calendar month.
    pub period: Period,
    /// The month is not over: usage may grow, and fees assume that the last plan stays.
    pub preview: bool,
    /// In the order in which the plans came into force.
    pub sections: Vec<Section>,
    /// What is not on any line.
    pub unrated: Vec<Unrated>,
    /// What is due, by currency.
    pub totals: Vec<Money>,
}

/// What a plan costs in the month.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// The plan's name.
    pub plan: Arc<str>,
    /// Of all amounts.
    pub currency: Currency,
    /// Fees, charges, minimum, credit; in the order of the configuration.
    pub lines: Vec<Line>,
    /// What a reader may want to know.
    pub notes: Vec<Note>,
}

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Paid whatever is used.
    Fee,
    /// Paid for what was used.
    Charge,
    /// What the charges lack to the minimum.
    Minimum,
    /// Paid ahead: negative.
    Credit,
}

impl Kind {
    /// A word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fee => "fee",
            Self::Charge => "charge",
            Self::Minimum => "minimum",
            Self::Credit => "credit",
        }
    }
}

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What for.
    pub kind: Kind,
    /// In words.
    pub description: String,
    /// Of a charge.
    pub meter: Option<Arc<str>>,
    /// Of a charge: how much, in units.
    pub quantity: Option<Decimal>,
    /// Of a charge: what one is called.
    pub unit: Option<String>,
    /// Of a charge by unit.
    pub unit_price: Option<Decimal>,
    /// Of what is prorated: the days paid, and those of the month.
    pub days: Option<(u32, u32)>,
    /// How a charge comes about, if not by one price.
    pub details: Vec<Detail>,
    /// Before it is rounded; `None` if no decimal number is it exactly (a third).
    pub exact: Option<Decimal>,
    /// What is to be paid, in whole smallest units of the currency.
    pub amount: Decimal,
}

/// A step of how a charge comes about.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// In words.
    pub description: String,
    /// In units; of packages, how many; `None` of a flat amount.
    pub quantity: Option<Decimal>,
    /// What one is called.
    pub unit: Option<String>,
    /// Of one.
    pub price: Decimal,
    /// Exact.
    pub amount: Decimal,
}

/// Why there is no invoice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceError {
    /// Invoices are of calendar months.
    #[error("an invoice is of a calendar month")]
    Period,
    /// A charge has no amount.
    #[error("plan `{plan}`, charge `{charge}`: {error}")]
    Rating {
        /// The plan's name.
        plan: Arc<str>,
        /// The charge's.
        charge: String,
        /// Why.
        error: RatingError,
    },
    /// A sum has more digits than there is room for.
    #[error("plan `{plan}`: the amounts are too great")]
    Overflow {
        /// The plan's name.
        plan: Arc<str>,
    },
}

impl Invoice {
    /// Whether every usage could be rated: no plan was missing, and all hours that mattered were kept.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_compacted = |it: &Note| matches!(it, Note::Compacted { .. });
        self.unrated.iter().all(|it| it.why != Why::UnknownPlan)
            && !self.sections.iter().any(|section| section.notes.iter().any(is_compacted))
    }
}

impl Section {
    /// What fees, charges and minimum come to.
    #[must_use]
    pub fn subtotal(&self) -> Decimal {
        self.sum(|kind| kind != Kind::Credit)
    }

    /// What is due.
    #[must_use]
    pub fn total(&self) -> Decimal {
        self.sum(|_| true)
    }

    fn sum(&self, of: impl Fn(Kind) -> bool) -> Decimal {
        // That there is room for all of them was seen when the section was made.
        self.lines.iter().filter(|line| of(line.kind)).map(|line| line.amount).sum::<Decimal>().normalize()
    }
}

/// What a consumer owes for a month. See the module for how.
///
/// # Errors
/// A period that is no month, and amounts that cannot be exact: then there is no invoice rather than a wrong one.
pub fn invoice(input: &Input<'_>) -> Result<Invoice, InvoiceError> {
    if input.period.every != Every::Month {
        return Err(InvoiceError::Period);
    }
    let calendar = Calendar::new(input);
    let mut sections = Vec::new();
    for plan in order(input, &calendar) {
        let section = section::section(input, &calendar, plan)?;
        sections.extend((!section.lines.is_empty() || !section.notes.is_empty()).then_some(section));
    }
    Ok(Invoice {
        consumer: input.consumer.to_owned(),
        period: input.period,
        preview: input.now < input.period.end(),
        totals: totals(&sections)?,
        sections,
        unrated: unrated::unrated(input, &calendar),
    })
}

/// The configured plans that something is to be said of: those with days, as these came, then those with usage or credit only.
fn order<'a>(input: &Input<'a>, calendar: &Calendar) -> Vec<&'a Plan> {
    let subscribed = calendar.in_force().map(|index| &input.subscriptions[index].plan);
    let used = input.usage.iter().map(|it| &it.plan);
    let names = subscribed.chain(used).chain(input.drawn.iter().map(|it| &it.plan));
    let mut plans: Vec<&Plan> = Vec::new();
    for name in names {
        let plan = input.plans.iter().find(|plan| plan.name == *name);
        plans.extend(plan.filter(|plan| plans.iter().all(|it| it.name != plan.name)));
    }
    plans
}

fn totals(sections: &[Section]) -> Result<Vec<Money>, InvoiceError> {
    let mut totals: BTreeMap<Currency, Decimal> = BTreeMap::new();
    for section in sections {
        let total = totals.entry(section.currency).or_default();
        let overflow = || InvoiceError::Overflow { plan: section.plan.clone() };
        *total = total.checked_add(section.total()).ok_or_else(overflow)?;
    }
    Ok(totals.into_iter().map(|(currency, amount)| Money::new(amount.normalize(), currency)).collect())
}
