//! Usage: by consumer, meter and plan, by time, and by the values of a dimension. In pages.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sluice_metering::ledger::{Error, Reader, UsageQuery, UsageRow};
use sluice_metering::meter::Aggregation;
use sluice_metering::period::Every;

use super::catalog::{moment, units};
use super::{Catalog, Document, Parameters, Refused, time};

/// Rows of a page, unless it is asked for another number.
const ROWS: usize = 100;

/// By what time usage can be split.
const SPLITS: &[(&str, Option<Every>)] = &[
    ("total", None),
    ("hour", Some(Every::Hour)),
    ("day", Some(Every::Day)),
    ("month", Some(Every::Month)),
    ("year", Some(Every::Year)),
];

/// A page of usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Usage {
    /// The first moment, and the first that is no longer in it.
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) by: &'static str,
    /// The dimension that rows are split by.
    pub(crate) group: Option<String>,
    /// Those that the rows are of; nothing of one that is no longer configured.
    pub(crate) meters: BTreeMap<String, Option<MeterNote>>,
    pub(crate) rows: Vec<Row>,
    /// What the parameter `cursor` is for the next page; `null` if this is the last.
    pub(crate) next: Option<String>,
}

/// How a meter's quantities are to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MeterNote {
    aggregation: &'static str,
    unit: Option<String>,
    decimals: u8,
}

/// What a consumer used of a meter in a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    pub(crate) start: String,
    pub(crate) end: String,
    /// `null` where nobody was known.
    pub(crate) consumer: Option<String>,
    pub(crate) meter: String,
    /// `null` where there was none.
    pub(crate) plan: Option<String>,
    /// The dimension's value; `null` where there was none.
    pub(crate) group: Option<String>,
    /// In units, by the meter's aggregation; of a meter that is no longer configured, the sum in smallest units.
    pub(crate) quantity: String,
    pub(crate) unit: Option<String>,
    pub(crate) events: i64,
}

/// What the parameters ask for. Without a time: since the beginning of this month.
pub(crate) fn query(parameters: &Parameters, now: Timestamp) -> Result<UsageQuery, Refused> {
    let from = time::hour(parameters, "from")?.unwrap_or_else(|| Every::Month.containing(now).start);
    let to = time::hour(parameters, "to")?.unwrap_or_else(|| Every::Hour.containing(now).end());
    if from >= to {
        let name = if parameters.get("to").is_some() { "to" } else { "from" };
        return Err(Refused::parameter(name, "the time that is asked for ends before it begins"));
    }
    Ok(UsageQuery {
        consumer: parameters.owned("consumer"),
        plan: parameters.owned("plan"),
        ..within(parameters, from, to)?
    })
}

/// What the parameters say beside consumer, plan and time.
pub(super) fn within(parameters: &Parameters, from: Timestamp, to: Timestamp) -> Result<UsageQuery, Refused> {
    Ok(UsageQuery {
        by: parameters.one_of("by", SPLITS)?,
        meter: parameters.owned("meter"),
        dimension: dimension(parameters)?,
        group: parameters.owned("group"),
        after: parameters.owned("cursor"),
        limit: limit(parameters)?,
        ..UsageQuery::all(from, to)
    })
}

fn dimension(parameters: &Parameters) -> Result<Option<(String, String)>, Refused> {
    let Some(given) = parameters.get("dimension") else { return Ok(None) };
    let split = given.split_once([':', '=']).filter(|(name, _)| !name.is_empty());
    let (name, value) = split.ok_or_else(|| {
        Refused::expected("dimension", given, "a dimension's name and value, such as model:gpt-4")
    })?;
    Ok(Some((name.to_owned(), value.to_owned())))
}

fn limit(parameters: &Parameters) -> Result<usize, Refused> {
    let Some(given) = parameters.get("limit") else { return Ok(ROWS) };
    let limit = given.parse().ok().filter(|limit| (1..=UsageQuery::MOST).contains(limit));
    limit
        .ok_or_else(|| Refused::expected("limit", given, &format!("a number from 1 to {}", UsageQuery::MOST)))
}

