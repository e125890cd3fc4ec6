//! The store as this cache uses it. Whatever goes wrong here only costs a request to the upstream.

use std::time;

use sluice_sdk::prelude::*;

use crate::config::Settings;
use crate::entry::Entry;
use crate::key::{Asked, Index, MAX_VARY};
use crate::storing;

/// What was found of a request.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) index: Option<Index>,
    pub(crate) entry: Option<Entry>,
}

/// What a leader has left for those who waited.
const STORED: &[u8] = b"s";
const NOT_STORED: &[u8] = b"p";

/// How long each is left: who comes later than this looks for himself. Where a response could not be kept the next ones are not worth
/// waiting for either.
const STORED_MARK: time::Duration = time::Duration::from_secs(1);
const NOT_STORED_MARK: time::Duration = time::Duration::from_secs(30);

/// What has come of the wish to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flight {
    /// This exchange fetches for all.
    Leads,
    /// Another one has just stored the response.
    Landed,
    /// The response is not to be had from the store, or not in time.
    Alone,
}

pub(crate) fn find(asked: &Asked) -> Result<Found> {
    let Some(index) = index(asked)? else { return Ok(Found::default()) };
    let entry = store::get(asked.variant(&index)?)?.and_then(|bytes| Entry::decode(&bytes));
    Ok(Found { index: Some(index), entry })
}

fn index(asked: &Asked) -> Result<Option<Index>> {
    Ok(store::get(&asked.uri)?.and_then(|bytes| Index::decode(&bytes)))
}

/// Keeps a response; whether it did.
pub(crate) fn put(asked: &Asked, entry: &Entry, now: u64, settings: &Settings) -> Result<bool> {
    let keep = entry.keep(now, settings.keep);
    let (Some(mut vary), Some(bytes)) = (storing::vary(&entry.fields), entry.encode()) else {
        return Ok(false);
    };
    if keep == 0 {
        return Ok(false);
    }
    let known = index(asked)?;
    // Names that other responses of this URI depend on stay: to tell too many apart is never wrong.
    let mut all: Vec<_> = vary.iter().chain(known.iter().flat_map(|index| &index.vary)).cloned().collect();
    all.sort();
    all.dedup();
    if all.len() <= MAX_VARY {
        vary = all;
    }
    let until = now.saturating_add(keep);
    let generation = match &known {
        Some(index) => index.generation,
        // Random, since a count would begin anew once the store has dropped it.
        None => random::number(),
    };
    let until = known.as_ref().map_or(until, |index| index.until.max(until));
    let index = Index { generation, until, vary };
    if known.as_ref() != Some(&index) {
        store::set_evictable(&asked.uri, index.encode(), Some(ms(until.saturating_sub(now))))?;
    }
    store::set_evictable(asked.variant(&index)?, bytes, Some(ms(keep)))?;
    Ok(true)
}

/// Forgets all responses of a URI.
pub(crate) fn invalidate(uri: &[u8]) -> Result<()> {
    store::delete(uri)
}

/// Forgets one response: what has been learnt of it forbids to keep it.
pub(crate) fn drop_entry(asked: &Asked) -> Result<()> {
    match index(asked)? {
        Some(index) => store::delete(asked.variant(&index)?),
        None => Ok(()),
    }
}

pub(crate) fn lead(flight: &[u8], settings: &Settings, wait: time::Duration) -> Result<Flight> {
    Ok(match store::lead(flight, settings.lease.get(), wait)? {
        store::Lead::Leader => Flight::Leads,
        store::Lead::Value(mark) if mark == STORED => Flight::Landed,
        store::Lead::Value(_) | store::Lead::Late => Flight::Alone,
    })
}

/// Ends a flight: with the response, or so that those who waited go on side by side.
pub(crate) fn land(flight: &[u8], stored: bool) -> Result<()> {
    let (mark, time) = if stored { (STORED, STORED_MARK) } else { (NOT_STORED, NOT_STORED_MARK) };
    store::set(flight, mark, Some(time))
}

fn ms(milliseconds: u64) -> time::Duration {
    time::Duration::from_millis(milliseconds)
}
