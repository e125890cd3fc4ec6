//! The JSON Schema of `gateway.toml`, and the validation of a file against it.

use jsonschema::Validator;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::explain::{self, Finding};
use super::places::Places;
use super::raw::RawConfig;

/// The schema with its validator. Made for each reading and dropped with it: together they hold some MiB, which a gateway that
/// is not being configured has no use for.
pub(crate) struct Language {
    schema: Value,
    validator: Validator,
}

impl Language {
    pub(crate) fn new() -> Self {
        let schema = schema();
        let validator =
            explain::validator(&schema).expect("the schema of our own types is valid, as a test asserts");
        Self { schema, validator }
    }

    /// Everything in which a file does not follow the schema.
    pub(super) fn check(&self, json: &Value, places: &Places) -> Vec<Finding> {
        explain::check(&self.validator, &self.schema, json, places, None)
    }
}

/// The JSON Schema (draft 2020-12) of `gateway.toml`, for editors.
pub(crate) fn schema() -> Value {
    let generator: SchemaGenerator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<RawConfig>();
    schema.insert("title".to_owned(), json!("Sluice gateway"));
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::{Language, schema};

    #[test]
    fn our_schema_is_a_schema() {
        assert_eq!(schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(jsonschema::meta::is_valid(&schema()));
        assert!(Language::new().validator.is_valid(&serde_json::json!({ "version": 1 })));
    }
}
