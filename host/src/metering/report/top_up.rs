//! Credit that somebody paid for, as it is written down by whoever books it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use sluice_metering::ledger::TopUp;
use sluice_metering::money::{parse, to_nanos};

use super::refused::shown;
use super::{Catalog, Refused};
use crate::config::can_be_sent;

/// A top-up as it was written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// Chosen by whoever pays.
    pub(crate) id: String,
    pub(crate) consumer: String,
    /// `50.00`, in the currency of the consumer's plan.
    pub(crate) amount: String,
    /// RFC 3339; from then on what is left of it is lost.
    #[serde(default)]
    pub(crate) expires: Option<String>,
}

/// What a text means.
pub(crate) fn top_up(written: &Written, catalog: &Catalog, now: Timestamp) -> Result<TopUp, Refused> {
    if !can_be_sent(&written.id) {
        return Err(Refused::expected("id", &written.id, "1 to 256 bytes without control characters"));
    }
    // A name that is misspelled would be credit that nobody can spend.
    if !catalog.knows(&written.consumer) {
        return Err(Refused::consumer(&written.consumer, catalog.consumer_names()));
    }
    let amount = parse(&written.amount)
        .map_err(|error| Refused::parameter("amount", format!("`{}`: {error}", shown(&written.amount))))?;
    let nanos = to_nanos(amount).filter(|nanos| *nanos > 0).ok_or_else(|| {
        let problem = "it has to be above 0 and below 9 billion, with at most 9 decimals";
        Refused::parameter("amount", problem)
    })?;
    let expires = match &written.expires {
        Some(text) => Some(future(text, now)?),
        None => None,
    };
    Ok(TopUp {
        id: written.id.clone(),
        consumer: Arc::from(&*written.consumer),
        amount: nanos,
        at: now,
        expires,
    })
}

fn future(text: &str, now: Timestamp) -> Result<Timestamp, Refused> {
    let at = text.parse::<Timestamp>();
    let at = at.map_err(|_| Refused::expected("expires", text, "a time such as 2027-01-01T00:00:00Z"))?;
    if at <= now {
        return Err(Refused::parameter("expires", "that is over already"));
    }
    Ok(at)
}
