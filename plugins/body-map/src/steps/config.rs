//! Operations as the configuration writes them.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk::serde_json;

use crate::json::{self, Json};

/// One transformation of the document.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationConfig {
    /// JSON Patch (RFC 6902): a list of operations, or the document as JSON text.
    Patch(Literal),
    /// JSON Merge Patch (RFC 7396): a table, or the document as JSON text. Only text can write `null`, which removes.
    Merge(Literal),
    /// Replaces the document by what a JSONPath selects.
    Pick(PickConfig),
    /// Replaces the document by an object of these members, each what its JSONPath selects.
    Build(BTreeMap<String, PickConfig>),
    /// Takes a value from one place to another.
    Move(TransferConfig),
    /// Copies a value from one place to another.
    Copy(TransferConfig),
    /// Removes the value at a JSON Pointer, or every value that a JSONPath selects; one, or a list.
    Remove(OneOrMany),
    /// Gives members another name.
    Rename(RenameConfig),
    /// Gives a place a value.
    Set(SetConfig),
    /// Reads the body as a form (`application/x-www-form-urlencoded`). Has to be the first.
    FormToJson,
    /// Writes the body as a form. Has to be the last.
    JsonToForm,
}

impl OperationConfig {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Patch(_) => "patch",
            Self::Merge(_) => "merge",
            Self::Pick(_) => "pick",
            Self::Build(_) => "build",
            Self::Move(_) => "move",
            Self::Copy(_) => "copy",
            Self::Remove(_) => "remove",
            Self::Rename(_) => "rename",
            Self::Set(_) => "set",
            Self::FormToJson => "form_to_json",
            Self::JsonToForm => "json_to_form",
        }
    }
}

/// A JSON document: as a value, or as JSON text.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Literal(serde_json::Value);

impl Literal {
    pub(crate) fn read(self) -> Result<Json<'static>> {
        match self.0 {
            serde_json::Value::String(text) => read(&text),
            other => read(&other.to_string()),
        }
    }
}

pub(crate) fn read(text: &str) -> Result<Json<'static>> {
    match json::parse(text.as_bytes(), json::LEAST_BUDGET) {
        Ok(value) => Ok(value.into_owned()),
        Err(error) => bail!("the text is not JSON: {error}"),
    }
}

/// One text or several.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several, in their order.
    Many(Vec<String>),
}

/// What of the document is wanted: a JSONPath that selects one node, or a table.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PickConfig {
    /// A JSONPath that selects one node.
    Path(String),
    /// A JSONPath, and what becomes of its nodes.
    Table(PickTable),
}

/// A JSONPath, and what becomes of its nodes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PickTable {
    /// The JSONPath (RFC 9535).
    pub(crate) path: String,
    /// What becomes of the nodes it selects.
    #[serde(default)]
    pub(crate) into: Shape,
    /// Whether it may select nothing: then `pick` leaves the document as it is, and `build` leaves the member out.
    #[serde(default)]
    pub(crate) optional: bool,
}

/// What becomes of the nodes that a path selects.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shape {
    /// The one there is. None, or several, are a mismatch.
    #[default]
    Only,
    /// The first of them. None is a mismatch.
    First,
    /// All of them, as an array; an empty one if there are none.
    List,
}

/// From where to where.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferConfig {
    /// A JSON Pointer, or a JSONPath that selects one node.
    pub(crate) from: String,
    /// A JSON Pointer. Parents that are not there become objects; what is there is replaced.
    pub(crate) to: String,
    /// Whether there may be nothing to take.
    #[serde(default)]
    pub(crate) optional: bool,
}

/// Which members, and their new name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameConfig {
    /// A JSON Pointer, or a JSONPath whose every node is renamed.
    pub(crate) path: String,
    /// The new name, in the same object and place. What had it before is removed.
    pub(crate) to: String,
    /// Whether there may be nothing to rename.
    #[serde(default)]
    pub(crate) optional: bool,
}

/// Where, and what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetConfig {
    /// A JSON Pointer. Parents that are not there become objects; what is there is replaced.
    pub(crate) at: String,
    /// The value. Strings in it may contain variables such as `{request_id}`.
    #[serde(default)]
    pub(crate) value: Option<serde_json::Value>,
    /// The value as JSON text, for `null` and for numbers that TOML does not have. Variables as in `value`.
    #[serde(default)]
    pub(crate) json: Option<String>,
}
