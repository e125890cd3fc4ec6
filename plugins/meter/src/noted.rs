//! What an exchange leaves from phase to phase: instances keep nothing of it.

use serde::{Deserialize, Serialize};
use sluice_sdk::prelude::*;

use crate::found::{Findings, Found};
use crate::grpc::Frames;
use crate::stream::Stream;

/// What the request told.
pub(crate) const REQUEST: Value<Noted> = Value::step("request");
/// The request's messages.
pub(crate) const MESSAGES: Value<Messages> = Value::step("messages");
/// The response as far as it was read.
pub(crate) const RESPONSE: Value<Reading> = Value::step("response");

/// A set of entries, a bit each.
pub(crate) type Entries = u16;

/// What the request told, by entries.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Noted {
    #[serde(rename = "v")]
    pub(crate) values: Vec<Option<Found>>,
    #[serde(rename = "e")]
    pub(crate) expected: Vec<Option<i64>>,
}

/// gRPC messages of a request, some of which may come before it is known whether they count.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Messages {
    #[serde(rename = "f")]
    pub(crate) frames: Frames,
    #[serde(rename = "p")]
    pub(crate) pending: u64,
    /// The entries that count, once that is known.
    #[serde(rename = "c")]
    pub(crate) counted: Option<Entries>,
}

/// A response that is read as it passes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reading {
    /// The entries that count.
    #[serde(rename = "c")]
    pub(crate) counted: Entries,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) stream: Option<Stream>,
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub(crate) frames: Option<Frames>,
    #[serde(rename = "f")]
    pub(crate) findings: Findings,
    /// What was expected, by entries.
    #[serde(rename = "e")]
    pub(crate) expected: Vec<Option<i64>>,
    /// What the meters were told, by entries.
    #[serde(rename = "t")]
    pub(crate) told: Vec<Option<Found>>,
}

impl Noted {
    pub(crate) fn new(entries: usize) -> Self {
        Self { values: vec![None; entries], expected: vec![None; entries] }
    }
}
