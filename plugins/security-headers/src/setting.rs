//! A key that has three states: not written, `false`, or a value.

use std::borrow::Cow;

use sluice_sdk::prelude::*;

/// `false`, or a value. Not written, it is the preset's.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Setting<T> {
    /// The preset decides.
    #[default]
    Preset,
    /// Nothing, whatever the preset says.
    Off,
    /// This.
    Value(T),
}

impl<T> Setting<T> {
    /// What it comes to beside a preset.
    pub(crate) fn or(self, preset: Option<T>) -> Option<T> {
        match self {
            Self::Preset => preset,
            Self::Off => None,
            Self::Value(value) => Some(value),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written<T> {
    Switch(bool),
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Switch(false) => Ok(Self::Off),
            Written::Switch(true) => {
                Err(serde::de::Error::custom("`true` is no value here: leave the key out for the preset's"))
            }
            Written::Value(value) => Ok(Self::Value(value)),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Setting<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("SettingOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [{ "const": false }, value] })
    }
}

/// A policy as a table, or as the text of its header.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TextOr<T> {
    /// As in the header.
    Text(String),
    /// Taken apart.
    Table(T),
}