impl Usage {
    /// One page.
    pub(crate) async fn ask(
        reader: &mut Reader,
        catalog: &Catalog,
        query: &UsageQuery,
    ) -> Result<Self, Refused> {
        check_dimensions(catalog, query)?;
        let page = reader.usage(query).await.map_err(|error| match error {
            Error::Invalid(_) if query.after.is_some() => {
                Refused::parameter("cursor", "no page named this as its `next`")
            }
            error => error.into(),
        })?;
        if page.rows.is_empty() && query.after.is_none() {
            is_known(reader, catalog, query).await?;
        }
        let by = SPLITS.iter().find(|(_, by)| *by == query.by).map_or("total", |(name, _)| *name);
        let rows: Vec<Row> = page.rows.into_iter().map(|row| described(catalog, query, row)).collect();
        let meters = rows.iter().map(|row| (row.meter.clone(), note(catalog, &row.meter))).collect();
        Ok(Self {
            from: moment(query.from),
            to: moment(query.to),
            by,
            group: query.group.clone(),
            meters,
            rows,
            next: page.next,
        })
    }

    /// As the page `/usage` has it.
    pub(crate) fn to_json(&self) -> String {
        Document::json(self).text
    }

    /// All pages as one.
    pub(crate) async fn ask_all(
        reader: &mut Reader,
        catalog: &Catalog,
        mut query: UsageQuery,
    ) -> Result<Self, Refused> {
        query.limit = UsageQuery::MOST;
        let mut all = Self::ask(reader, catalog, &query).await?;
        while let Some(next) = all.next.take() {
            query.after = Some(next);
            let page = Self::ask(reader, catalog, &query).await?;
            all.meters.extend(page.meters);
            all.rows.extend(page.rows);
            all.next = page.next;
        }
        Ok(all)
    }
}

/// A name that no meter has as a dimension is a slip: nothing would ever be found by it.
fn check_dimensions(catalog: &Catalog, query: &UsageQuery) -> Result<(), Refused> {
    let meter = query.meter.as_deref().filter(|meter| catalog.meters.contains_key(*meter));
    let known = catalog.dimensions(meter);
    let filter = query.dimension.as_ref().map(|(name, _)| ("dimension", name));
    for (parameter, name) in filter.into_iter().chain(query.group.as_ref().map(|name| ("group", name))) {
        if !known.contains(&&**name) {
            return Err(Refused::unknown(parameter, ("dimension", name), known.iter().copied()));
        }
    }
    Ok(())
}

/// Where nothing is found: a name that is not configured and that the ledger does not know is a slip.
async fn is_known(reader: &mut Reader, catalog: &Catalog, query: &UsageQuery) -> Result<(), Refused> {
    if let Some(meter) = query.meter.as_deref().filter(|meter| !catalog.meters.contains_key(*meter)) {
        return Err(Refused::unknown("meter", ("meter", meter), catalog.meter_names()));
    }
    if let Some(plan) = query.plan.as_deref().filter(|plan| !catalog.plans.contains_key(*plan)) {
        return Err(Refused::unknown("plan", ("plan", plan), catalog.plan_names()));
    }
    match &query.consumer {
        Some(consumer) => require_consumer(reader, catalog, consumer).await,
        None => Ok(()),
    }
}

/// Whether somebody of this name is configured, or was ever on a plan.
pub(super) async fn require_consumer(
    reader: &mut Reader,
    catalog: &Catalog,
    consumer: &str,
) -> Result<(), Refused> {
    if catalog.knows(consumer) || !reader.subscriptions(consumer).await?.is_empty() {
        return Ok(());
    }
    Err(Refused::consumer(consumer, catalog.consumer_names()))
}

fn described(catalog: &Catalog, query: &UsageQuery, row: UsageRow) -> Row {
    let meter = catalog.meters.get(&*row.meter);
    let (aggregation, decimals) =
        meter.map_or((Aggregation::Sum, 0), |meter| (meter.aggregation, meter.decimals));
    let named = |name: String| (!name.is_empty()).then_some(name);
    Row {
        start: moment(row.start),
        end: moment(query.by.map_or(query.to, |every| every.containing(row.start).end())),
        consumer: named(row.consumer),
        plan: named(row.plan),
        group: row.group.and_then(named),
        quantity: units(row.usage.of(aggregation), decimals),
        unit: meter.and_then(|meter| meter.unit.clone()),
        events: row.usage.count,
        meter: row.meter,
    }
}

fn note(catalog: &Catalog, meter: &str) -> Option<MeterNote> {
    catalog.meters.get(meter).map(|meter| MeterNote {
        aggregation: meter.aggregation.name(),
        unit: meter.unit.clone(),
        decimals: meter.decimals,
    })
}
