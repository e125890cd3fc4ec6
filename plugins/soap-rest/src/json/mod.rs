//! JSON as this plugin keeps it: members in their order, numbers as they were written.

mod parse;

use std::fmt::Write as _;

pub(crate) use parse::{Unreadable, parse};

/// A value. Names within an object are unique.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Where a value stands: the names of members, from the outermost. Without any it is the document itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Place(pub(crate) Vec<String>);

impl Json {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The member of this name, if it is an object that has it.
    pub(crate) fn member(&self, name: &str) -> Option<&Json> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The text of a member.
    pub(crate) fn member_text(&self, name: &str) -> Option<&str> {
        match self.member(name)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What stands at a place; `null` is there.
    pub(crate) fn find(&self, place: &Place) -> Option<&Json> {
        place.0.iter().try_fold(self, |value, name| value.member(name))
    }

    /// Takes out what stands at a place.
    pub(crate) fn take(&mut self, place: &Place) -> Option<Json> {
        let Some((last, above)) = place.0.split_last() else {
            return Some(std::mem::replace(self, Self::Object(Vec::new())));
        };
        let mut value = self;
        for name in above {
            let Self::Object(members) = value else { return None };
            value = &mut members.iter_mut().find(|(known, _)| known == name)?.1;
        }
        let Self::Object(members) = value else { return None };
        let at = members.iter().position(|(known, _)| known == last)?;
        Some(members.remove(at).1)
    }

    /// Puts a value at a place, in objects that are made where there is none.
    pub(crate) fn put(&mut self, place: &Place, new: Json) {
        let mut value = self;
        for name in &place.0 {
            if !matches!(value, Self::Object(_)) {
                *value = Self::Object(Vec::new());
            }
            let Self::Object(members) = value else { return };
            let at = members.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                members.push((name.clone(), Self::Null));
                members.len() - 1
            });
            value = &mut members[at].1;
        }
        *value = new;
    }

    /// What kind of value it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The value as JSON text.
    pub(crate) fn write(&self) -> String {
        let mut out = String::new();
        self.append(&mut out);
        out
    }

    fn append(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => append_text(out, text),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.append(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    append_text(out, name);
                    out.push(':');
                    value.append(out);
                }
                out.push('}');
            }
        }
    }
}

fn append_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            // Writing to a string cannot fail.
            byte => drop(write!(out, "\\u{byte:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { "" })?;
        f.write_str(&self.0.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(names: &[&str]) -> Place {
        Place(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn places_are_made_found_and_taken() {
        let mut value = Json::Object(Vec::new());
        value.put(&place(&["a", "b"]), Json::Bool(true));
        value.put(&place(&["a", "c"]), Json::text("x\"\u{1}\\\n\r\t"));
        value.put(&place(&["d"]), Json::Array(vec![Json::Null, Json::Number("1.0".to_owned())]));
        assert_eq!(value.write(), r#"{"a":{"b":true,"c":"x\"\u0001\\\n\r\t"},"d":[null,1.0]}"#);
        assert_eq!(value.find(&place(&["a", "b"])), Some(&Json::Bool(true)));
        assert_eq!(value.find(&place(&["a", "b", "c"])), None);
        assert_eq!(value.take(&place(&["a", "c"])).map(|value| value.kind()), Some("a string"));
        assert_eq!(value.take(&place(&["a", "c"])), None);
        value.put(&place(&["a", "b", "deep"]), Json::Null);
        assert_eq!(value.write(), r#"{"a":{"b":{"deep":null}},"d":[null,1.0]}"#);
        assert!(value.take(&Place::default()).is_some());
        assert_eq!(value.write(), "{}");
    }
}
