//! What the operator says.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use sluice_sdk::prelude::*;
use sluice_sdk::serde_json;

use crate::shape::Scalar;

/// Operations of a service, and which side of it speaks SOAP.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What clients speak. The upstream speaks the other.
    pub(crate) serve: Serve,
    /// The namespace of the operations' elements, as `targetNamespace` of the WSDL. May be empty.
    pub(crate) namespace: String,
    /// Whether elements within operations that are written without a prefix are of `namespace`, or of none, as
    /// `elementFormDefault` of the schema.
    #[serde(default)]
    pub(crate) elements: Form,
    /// Prefixes for further namespaces; an empty namespace is none.
    #[serde(default)]
    pub(crate) namespaces: BTreeMap<String, String>,
    /// The operations by name.
    pub(crate) operations: BTreeMap<String, OperationConfig>,
    /// How faults and problem documents correspond; the first that suits.
    #[serde(default)]
    pub(crate) faults: Vec<FaultConfig>,
    /// The version of SOAP: of SOAP clients the only one that is served, both if not given; of a SOAP upstream `1.1` if not given.
    #[serde(default)]
    pub(crate) version: Option<VersionConfig>,
    /// Path of the SOAP upstream. With `serve = "rest"` only, and needed there.
    #[serde(default)]
    pub(crate) endpoint: Option<String>,
    /// The WSDL that `GET ?wsdl` answers. With `serve = "soap"` only.
    #[serde(default)]
    pub(crate) wsdl: Option<String>,
    /// Header blocks of SOAP that are understood beside those in `header` of operations: one that must be understood and is not is
    /// refused. With `serve = "soap"` only.
    #[serde(default)]
    pub(crate) understood: Vec<String>,
    /// What becomes of requests that are none of an operation: with `serve = "soap"` those that are no SOAP by method and type, with
    /// `serve = "rest"` those of another method or path.
    #[serde(default)]
    pub(crate) unmatched: Unmatched,
    /// What becomes of elements, attributes, members and query parameters that no field is for. In faults they are always
    /// ignored.
    #[serde(default)]
    pub(crate) unknown: Unknown,
    /// Whether REST clients are shown the `detail` of faults that `faults` does not name, which may tell of the upstream's insides.
    #[serde(default)]
    pub(crate) expose_fault_detail: bool,
    /// Bytes of a body without its content coding, as it is read and as it is written. Not above the plugin's `limits.body`.
    #[serde(default = "default_size")]
    pub(crate) max_size: Size,
    /// Elements, or arrays and objects, within one another: 4 to 128.
    #[serde(default = "default_depth")]
    pub(crate) max_depth: usize,
    /// Elements and attributes, or values, in a body: 16 to 1,000,000.
    #[serde(default = "default_values")]
    pub(crate) max_values: usize,
}

/// What clients speak.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Serve {
    /// SOAP, to a REST upstream.
    Soap,
    /// REST, to a SOAP upstream.
    Rest,
}

/// Whether elements without a prefix are of the namespace.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Form {
    #[default]
    Qualified,
    Unqualified,
}

/// A version of SOAP.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq)]
pub(crate) enum VersionConfig {
    #[serde(rename = "1.1")]
    V11,
    #[serde(rename = "1.2")]
    V12,
}

/// What becomes of requests that are none of an operation.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unmatched {
    #[default]
    Refuse,
    Pass,
}

/// What becomes of what no field is for.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unknown {
    #[default]
    Ignore,
    Refuse,
}

/// An operation: what it is in SOAP, what it is in REST, and how the one becomes the other.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationConfig {
    /// Method and path in REST: `GET /orders/{id}`. What stands in braces is a member of the input.
    pub(crate) rest: String,
    /// Query parameters and the members of the input that they are.
    #[serde(default)]
    pub(crate) query: BTreeMap<String, String>,
    /// Headers of the request and the members of the input that they are.
    #[serde(default, deserialize_with = "each_once")]
    pub(crate) headers: BTreeMap<HeaderName, String>,
    /// The body in REST: `*` for all of the input that is nowhere else, a member of it, or `none`. If not given, `*` with `POST`, `PUT`
    /// and `PATCH`, and `none` otherwise.
    #[serde(default)]
    pub(crate) body: Option<String>,
    /// Status in REST of what succeeds, for REST clients.
    #[serde(default = "default_status")]
    pub(crate) status: u16,
    /// Headers of the response in REST and the members of the output that they are.
    #[serde(default, deserialize_with = "each_once")]
    pub(crate) response_headers: BTreeMap<HeaderName, String>,
    /// The action in SOAP. A SOAP client that names another is refused; without it, any is taken.
    #[serde(default)]
    pub(crate) action: Option<String>,
    /// The element of the request in SOAP; the operation's name if not given.
    #[serde(default)]
    pub(crate) request: Option<String>,
    /// The element of the response in SOAP; that of the request with `Response` behind it if not given.
    #[serde(default)]
    pub(crate) response: Option<String>,
    /// Members of the input that are in header blocks of SOAP.
    #[serde(default)]
    pub(crate) header: Vec<FieldConfig>,
    /// The input's fields. Without fields and template it is mapped by convention.
    #[serde(default)]
    pub(crate) input: Option<Vec<FieldConfig>>,
    /// A Jinja template that makes the input.
    #[serde(default)]
    pub(crate) input_template: Option<String>,
    /// The output's fields. Without fields and template it is mapped by convention.
    #[serde(default)]
    pub(crate) output: Option<Vec<FieldConfig>>,
    /// A Jinja template that makes the output.
    #[serde(default)]
    pub(crate) output_template: Option<String>,
}

