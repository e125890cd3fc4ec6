//! Invoices: the ledger asked for what they are made of.

use std::sync::Arc;

use jiff::Timestamp;
use sluice_metering::invoice::{self, Drawn, Input, Invoice, Subscribed, Usage};
use sluice_metering::ledger::{PlanUsage, Reader};
use sluice_metering::meter::{Aggregation, Meter};
use sluice_metering::period::{Every, Period};
use sluice_metering::plan::Plan;

use super::{Catalog, Document, Parameters, Refused};

/// How an invoice is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv,
    Html,
    /// Text in columns, for a terminal.
    Table,
}

const FORMATS: &[(&str, Format)] = &[("json", Format::Json), ("csv", Format::Csv), ("html", Format::Html)];

pub(super) fn format(parameters: &Parameters) -> Result<Format, Refused> {
    parameters.one_of("format", FORMATS)
}

/// What a consumer owes for a month, written.
pub(super) async fn document(
    reader: &mut Reader,
    catalog: &Catalog,
    (consumer, month, format): (&str, Period, Format),
    now: Timestamp,
) -> Result<Document, Refused> {
    let invoice = of(reader, catalog, consumer, month, now).await?;
    Ok(match format {
        Format::Json => Document { content_type: "application/json", text: invoice.to_json() },
        Format::Csv => Document { content_type: "text/csv; charset=utf-8", text: invoice.to_csv() },
        Format::Html => Document { content_type: "text/html; charset=utf-8", text: invoice.to_html() },
        Format::Table => Document { content_type: "text/plain; charset=utf-8", text: invoice.to_table() },
    })
}

/// What a consumer owes for a month.
async fn of(
    reader: &mut Reader,
    catalog: &Catalog,
    consumer: &str,
    month: Period,
    now: Timestamp,
) -> Result<Invoice, Refused> {
    let subscriptions: Vec<Subscribed> = (reader.subscriptions(consumer).await?)
        .into_iter()
        .map(|it| Subscribed { plan: it.plan.into(), from: it.from, to: it.to })
        .collect();
    let Used { usage: used, compacted } = used(reader, catalog, (consumer, month), &subscriptions).await?;
    if used.is_empty() && subscriptions.is_empty() && !catalog.knows(consumer) {
        return Err(Refused::consumer(consumer, catalog.consumer_names()));
    }
    let usage = used.into_iter().map(|it| rated(catalog, it)).collect::<Result<Vec<_>, _>>()?;
    let drawn = reader.drawn(consumer, month).await?.into_iter();
    let drawn: Vec<Drawn> = drawn.map(|(plan, amount)| Drawn { plan: plan.into(), amount }).collect();
    let plans: Vec<&Plan> = catalog.plans.values().map(|plan| &**plan).collect();
    let meters: Vec<&Meter> = catalog.meters.values().map(|meter| &**meter).collect();
    let input = Input {
        consumer,
        period: month,
        now,
        plans: &plans,
        meters: &meters,
        subscriptions: &subscriptions,
        usage: &usage,
        drawn: &drawn,
        compacted: &compacted,
    };
    invoice::invoice(&input).map_err(|error| Refused::Unrated(error.to_string()))
}

/// What was used in a month.
struct Used {
    usage: Vec<PlanUsage>,
    /// Plans and days of which the part that is charged is not known any more.
    compacted: Vec<(Arc<str>, Timestamp)>,
}

/// The day that a time lies within.
fn begun(at: Timestamp) -> Option<Timestamp> {
    let day = Every::Day.containing(at).start;
    (day != at).then_some(day)
}

/// The month's usage; under plans of which a part of the month is a trial, only what lies outside of it.
async fn used(
    reader: &mut Reader,
    catalog: &Catalog,
    (consumer, month): (&str, Period),
    subscriptions: &[Subscribed],
) -> Result<Used, Refused> {
    let whole = vec![(month.start, month.end())];
    let mut used = reader.rated(consumer, month.start, month.end()).await?;
    let mut compacted = Vec::new();
    for plan in catalog.plans.values() {
        let spans = invoice::spans(plan, subscriptions, month);
        if spans == whole || used.iter().all(|it| *it.plan != *plan.name) {
            continue;
        }
        used.retain(|it| *it.plan != *plan.name);
        for (from, mut to) in spans {
            for (day, is_end) in [(begun(from), false), (begun(to), true)] {
                let Some(day) = day else { continue };
                if !reader.is_compacted(consumer, &plan.name, day).await? {
                    continue;
                }
                // A day as a whole is kept at its first hour, which is before the trial.
                to = if is_end { day } else { to };
                let day = (Arc::clone(&plan.name), day);
                if !compacted.contains(&day) {
                    compacted.push(day);
                }
            }
            let of_span = reader.rated(consumer, from, to).await?;
            used.extend(of_span.into_iter().filter(|it| *it.plan == *plan.name));
        }
    }
    Ok(Used { usage: used, compacted })
}

/// As the meter aggregates it. One that is no longer configured is listed by its sum.
fn rated(catalog: &Catalog, it: PlanUsage) -> Result<Usage, Refused> {
    let aggregation = catalog.meters.get(&*it.meter).map_or(Aggregation::Sum, |meter| meter.aggregation);
    let quantity = i64::try_from(it.usage.of(aggregation))
        .map_err(|_| Refused::Unrated(format!("so much of `{}` cannot be rated", it.meter)))?;
    Ok(Usage { plan: Arc::from(it.plan), meter: Arc::from(it.meter), quantity })
}
