//! What the ledger says to those who ask: usage, balances, invoices. Pure over a reader, what is configured, and the time.
//!
//! The admin pages, the command line and the route of a consumer's own usage all ask here, so that they say the same. Quantities and
//! amounts are texts of exact decimals, in the units of meters and currencies. The documents are told in `docs/usage.md`.

mod balance;
mod catalog;
mod invoice;
mod own;
mod parameters;
mod refused;
mod time;
mod top_up;
mod usage;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::Serialize;
use sluice_metering::ledger::{Reader, UsageQuery};
use sluice_metering::period::Period;

pub(crate) use balance::Balance;
pub(crate) use catalog::Catalog;
pub(crate) use invoice::Format;
pub(crate) use own::View;
pub(crate) use parameters::Parameters;
pub(crate) use refused::Refused;
pub(crate) use top_up::{Written as WrittenTopUp, top_up};
pub(crate) use usage::{Row, Usage, query as usage_query};

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// A page of usage.
    Usage(UsageQuery),
    /// What a consumer may still use.
    Balance { consumer: String },
    /// What a consumer owes for a month.
    Invoice { consumer: String, month: Period, format: Format },
    /// What a consumer sees of itself.
    Own { consumer: String, view: View },
}

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) content_type: &'static str,
    pub(crate) text: String,
}

impl Document {
    /// A value as JSON, indented, with a line feed at its end.
    fn json(value: &impl Serialize) -> Self {
        let mut text = serde_json::to_string_pretty(value).expect("texts and numbers are always JSON");
        text.push('\n');
        Self { content_type: "application/json", text }
    }
}

impl Question {
    /// What `GET /usage` of the admin pages asks.
    pub(crate) fn usage(parameters: &Parameters, now: Timestamp) -> Result<Self, Refused> {
        usage_query(parameters, now).map(Self::Usage)
    }

    /// What `GET /balance` asks.
    pub(crate) fn balance(parameters: &Parameters) -> Result<Self, Refused> {
        Ok(Self::Balance { consumer: parameters.required("consumer", "the name of a consumer")? })
    }

    /// What `GET /invoices/preview` and `sluice invoice` ask.
    pub(crate) fn invoice(parameters: &Parameters, now: Timestamp) -> Result<Self, Refused> {
        Ok(Self::Invoice {
            consumer: parameters.required("consumer", "the name of a consumer")?,
            month: time::month(parameters, now)?,
            format: invoice::format(parameters)?,
        })
    }

    /// What the route of a consumer's own usage is asked by this consumer.
    pub(crate) fn own(consumer: &str, parameters: &Parameters, now: Timestamp) -> Result<Self, Refused> {
        let view = own::view(consumer, parameters, now)?;
        Ok(Self::Own { consumer: consumer.to_owned(), view })
    }

    /// The answer.
    pub(crate) async fn answer(
        &self,
        reader: &mut Reader,
        catalog: &Catalog,
        now: Timestamp,
    ) -> Result<Document, Refused> {
        match self {
            Self::Usage(query) => Ok(Document::json(&Usage::ask(reader, catalog, query).await?)),
            Self::Balance { consumer } => {
                Ok(Document::json(&Balance::ask(reader, catalog, consumer, now).await?))
            }
            Self::Invoice { consumer, month, format } => {
                invoice::document(reader, catalog, (consumer, *month, *format), now).await
            }
            Self::Own { consumer, view } => own::document(reader, catalog, (consumer, view), now).await,
        }
    }
}
