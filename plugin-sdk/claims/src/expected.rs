//! What a claim has to be.

use serde_json::Value as Json;
use sluice_sdk::prelude::*;

/// What a claim has to be: one value, or one of a list of at least one. Values are compared by type too.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected(Vec<Scalar>);

/// A value that has no parts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Flag(bool),
    Number(i64),
}

impl Scalar {
    fn is(&self, value: &Json) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Flag(flag) => value.as_bool() == Some(*flag),
            Self::Number(number) => value.as_i64() == Some(*number),
        }
    }
}

impl Expected {
    /// Whether a claim is one of the values. Of a claim that is a list, one item has to be; lists in it are none.
    #[must_use]
    pub fn fits(&self, claim: &Json) -> bool {
        let fits = |item: &Json| self.0.iter().any(|value| value.is(item));
        match claim {
            Json::Array(items) => items.iter().any(fits),
            claim => fits(claim),
        }
    }
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = OneOrMany::deserialize(deserializer)?.into_vec();
        let is_empty = || serde::de::Error::custom("a claim cannot be one of no values");
        if values.is_empty() { Err(is_empty()) } else { Ok(Self(values)) }
    }
}

impl JsonSchema for Expected {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expected".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = ["string", "boolean", "integer"];
        schemars::json_schema!({
            "description": "What a claim has to be: one value, or one of several.",
            "anyOf": [{ "type": one }, { "type": "array", "items": { "type": one }, "minItems": 1 }],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected(value: Json) -> Expected {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn expectations_fit_values_and_items() {
        let one = expected(json!("gold"));
        assert!(one.fits(&json!("gold")) && one.fits(&json!(["silver", "gold"])));
        for other in [json!("golden"), json!([]), json!([["gold"]]), json!({ "gold": 1 })] {
            assert!(!one.fits(&other), "{other}");
        }
        let several = expected(json!([true, 7]));
        assert!(several.fits(&json!(true)) && several.fits(&json!(7)));
        for other in [json!("true"), json!("7"), json!(false), json!(7.5), json!(null)] {
            assert!(!several.fits(&other), "{other}");
        }
    }

    #[test]
    fn one_of_nothing_is_no_expectation() {
        for bad in [json!([]), json!({}), json!(null), json!(1.5), json!([["a"]])] {
            assert!(serde_json::from_value::<Expected>(bad.clone()).is_err(), "{bad}");
        }
    }
}