/// Names that differ in their case only are one: the last would count, and the others be forgotten.
fn each_once<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<HeaderName, String>, D::Error> {
    let mut headers = BTreeMap::new();
    for (written, member) in BTreeMap::<String, String>::deserialize(deserializer)? {
        let name: HeaderName = written.parse().map_err(serde::de::Error::custom)?;
        if headers.insert(name, member).is_some() {
            return Err(serde::de::Error::custom(format_args!("the header `{written}` is there twice")));
        }
    }
    Ok(headers)
}

/// A fault, and the problem document that it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultConfig {
    /// Status in REST, 400 to 599.
    pub(crate) status: u16,
    /// `type` of the problem document; of a REST upstream's documents, any if not given.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// Whose fault it is. Of a SOAP upstream's faults, any if not given; for SOAP clients, by status if not given.
    #[serde(default)]
    pub(crate) code: Option<Blame>,
    /// The subcode: a name with a prefix. In SOAP 1.1 it stands in place of the code.
    #[serde(default)]
    pub(crate) subcode: Option<String>,
    /// The element in the fault's detail.
    #[serde(default)]
    pub(crate) detail: Option<String>,
    /// The detail's fields: members of the problem document. By convention if not given.
    #[serde(default)]
    pub(crate) fields: Option<Vec<FieldConfig>>,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Blame {
    Sender,
    Receiver,
}

/// A field, or only its name in JSON, which stands for `{ json = "..." }`.
#[derive(Debug)]
pub(crate) struct FieldConfig {
    pub(crate) json: String,
    pub(crate) xml: Option<String>,
    pub(crate) kind: Option<FieldType>,
    pub(crate) list: bool,
    pub(crate) optional: bool,
    pub(crate) nillable: bool,
    pub(crate) default: Option<serde_json::Value>,
    pub(crate) fields: Option<Vec<FieldConfig>>,
}

/// A field.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FieldTable {
    /// The member: names with dots between them, or `.` for all of it.
    json: String,
    /// The element or attribute: `Customer/Name`, `Customer/@id`, or `.` for the text of the element at hand. If not given, as `json`.
    #[serde(default)]
    xml: Option<String>,
    /// What the text is, or `any` for whatever is there, by convention. If not given, a string.
    #[serde(default, rename = "type")]
    kind: Option<FieldType>,
    /// Whether the element occurs any number of times: an array.
    #[serde(default)]
    list: bool,
    /// Whether it may be missing.
    #[serde(default)]
    optional: bool,
    /// Whether `null` is an element with `xsi:nil`. Otherwise `null` is as if it was missing.
    #[serde(default)]
    nillable: bool,
    /// What is taken if it is missing.
    #[serde(default)]
    default: Option<serde_json::Value>,
    /// Fields of what is an object.
    #[serde(default)]
    fields: Option<Vec<FieldConfig>>,
}

/// What a field is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FieldType {
    String,
    Integer,
    Decimal,
    Double,
    Boolean,
    Any,
}

impl FieldType {
    pub(crate) fn scalar(self) -> Option<Scalar> {
        Some(match self {
            Self::String => Scalar::String,
            Self::Integer => Scalar::Integer,
            Self::Decimal => Scalar::Decimal,
            Self::Double => Scalar::Double,
            Self::Boolean => Scalar::Boolean,
            Self::Any => return None,
        })
    }
}

fn default_size() -> Size {
    Size::from_bytes(1 << 20)
}

fn default_depth() -> usize {
    64
}

fn default_values() -> usize {
    20_000
}

fn default_status() -> u16 {
    200
}

impl<'de> Deserialize<'de> for FieldConfig {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = FieldConfig;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a field: a name, or a table with `json`")
            }

            fn visit_str<E>(self, name: &str) -> Result<FieldConfig, E> {
                Ok(FieldConfig {
                    json: name.to_owned(),
                    xml: None,
                    kind: None,
                    list: false,
                    optional: false,
                    nillable: false,
                    default: None,
                    fields: None,
                })
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<FieldConfig, A::Error> {
                let table = FieldTable::deserialize(MapAccessDeserializer::new(map))?;
                let FieldTable { json, xml, kind, list, optional, nillable, default, fields } = table;
                Ok(FieldConfig { json, xml, kind, list, optional, nillable, default, fields })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for FieldConfig {
    fn schema_name() -> Cow<'static, str> {
        "Field".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<FieldTable>();
        json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}
