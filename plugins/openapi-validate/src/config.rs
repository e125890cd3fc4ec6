//! What the operator says.

use std::borrow::Cow;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::value::RawValue;
use sluice_sdk::prelude::*;

/// The document, and how strictly it is taken.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The OpenAPI 3.0 or 3.1 document: JSON text, as `"${file:openapi.json}"` gives it, or a table.
    pub(crate) document: Source,
    /// Path before the document's paths, such as `/v1`. Without it, the paths of the document's `servers`.
    #[serde(default)]
    #[schemars(regex(pattern = "^/"))]
    pub(crate) base_path: Option<String>,
    /// Whether requests that do not follow the document are refused, or let through and logged.
    #[serde(default)]
    pub(crate) mode: RequestMode,
    /// Whether responses are not looked at, logged if they do not follow the document, or replaced by a 502 as well.
    #[serde(default)]
    pub(crate) responses: ResponseMode,
    /// Whether query parameters may be there that the operation does not know.
    #[serde(default)]
    pub(crate) unknown_query: Permission,
    /// Whether responses may have a status that the operation does not know.
    #[serde(default)]
    pub(crate) unknown_status: Permission,
    /// Whether a request may carry properties that are `readOnly`.
    #[serde(default)]
    pub(crate) read_only: Permission,
    /// Whether `format` constrains strings, or only describes them.
    #[serde(default = "default_formats")]
    pub(crate) formats: bool,
    /// What the values of one body may take of the plugin's memory. 413 beyond it.
    #[serde(default = "default_memory")]
    pub(crate) body_memory: Size,
    /// How large a body with a `Content-Encoding` may be once that is undone; 413 beyond it. Where the document is not enforced, a
    /// body that is larger by its `Content-Length` passes unchecked.
    #[serde(default = "default_decoded")]
    pub(crate) decoded_size: Size,
}

/// What becomes of requests.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RequestMode {
    #[default]
    Enforce,
    Report,
}

/// What becomes of responses.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ResponseMode {
    #[default]
    Off,
    Report,
    Enforce,
}

/// Whether something may be there.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Permission {
    #[default]
    Allow,
    Refuse,
}

fn default_formats() -> bool {
    true
}

fn default_memory() -> Size {
    Size::from_bytes(6 << 20)
}

fn default_decoded() -> Size {
    Size::from_bytes(1 << 20)
}

/// The document's text.
pub(crate) struct Source(pub(crate) Box<str>);

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Never as a tree of values: that of a large document would not fit.
        let raw: Box<RawValue> = Box::deserialize(deserializer)?;
        let text: Box<str> = raw.into();
        if !text.starts_with('"') {
            return Ok(Self(text));
        }
        serde_json::from_str(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Source {
    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "object"] })
    }
}
