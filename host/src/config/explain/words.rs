//! What a schema asks for, and what a value is, in words.

use serde_json::{Map, Value};

use crate::config::amount;
use crate::config::field::{ALIASES, EXPECTED};
use crate::config::places::Places;
use crate::config::quantity::{mend_duration, mend_size};
use crate::config::similar::either;

/// The part of a schema at a pointer.
pub(super) fn node<'a>(schema: &'a Value, pointer: &str) -> Option<&'a Value> {
    // a pointer into a schema with an id of its own is none into this document, and then there are no words for it
    schema.pointer(pointer)
}

fn follow<'a>(schema: &'a Value, part: &'a Value) -> Option<&'a Value> {
    match part.get("$ref").and_then(Value::as_str) {
        Some(reference) => node(schema, reference.strip_prefix('#')?),
        None => Some(part),
    }
}

/// What a part of a schema says of itself.
pub(super) fn expected_of(part: &Value) -> Option<String> {
    Some(part.get(EXPECTED)?.as_str()?.to_owned())
}

/// What a part of a schema asks for.
pub(super) fn expected(schema: &Value, part: &Value) -> Option<String> {
    options(schema, part, 0).map(|options| either(&options)).filter(|words| !words.is_empty())
}

fn options(schema: &Value, part: &Value, depth: usize) -> Option<Vec<String>> {
    if depth > 8 {
        return None;
    }
    if let Some(words) = expected_of(part) {
        return Some(vec![words]);
    }
    let part = follow(schema, part)?;
    if let Some(words) = expected_of(part) {
        return Some(vec![words]);
    }
    if let Some(constant) = part.get("const") {
        return Some(vec![constant.to_string()]);
    }
    if let Some(constants) = part.get("enum").and_then(Value::as_array) {
        return Some(constants.iter().map(Value::to_string).collect());
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(branches) = part.get(key).and_then(Value::as_array) {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(options(schema, branch, depth + 1)?);
            }
            return Some(all);
        }
    }
    let names = match part.get("type")? {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    // TOML has no null, so nobody could write it
    Some(names.into_iter().filter(|name| *name != "null").map(|name| type_name(name).to_owned()).collect())
}

/// A type of JSON as a writer of TOML calls it.
pub(super) fn type_name(name: &str) -> &str {
    match name {
        "object" => "a table",
        "array" => "an array",
        "string" => "a string",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        "null" => "nothing",
        other => other,
    }
}

/// What was found: as it stands in the file, for what came in by substitution is nobody's business.
pub(super) fn found(value: &Value, places: &Places, pointer: &str) -> String {
    let kind = match value {
        Value::Null => return "nothing".to_owned(),
        Value::Object(_) => return "a table".to_owned(),
        Value::Array(list) if list.is_empty() => return "an empty array".to_owned(),
        Value::Array(_) => return "an array".to_owned(),
        Value::Bool(_) => "",
        Value::Number(number) if number.is_f64() => "float ",
        Value::Number(_) => "integer ",
        Value::String(_) => "string ",
    };
    let blotted = places.written(pointer).is_some_and(|text| text.contains("***"));
    match places.written(pointer) {
        Some(text) if places.is_substituted(pointer) => format!("another value in {text}"),
        Some(text) if !blotted && text.starts_with(['"', '\'']) => format!("{kind}{text}"),
        Some(text) if !blotted => format!("{kind}`{text}`"),
        _ => format!("another {}", if kind.is_empty() { "value" } else { kind.trim_end() }),
    }
}

/// Between which bounds a value of this kind should lie.
pub(super) fn bounds(part: &Value, found: &Value) -> Option<String> {
    let (least, most, unit) = match found {
        Value::Number(_) => ("minimum", "maximum", ""),
        Value::String(_) => ("minLength", "maxLength", "character"),
        Value::Array(_) => ("minItems", "maxItems", "entry"),
        Value::Object(_) => ("minProperties", "maxProperties", "key"),
        _ => return None,
    };
    let things = |count: &Value| match (unit, count.as_u64() == Some(1)) {
        ("", _) => String::new(),
        (unit, true) => format!(" {unit}"),
        ("entry", false) => " entries".to_owned(),
        (unit, false) => format!(" {unit}s"),
    };
    match (part.get(least), part.get(most)) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{}", things(most))),
        (Some(least), None) => Some(format!("at least {least}{}", things(least))),
        (None, Some(most)) => Some(format!("at most {most}{}", things(most))),
        (None, None) => match (part.get("exclusiveMinimum"), part.get("exclusiveMaximum")) {
            (Some(least), _) => Some(format!("more than {least}")),
            (None, Some(most)) => Some(format!("less than {most}")),
            (None, None) => part.get("multipleOf").map(|of| format!("a multiple of {of}")),
        },
    }
}

/// The keys that a table may have.
pub(super) fn properties(table: Option<&Map<String, Value>>) -> Vec<&str> {
    let properties = table.and_then(|table| table.get("properties")?.as_object());
    properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str)).collect()
}

/// The key that people also know by this name.
pub(super) fn aliased<'a>(
    schema: &'a Value,
    table: Option<&'a Map<String, Value>>,
    key: &str,
) -> Option<&'a str> {
    let properties = table?.get("properties")?.as_object()?;
    let knows = |part: &Value| {
        let aliases = part.get(ALIASES).and_then(Value::as_array);
        aliases.is_some_and(|aliases| aliases.iter().any(|alias| alias == key))
    };
    properties
        .iter()
        .find(|(_, property)| knows(property) || follow(schema, property).is_some_and(knows))
        .map(|(name, _)| name.as_str())
}

/// The table, among those of this table, to which a key belongs.
pub(super) fn home_of<'a>(
    schema: &'a Value,
    table: Option<&'a Map<String, Value>>,
    key: &str,
) -> Option<&'a str> {
    let siblings = table?.get("properties")?.as_object()?;
    let has = |part: &Value| part.get("properties").is_some_and(|keys| keys.get(key).is_some());
    siblings
        .iter()
        .find(|(_, sibling)| follow(schema, sibling).is_some_and(has))
        .map(|(name, _)| name.as_str())
}

/// How to write a value that is almost right.
pub(super) fn mend(words: &str, found: &Value, written: Option<&str>) -> Option<String> {
    if words.starts_with("a duration") {
        return Some(match found {
            Value::String(text) => mend_duration(text).map_or_else(
                || "a whole number and one of the units `us`, `ms`, `s`, `m`, `h`, `d`".to_owned(),
                |mended| format!("write \"{mended}\""),
            ),
            Value::Number(number) if number.is_u64() => format!("write \"{number}s\" for seconds"),
            _ => return None,
        });
    }
    if words.starts_with("a size") {
        return Some(match found {
            Value::String(text) => mend_size(text).map_or_else(
                || {
                    "a whole number and one of the units `B`, `KiB`, `MiB`, `GiB`, `KB`, `MB`, `GB`"
                        .to_owned()
                },
                |mended| format!("write \"{mended}\""),
            ),
            Value::Number(number) if number.is_u64() => format!("write \"{number}B\" for bytes"),
            _ => return None,
        });
    }
    if words == amount::AMOUNT || words == amount::QUANTITY {
        let meant = match found {
            Value::String(text) => amount::mend(words, text),
            Value::Number(_) => written.and_then(|written| amount::mend(words, written)),
            _ => None,
        };
        return meant.map(|meant| format!("write {meant}"));
    }
    let one = matches!(found, Value::String(_) | Value::Number(_));
    let wrapped = written.map(|written| format!("write [{written}]"));
    wrapped.filter(|_| one && words.starts_with("an array"))
}
