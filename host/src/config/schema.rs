//! The JSON Schema of `gateway.toml`, and the validation of a file against it.

use std::sync::LazyLock;

use jsonschema::Validator;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::explain::{self, Finding};
use super::places::Places;
use super::raw::RawConfig;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let generator: SchemaGenerator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<RawConfig>();
    schema.insert("title".to_owned(), json!("Sluice gateway"));
    schema.to_value()
});

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    explain::validator(&SCHEMA).expect("the schema of our own types is valid, as a test asserts")
});

/// The JSON Schema (draft 2020-12) of `gateway.toml`, for editors.
pub(crate) fn schema() -> Value {
    SCHEMA.clone()
}

/// Everything in which a file does not follow the schema.
pub(super) fn check(json: &Value, places: &Places) -> Vec<Finding> {
    explain::check(&VALIDATOR, &SCHEMA, json, places, None)
}

#[cfg(test)]
mod tests {
    use super::{SCHEMA, VALIDATOR, schema};

    #[test]
    fn our_schema_is_a_schema() {
        assert_eq!(schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(jsonschema::meta::is_valid(&SCHEMA));
        assert!(VALIDATOR.is_valid(&serde_json::json!({ "version": 1 })));
    }
}
