//! What a plugin says of itself.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::export;

/// What a plugin says of itself, read once at load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// The ABI it was built for: [`ABI_VERSION`](crate::ABI_VERSION).
    pub abi: u32,
    /// The plugin's name: the crate's, unless the author gave another.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// One sentence for people.
    #[serde(default)]
    pub description: String,
    /// The phases it exports.
    pub phases: Vec<Phase>,
    /// Capabilities it wants: `store`, `fetch`, `secret`, ... by kind, without the name after the colon.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Capabilities that it can do without: where one is not granted, the calls it is for answer denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<String>,
    /// Whether exchanges may share an instance.
    #[serde(default, skip_serializing_if = "Isolation::is_shared")]
    pub isolation: Isolation,
    /// Whether an exchange for which no instance is free may go on without it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dispensable: bool,
    /// JSON Schema (2020-12) of its configuration.
    pub config_schema: serde_json::Value,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Whether exchanges may share an instance of a plugin, one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// They may: no call relies on what an earlier one left in memory.
    #[default]
    Shared,
    /// Each exchange needs an instance of its own, for all its phases.
    Exchange,
}

impl Isolation {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    const fn is_shared(&self) -> bool {
        matches!(self, Self::Shared)
    }
}

/// A moment of an exchange at which a plugin runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The request head.
    Request,
    /// The whole request body, bounded.
    RequestBody,
    /// Each chunk of the request body as it passes.
    RequestChunk,
    /// The response head.
    Response,
    /// The whole response body, bounded.
    ResponseBody,
    /// Each chunk of the response body as it passes.
    ResponseChunk,
    /// After the last byte.
    Complete,
}

impl Phase {
    /// Every phase, in the order of an exchange.
    pub const ALL: [Self; 7] = [
        Self::Request,
        Self::RequestBody,
        Self::RequestChunk,
        Self::Response,
        Self::ResponseBody,
        Self::ResponseChunk,
        Self::Complete,
    ];

    /// Its bit in a set of phases.
    #[must_use]
    pub const fn bit(self) -> i32 {
        1 << self as i32
    }

    /// The name as the descriptor, logs and metrics write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::RequestBody => "request_body",
            Self::RequestChunk => "request_chunk",
            Self::Response => "response",
            Self::ResponseBody => "response_body",
            Self::ResponseChunk => "response_chunk",
            Self::Complete => "complete",
        }
    }

    /// The function that a plugin exports for this phase.
    #[must_use]
    pub const fn export(self) -> &'static str {
        match self {
            Self::Request => export::REQUEST,
            Self::RequestBody => export::REQUEST_BODY,
            Self::RequestChunk => export::REQUEST_CHUNK,
            Self::Response => export::RESPONSE,
            Self::ResponseBody => export::RESPONSE_BODY,
            Self::ResponseChunk => export::RESPONSE_CHUNK,
            Self::Complete => export::COMPLETE,
        }
    }

    /// Whether the function takes `last: i32`.
    #[must_use]
    pub const fn is_chunk(self) -> bool {
        matches!(self, Self::RequestChunk | Self::ResponseChunk)
    }
}
