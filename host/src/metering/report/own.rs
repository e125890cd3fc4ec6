//! What a consumer sees of itself, and of nobody else: whose it is was decided by the steps, and no parameter changes it.

use jiff::Timestamp;
use serde::Serialize;
use sluice_metering::ledger::{Reader, UsageQuery};
use sluice_metering::period::Period;

use super::balance::{Balance, Left};
use super::catalog::second;
use super::{Catalog, Document, Format, Parameters, Refused, Usage, invoice, time, usage};

/// Which view of itself a consumer asks for.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// Plan, quotas, credit, and the usage of a month.
    Usage {
        month: Period,
        query: Box<UsageQuery>,
    },
    /// Quotas and credit alone.
    Balance,
    Invoice {
        month: Period,
        format: Format,
    },
}

/// What a consumer used in a month, and what it may still use.
#[derive(Serialize)]
struct Summary {
    consumer: String,
    at: String,
    plan: Option<String>,
    /// The month.
    period: String,
    #[serde(flatten)]
    left: Left,
    usage: Usage,
}

#[derive(Clone, Copy)]
enum Named {
    Usage,
    Balance,
    Invoice,
}

const VIEWS: &[(&str, Named)] =
    &[("usage", Named::Usage), ("balance", Named::Balance), ("invoice", Named::Invoice)];

pub(super) fn view(consumer: &str, parameters: &Parameters, now: Timestamp) -> Result<View, Refused> {
    let named = parameters.one_of("view", VIEWS)?;
    let belongs: &[&str] = match named {
        Named::Usage => &["view", "period", "by", "meter", "dimension", "group", "limit", "cursor"],
        Named::Balance => &["view"],
        Named::Invoice => &["view", "period", "format"],
    };
    parameters.only(belongs)?;
    Ok(match named {
        Named::Usage => {
            let month = time::month(parameters, now)?;
            let within = usage::within(parameters, month.start, month.end())?;
            View::Usage {
                month,
                query: Box::new(UsageQuery { consumer: Some(consumer.to_owned()), ..within }),
            }
        }
        Named::Balance => View::Balance,
        Named::Invoice => {
            View::Invoice { month: time::month(parameters, now)?, format: invoice::format(parameters)? }
        }
    })
}

pub(super) async fn document(
    reader: &mut Reader,
    catalog: &Catalog,
    (consumer, view): (&str, &View),
    now: Timestamp,
) -> Result<Document, Refused> {
    match view {
        View::Usage { month, query } => {
            let usage = Usage::ask(reader, catalog, query).await?;
            let left = Left::ask(reader, catalog, consumer, now).await?;
            Ok(Document::json(&Summary {
                consumer: consumer.to_owned(),
                at: second(now),
                plan: catalog.plan_name(consumer),
                period: time::name_of(*month),
                left,
                usage,
            }))
        }
        View::Balance => Ok(Document::json(&Balance::ask(reader, catalog, consumer, now).await?)),
        View::Invoice { month, format } => {
            invoice::document(reader, catalog, (consumer, *month, *format), now).await
        }
    }
}
