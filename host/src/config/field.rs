//! The leaves of what is written: fields that bear a broken value, and quantities of several kinds.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sluice_metering::Decimal;

use super::amount::{
    AMOUNT, AMOUNT_PATTERN, MOST_AMOUNT, MOST_QUANTITY, QUANTITY, QUANTITY_PATTERN, parse_amount,
    parse_quantity,
};
use super::quantity::{DURATION_PATTERN, SIZE_PATTERN, parse_duration, parse_size};

/// The schema keyword that says in words what a value should be: `a duration such as "5s"`.
pub(super) const EXPECTED: &str = "x-expected";
/// The schema keyword that lists names by which people may look for a key.
pub(super) const ALIASES: &str = "x-aliases";

/// A key of a table. A value of the wrong shape does not spoil the table around it: the schema's validation reports it,
/// and whoever resolves the rest goes on without it.
#[derive(Clone, Debug, Default)]
pub(super) enum Field<T> {
    #[default]
    Absent,
    Broken,
    Given(T),
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde answers `None` to this for a key that is not there, so no field needs a `default` for being lenient,
        // and `default` is left to say which keys are optional
        deserializer.deserialize_option(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Field::Absent)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(serde_json::from_value(value).map_or(Field::Broken, Field::Given))
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// `"5s"`
#[derive(Clone, Copy, Debug)]
pub(super) struct DurationText(pub(super) Duration);

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Self).map_err(Error::custom)
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A whole number and a unit: us, ms, s, m, h or d.",
            "type": "string",
            "pattern": DURATION_PATTERN,
            "examples": ["250ms", "5s", "1m"],
            EXPECTED: "a duration such as \"5s\"",
        })
    }
}

/// `"16MiB"`
#[derive(Clone, Copy, Debug)]
pub(super) struct SizeText(pub(super) u64);

impl<'de> Deserialize<'de> for SizeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_size(&text).map(Self).map_err(Error::custom)
    }
}

impl JsonSchema for SizeText {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A whole number of bytes and a unit: B, KB, MB, GB, KiB, MiB or GiB.",
            "type": "string",
            "pattern": SIZE_PATTERN,
            "examples": ["64KiB", "16MiB", "10MB"],
            EXPECTED: "a size such as \"16MiB\"",
        })
    }
}

/// `"0.0015"`: money. Not a float, which could not say what is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct AmountText(pub(super) Decimal);

impl<'de> Deserialize<'de> for AmountText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor(parse_amount)).map(Self)
    }
}

impl JsonSchema for AmountText {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Money, in quotes: up to 12 digits, and up to 12 more after a point.",
            "type": ["string", "integer"],
            "pattern": AMOUNT_PATTERN,
            "minimum": 0,
            "maximum": MOST_AMOUNT,
            "examples": ["49.00", "0.0000015"],
            EXPECTED: AMOUNT,
        })
    }
}

/// `1000` or `"0.25"`: so many units of a meter.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuantityText(pub(super) Decimal);

impl<'de> Deserialize<'de> for QuantityText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor(parse_quantity)).map(Self)
    }
}

impl JsonSchema for QuantityText {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Units of a meter: a whole number, or in quotes with as many decimal places as the meter has.",
            "type": ["integer", "string"],
            "pattern": QUANTITY_PATTERN,
            "minimum": 0,
            "maximum": MOST_QUANTITY,
            "examples": [1000, "0.25"],
            EXPECTED: QUANTITY,
        })
    }
}

/// A whole number, or the text of a decimal one.
struct DecimalVisitor(fn(&str) -> Option<Decimal>);

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or a decimal one in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
        (self.0)(text).ok_or_else(|| E::custom("not a decimal number"))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Decimal, E> {
        self.visit_str(&number.to_string())
    }
}
