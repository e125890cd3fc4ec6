//! What tests make invoices of.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Drawn, Input, Invoice, InvoiceError, Section, Subscribed, Usage, invoice};
use crate::meter::{Aggregation, Meter, Unanswered};
use crate::period::{Every, Period};
use crate::plan::{Charge, Fee, Plan, Price};
use crate::rating::samples;

pub(super) const DAY: Duration = Duration::from_secs(86_400);

pub(super) struct Case {
    pub(super) consumer: String,
    pub(super) period: Period,
    pub(super) now: Timestamp,
    pub(super) plans: Vec<Plan>,
    pub(super) meters: Vec<Meter>,
    pub(super) subscriptions: Vec<Subscribed>,
    pub(super) usage: Vec<Usage>,
    pub(super) drawn: Vec<Drawn>,
    pub(super) compacted: Vec<(Arc<str>, Timestamp)>,
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// November 2026, which has 30 days and is over.
pub(super) fn november(plans: Vec<Plan>) -> Case {
    month("2026-11-01T00:00:00Z", plans)
}

pub(super) fn month(first: &str, plans: Vec<Plan>) -> Case {
    Case {
        consumer: "acme".to_owned(),
        period: Every::Month.containing(at(first)),
        now: at("2031-01-01T00:00:00Z"),
        plans,
        meters: vec![
            meter("tokens", "token", 0, Aggregation::Sum),
            meter("requests", "request", 0, Aggregation::Count),
            meter("exports", "export", 0, Aggregation::Count),
            meter("seats", "seat", 0, Aggregation::Unique),
            meter("storage", "GB", 3, Aggregation::Max),
        ],
        subscriptions: Vec::new(),
        usage: Vec::new(),
        drawn: Vec::new(),
        compacted: Vec::new(),
    }
}

pub(super) fn meter(name: &str, unit: &str, decimals: u8, aggregation: Aggregation) -> Meter {
    Meter {
        name: name.into(),
        aggregation,
        unit: Some(unit.to_owned()),
        decimals,
        dimensions: Vec::new(),
        reserve: 1,
        unanswered: Unanswered::Free,
    }
}

pub(super) fn fee(name: &str, amount: &str, every: Every) -> Fee {
    Fee { name: name.to_owned(), amount: amount.parse().unwrap(), every, prorate: true }
}

pub(super) fn charge(name: &str, meter: &str, price: Price) -> Charge {
    Charge { name: name.to_owned(), meter: meter.into(), ..samples::charge(price) }
}

impl Case {
    /// From and to as in a timestamp; an empty end is none.
    pub(super) fn on(mut self, plan: &str, from: &str, to: &str) -> Self {
        let to = (!to.is_empty()).then(|| at(to));
        self.subscriptions.push(Subscribed { plan: plan.into(), from: at(from), to });
        self
    }

    pub(super) fn used(mut self, plan: &str, meter: &str, quantity: i64) -> Self {
        self.usage.push(Usage { plan: plan.into(), meter: meter.into(), quantity });
        self
    }

    pub(super) fn drawn(mut self, plan: &str, amount: i64) -> Self {
        self.drawn.push(Drawn { plan: plan.into(), amount });
        self
    }

    pub(super) fn try_invoice(&self) -> Result<Invoice, InvoiceError> {
        let plans: Vec<&Plan> = self.plans.iter().collect();
        let meters: Vec<&Meter> = self.meters.iter().collect();
        invoice(&Input {
            consumer: &self.consumer,
            period: self.period,
            now: self.now,
            plans: &plans,
            meters: &meters,
            subscriptions: &self.subscriptions,
            usage: &self.usage,
            drawn: &self.drawn,
            compacted: &self.compacted,
        })
    }

    pub(super) fn invoice(&self) -> Invoice {
        self.try_invoice().unwrap()
    }

    /// `description: amount` of each line, and what is due, plan by plan.
    pub(super) fn lines(&self) -> Vec<String> {
        let section = |it: &Section| {
            let mut lines: Vec<String> =
                it.lines.iter().map(|line| format!("{}: {}", line.description, line.amount)).collect();
            lines.push(format!("{} due: {}", it.plan, it.total()));
            lines
        };
        self.invoice().sections.iter().flat_map(section).collect()
    }
}

pub(super) fn named(plan: &str) -> Plan {
    Plan { name: Arc::from(plan), ..samples::plan(plan) }
}
