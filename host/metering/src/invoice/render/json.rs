//! One JSON object. Its fields come in the order of these types.

use serde::Serialize;

use super::super::{Detail, Invoice, Line, Section, Unrated};
use crate::money::{from_nanos, written};

#[derive(Serialize)]
struct Document<'a> {
    consumer: &'a str,
    month: String,
    /// The first moment that is in it, and the first that is not.
    from: String,
    to: String,
    status: &'static str,
    complete: bool,
    sections: Vec<Plan<'a>>,
    unrated: Vec<Rest<'a>>,
    due: Vec<Sum<'a>>,
}

#[derive(Serialize)]
struct Plan<'a> {
    plan: &'a str,
    currency: &'a str,
    lines: Vec<Item<'a>>,
    before_credit: String,
    due: String,
    notes: Vec<Remark>,
}

#[derive(Serialize)]
struct Item<'a> {
    kind: &'static str,
    description: &'a str,
    meter: Option<&'a str>,
    quantity: Option<String>,
    unit: Option<&'a str>,
    unit_price: Option<String>,
    days: Option<Days>,
    details: Vec<Step<'a>>,
    exact: Option<String>,
    amount: String,
}

#[derive(Serialize)]
struct Days {
    paid: u32,
    of: u32,
}

#[derive(Serialize)]
struct Step<'a> {
    description: &'a str,
    quantity: Option<String>,
    unit: Option<&'a str>,
    price: String,
    amount: String,
}

#[derive(Serialize)]
struct Remark {
    note: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Rest<'a> {
    plan: &'a str,
    reason: &'static str,
    days: u32,
    usage: Vec<Count<'a>>,
    drawn: String,
}

#[derive(Serialize)]
struct Count<'a> {
    meter: &'a str,
    quantity: String,
    unit: Option<&'a str>,
}

#[derive(Serialize)]
struct Sum<'a> {
    currency: &'a str,
    amount: String,
}

pub(super) fn json(invoice: &Invoice) -> String {
    let due = invoice
        .totals
        .iter()
        .map(|it| Sum { currency: it.currency.code(), amount: written(it.amount, it.currency.places()) });
    let document = Document {
        consumer: &invoice.consumer,
        month: invoice.month(),
        from: invoice.period.start.to_string(),
        to: invoice.period.end().to_string(),
        status: invoice.status(),
        complete: invoice.is_complete(),
        sections: invoice.sections.iter().map(section).collect(),
        unrated: invoice.unrated.iter().map(rest).collect(),
        due: due.collect(),
    };
    let mut text = serde_json::to_string_pretty(&document).expect("texts and numbers are always JSON");
    text.push('\n');
    text
}

fn section(section: &Section) -> Plan<'_> {
    let places = section.currency.places();
    let remark = |note: &super::super::Note| Remark { note: note.name(), text: note.to_string() };
    Plan {
        plan: &section.plan,
        currency: section.currency.code(),
        lines: section.lines.iter().map(|line| item(line, places)).collect(),
        before_credit: written(section.subtotal(), places),
        due: written(section.total(), places),
        notes: section.notes.iter().map(remark).collect(),
    }
}

fn item(line: &Line, places: u8) -> Item<'_> {
    Item {
        kind: line.kind.name(),
        description: &line.description,
        meter: line.meter.as_deref(),
        quantity: line.quantity.map(|it| it.to_string()),
        unit: line.unit.as_deref(),
        unit_price: line.unit_price.map(|it| it.to_string()),
        days: line.days.map(|(paid, of)| Days { paid, of }),
        details: line.details.iter().map(step).collect(),
        exact: line.exact.map(|it| it.to_string()),
        amount: written(line.amount, places),
    }
}

fn step(detail: &Detail) -> Step<'_> {
    Step {
        description: &detail.description,
        quantity: detail.quantity.map(|it| it.to_string()),
        unit: detail.unit.as_deref(),
        price: detail.price.to_string(),
        amount: detail.amount.to_string(),
    }
}

fn rest(unrated: &Unrated) -> Rest<'_> {
    let count = |it: &'_ super::super::Counted| it.quantity.to_string();
    Rest {
        plan: &unrated.plan,
        reason: unrated.why.name(),
        days: unrated.days,
        usage: unrated
            .usage
            .iter()
            .map(|it| Count { meter: &it.meter, quantity: count(it), unit: it.unit.as_deref() })
            .collect(),
        drawn: from_nanos(unrated.drawn).to_string(),
    }
}
