//! RFC 4180. Names come from the configuration, and spreadsheets run what looks like a formula: such names are given an apostrophe.

use super::super::{Invoice, Line, Section, Unrated};
use crate::money::written;
use crate::text::csv_field;

const HEADER: &str = "consumer,month,status,plan,kind,description,meter,quantity,unit,price,days,days_of_month,exact,amount,currency";

/// A row but for what all of an invoice have in common. Names are texts; numbers are as they are.
#[derive(Default)]
struct Row<'a> {
    plan: &'a str,
    kind: &'a str,
    description: &'a str,
    meter: &'a str,
    quantity: String,
    unit: &'a str,
    price: String,
    days: Option<(u32, u32)>,
    exact: String,
    amount: String,
    currency: &'a str,
}

pub(super) fn csv(invoice: &Invoice) -> String {
    let mut text = format!("{HEADER}\r\n");
    let mut write = |row: Row<'_>| text.push_str(&record(invoice, &row));
    for section in &invoice.sections {
        for line in &section.lines {
            write(head(section, line));
            details(section, line).into_iter().for_each(&mut write);
        }
    }
    for it in &invoice.unrated {
        rest(it).into_iter().for_each(&mut write);
    }
    text
}

fn head<'a>(section: &'a Section, line: &'a Line) -> Row<'a> {
    let number = |it: Option<rust_decimal::Decimal>| it.map_or_else(String::new, |it| it.to_string());
    Row {
        plan: &section.plan,
        kind: line.kind.name(),
        description: &line.description,
        meter: line.meter.as_deref().unwrap_or_default(),
        quantity: number(line.quantity),
        unit: line.unit.as_deref().unwrap_or_default(),
        price: number(line.unit_price),
        days: line.days,
        exact: number(line.exact),
        amount: written(line.amount, section.currency.places()),
        currency: section.currency.code(),
    }
}

fn details<'a>(section: &'a Section, line: &'a Line) -> Vec<Row<'a>> {
    let row = |it: &'a super::super::Detail| Row {
        kind: "detail",
        description: &it.description,
        quantity: it.quantity.map_or_else(String::new, |it| it.to_string()),
        unit: it.unit.as_deref().unwrap_or_default(),
        price: it.price.to_string(),
        days: None,
        exact: it.amount.to_string(),
        amount: String::new(),
        ..head(section, line)
    };
    line.details.iter().map(row).collect()
}

fn rest(unrated: &Unrated) -> Vec<Row<'_>> {
    let all = Row {
        plan: &unrated.plan,
        kind: unrated.why.name(),
        description: unrated.why.text(),
        ..Row::default()
    };
    let mut rows: Vec<Row<'_>> = unrated
        .usage
        .iter()
        .map(|it| Row {
            meter: &it.meter,
            quantity: it.quantity.to_string(),
            unit: it.unit.as_deref().unwrap_or_default(),
            ..Row { plan: all.plan, kind: all.kind, description: all.description, ..Row::default() }
        })
        .collect();
    // A plan of which nothing was used still had its fees.
    if rows.is_empty() {
        rows.push(all);
    }
    rows
}

fn record(invoice: &Invoice, row: &Row<'_>) -> String {
    let (days, of) = row.days.map_or_else(Default::default, |(days, of)| (days.to_string(), of.to_string()));
    let cells = [
        csv_field(&invoice.consumer),
        invoice.month(),
        invoice.status().to_owned(),
        csv_field(row.plan),
        row.kind.to_owned(),
        csv_field(row.description),
        csv_field(row.meter),
        row.quantity.clone(),
        csv_field(row.unit),
        row.price.clone(),
        days,
        of,
        row.exact.clone(),
        row.amount.clone(),
        row.currency.to_owned(),
    ];
    format!("{}\r\n", cells.join(","))
}
