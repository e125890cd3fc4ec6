//! What is not on any line of an invoice, so that nothing is lost unseen.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::calendar::Calendar;
use super::{Input, Usage};
use crate::Nanos;
use crate::meter::Meter;
use crate::money::quantity;

/// What was used under a plan and costs nothing, or nobody can say what.
#[derive(Clone, Debug, PartialEq)]
pub struct Unrated {
    /// The plan's name; empty if the consumer had none.
    pub plan: Arc<str>,
    /// Why it is not on a line.
    pub why: Why,
    /// Of an unknown plan: on how many days of the month it was in force.
    pub days: u32,
    /// What was used.
    pub usage: Vec<Counted>,
    /// Of an unknown plan: what was drawn from credit for it.
    pub drawn: Nanos,
}

/// Why usage is not on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The plan is no longer configured: what it cost cannot be told.
    UnknownPlan,
    /// The consumer had no plan.
    NoPlan,
    /// The plan has no price for it.
    NoCharge,
}

/// How much of a meter was used.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// The meter's name.
    pub meter: Arc<str>,
    /// In units; of a meter that is no longer configured, in smallest units.
    pub quantity: Decimal,
    /// What one is called.
    pub unit: Option<String>,
}

impl Why {
    /// A word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownPlan => "unknown-plan",
            Self::NoPlan => "no-plan",
            Self::NoCharge => "no-charge",
        }
    }

    /// A sentence for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::UnknownPlan => {
                "The plan is no longer configured: its fees and charges are not on this invoice."
            }
            Self::NoPlan => "Used without a plan: not charged.",
            Self::NoCharge => "The plan has no price for it: not charged.",
        }
    }
}

pub(super) fn unrated(input: &Input<'_>, calendar: &Calendar) -> Vec<Unrated> {
    let mut all: Vec<Unrated> = Vec::new();
    let known = |plan: &str| input.plans.iter().find(|it| &*it.name == plan);
    for index in calendar.in_force() {
        let plan = &input.subscriptions[index].plan;
        if !plan.is_empty() && known(plan).is_none() {
            entry(&mut all, plan, Why::UnknownPlan).days += 1;
        }
    }
    for it in input.usage {
        let why = match known(&it.plan) {
            Some(plan) if plan.charges.iter().any(|charge| charge.meter == it.meter) => continue,
            Some(_) => Why::NoCharge,
            None if it.plan.is_empty() => Why::NoPlan,
            None => Why::UnknownPlan,
        };
        entry(&mut all, &it.plan, why).usage.push(counted(it, input.meters));
    }
    for it in input.drawn.iter().filter(|it| known(&it.plan).is_none()) {
        let entry = entry(&mut all, &it.plan, Why::UnknownPlan);
        entry.drawn = entry.drawn.saturating_add(it.amount);
    }
    all
}

fn entry<'a>(all: &'a mut Vec<Unrated>, plan: &Arc<str>, why: Why) -> &'a mut Unrated {
    let at = all.iter().position(|it| it.plan == *plan && it.why == why).unwrap_or_else(|| {
        all.push(Unrated { plan: plan.clone(), why, days: 0, usage: Vec::new(), drawn: 0 });
        all.len() - 1
    });
    &mut all[at]
}

fn counted(it: &Usage, meters: &[&Meter]) -> Counted {
    let meter = meters.iter().find(|meter| meter.name == it.meter);
    Counted {
        meter: it.meter.clone(),
        quantity: quantity(it.quantity, meter.map_or(0, |meter| meter.decimals)),
        unit: meter.and_then(|meter| meter.unit.clone()),
    }
}
