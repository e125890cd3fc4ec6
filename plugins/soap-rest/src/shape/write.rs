//! From JSON to an element, by the declared mapping.

use std::borrow::Cow;

use super::{Content, Kind, Leaf, Parts, Value};
use crate::convention;
use crate::json::Json;
use crate::names::Terms;
use crate::stop::Stop;
use crate::xml::Writer;

/// Writes an element of this name with what the document has for it.
pub(crate) fn write_element(
    name: &str,
    parts: &Parts,
    document: &Json,
    out: &mut Writer<'_>,
    terms: &Terms,
) -> Result<(), Stop> {
    out.check()?;
    out.open(name);
    for (tag, leaf) in &parts.attributes {
        if let Some(text) = text_of(leaf, document)? {
            out.attribute(&tag.written, &text);
        }
    }
    if let Some(leaf) = &parts.text {
        if leaf.nillable && document.find(&leaf.at) == Some(&Json::Null) {
            out.attribute("xsi:nil", "true");
            out.body();
        } else {
            let text = text_of(leaf, document)?.unwrap_or_default();
            out.body();
            out.text(&text);
        }
    } else {
        out.body();
    }
    for child in &parts.children {
        match &child.content {
            Content::Parts(inner) if inner.wants(document) => {
                write_element(&child.tag.written, inner, document, out, terms)?;
            }
            Content::Parts(_) => {}
            Content::Value(value) => write_value(value, &child.tag.written, document, out, terms)?,
        }
    }
    out.close(name);
    Ok(())
}

/// The text of a leaf; none if there is nothing and need be nothing.
fn text_of<'t>(leaf: &'t Leaf, document: &'t Json) -> Result<Option<Cow<'t, str>>, Stop> {
    let found = document.find(&leaf.at).filter(|value| **value != Json::Null).or(leaf.default.as_ref());
    match found {
        Some(value) => leaf.scalar.to_text(value).map(Some).map_err(|why| Stop::mismatch(&leaf.at, why)),
        None if leaf.optional => Ok(None),
        None => Err(Stop::mismatch(&leaf.at, "it is missing")),
    }
}

fn write_value(
    value: &Value,
    name: &str,
    document: &Json,
    out: &mut Writer<'_>,
    terms: &Terms,
) -> Result<(), Stop> {
    let found =
        document.find(&value.at).filter(|found| **found != Json::Null || (value.nillable && !value.list));
    match found {
        None if value.optional => Ok(()),
        None => Err(Stop::mismatch(&value.at, "it is missing")),
        Some(Json::Array(items)) if value.list => {
            for (index, item) in items.iter().enumerate() {
                let done = write_one(value, name, item, out, terms);
                done.map_err(|stop| stop.within(&format!("{}[{index}]", value.at), '.'))?;
            }
            Ok(())
        }
        Some(other) if value.list => {
            Err(Stop::mismatch(&value.at, format!("it is {} and not an array", other.kind())))
        }
        Some(item) => {
            write_one(value, name, item, out, terms).map_err(|stop| stop.within(&value.at.to_string(), '.'))
        }
    }
}

fn write_one(
    value: &Value,
    name: &str,
    item: &Json,
    out: &mut Writer<'_>,
    terms: &Terms,
) -> Result<(), Stop> {
    out.check()?;
    match (&value.kind, item) {
        (_, Json::Null) if value.nillable => {
            out.open(name);
            out.attribute("xsi:nil", "true");
            out.body();
            out.close(name);
        }
        (Kind::Scalar(scalar), item) => {
            out.element(name, &scalar.to_text(item).map_err(|why| Stop::mismatch("", why))?);
        }
        (Kind::Object(parts), Json::Object(_)) => {
            parts.check_known(item, terms)?;
            write_element(name, parts, item, out, terms)?;
        }
        // Parts may be of the value itself: `json = "."`.
        (Kind::Object(parts), _) if parts.places().iter().any(|(at, _, _)| at.0.is_empty()) => {
            write_element(name, parts, item, out, terms)?;
        }
        (Kind::Object(_), other) => {
            return Err(Stop::mismatch("", format!("it is {} and not an object", other.kind())));
        }
        (Kind::Any, item) => convention::write(name, item, out, terms)?,
    }
    Ok(())
}

impl Parts {
    /// Refuses members that no field is for, if the terms say so.
    pub(crate) fn check_known(&self, document: &Json, terms: &Terms) -> Result<(), Stop> {
        if !terms.refuses_unknown {
            return Ok(());
        }
        let places = self.places();
        let places: Vec<&[String]> = places.iter().map(|(at, ..)| at.0.as_slice()).collect();
        match stranger(&places, document) {
            Some(at) => Err(Stop::mismatch(at, "it is not known")),
            None => Ok(()),
        }
    }

    /// Whether there is anything to write, or has to be.
    pub(crate) fn wants(&self, document: &Json) -> bool {
        self.is_present(document) || self.is_required()
    }

    /// Whether the document has anything for it.
    fn is_present(&self, document: &Json) -> bool {
        let has = |leaf: &Leaf| {
            let found = document.find(&leaf.at);
            leaf.default.is_some() || found.is_some_and(|value| leaf.nillable || *value != Json::Null)
        };
        self.attributes.iter().any(|(_, leaf)| has(leaf))
            || self.text.as_ref().is_some_and(has)
            || self.children.iter().any(|child| match &child.content {
                Content::Parts(parts) => parts.is_present(document),
                Content::Value(value) => {
                    document.find(&value.at).is_some_and(|found| value.nillable || *found != Json::Null)
                }
            })
    }

    /// Whether the document has to have something for it.
    fn is_required(&self) -> bool {
        let wants = |leaf: &Leaf| !leaf.optional;
        self.attributes.iter().any(|(_, leaf)| wants(leaf))
            || self.text.as_ref().is_some_and(wants)
            || self.children.iter().any(|child| match &child.content {
                Content::Parts(parts) => parts.is_required(),
                Content::Value(value) => !value.optional,
            })
    }
}

/// The path of a member that is at none of the places and above none of them.
fn stranger(places: &[&[String]], document: &Json) -> Option<String> {
    let Json::Object(members) = document else { return None };
    if places.iter().any(|place| place.is_empty()) {
        return None;
    }
    members.iter().find_map(|(name, value)| {
        let below: Vec<&[String]> =
            places.iter().filter(|place| place[0] == *name).map(|place| &place[1..]).collect();
        match value {
            // What is left of an object whose members have gone elsewhere.
            Json::Object(members) if members.is_empty() => None,
            _ if below.is_empty() => Some(name.clone()),
            value => stranger(&below, value).map(|rest| format!("{name}.{rest}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::FieldConfig;
    use crate::shape::{Budget, read};
    use crate::xml;

    fn parts(terms: &Terms) -> Parts {
        let fields = serde_json::json!([
            { "json": "id", "xml": "@id", "type": "integer" },
            { "json": "customer.name", "xml": "o:Customer/Name" },
            { "json": "customer.mail", "xml": "o:Customer/@mail", "optional": true },
            { "json": "total", "xml": "Total", "type": "double", "nillable": true },
            { "json": "lines", "xml": "Lines/Line", "list": true, "fields": [
                { "json": "text", "xml": "." }, { "json": "paid", "xml": "@paid", "type": "boolean", "optional": true },
            ] },
        ]);
        let fields: Vec<FieldConfig> = serde_json::from_value(fields).unwrap();
        Parts::new(&fields, &terms.names, "fields").unwrap()
    }

    fn text(text: &str) -> Json {
        Json::text(text.chars().filter(|c| xml::is_char(*c)).collect::<String>())
    }

    proptest! {
        #[test]
        fn what_is_written_by_fields_is_read_by_them(
            id in any::<i64>(), name in ".{0,12}", mail in proptest::option::of(".{0,12}"),
            total in proptest::option::of(-1e9..1e9f64), lines in proptest::collection::vec((".{0,6}", any::<Option<bool>>()), 0..4),
        ) {
            let terms = Terms { refuses_unknown: true, ..Terms::of_tests() };
            let parts = parts(&terms);
            let mut customer = vec![("mail".to_owned(), mail.as_deref().map_or(Json::Null, text)), ("name".to_owned(), text(&name))];
            customer.retain(|(_, value)| *value != Json::Null);
            let lines = lines.iter().map(|(line, paid)| {
                let paid = paid.map(|paid| ("paid".to_owned(), Json::Bool(paid)));
                Json::Object(paid.into_iter().chain([("text".to_owned(), text(line))]).collect())
            });
            let document = Json::Object(vec![
                ("id".to_owned(), Json::Number(id.to_string())),
                ("customer".to_owned(), Json::Object(customer)),
                ("total".to_owned(), total.map_or(Json::Null, |total| Json::Number(format!("{total:?}")))),
                ("lines".to_owned(), Json::Array(lines.collect())),
            ]);
            prop_assert_eq!(parts.check_known(&document, &terms), Ok(()));
            let mut out = Writer::new(&terms.bounds);
            let decls = terms.names.declarations();
            write_element("r", &parts, &document, &mut out, &terms).unwrap();
            let message = out.finish().unwrap().replacen("<r", &format!("<r{decls}"), 1);
            let root = xml::parse(&message, &terms.bounds).unwrap();
            let mut found = Json::Object(Vec::new());
            read(&parts, &root, &mut found, &Budget::new(&terms)).unwrap();
            prop_assert_eq!(found.write(), document.write());
        }
    }

    #[test]
    fn strangers_are_named() {
        let terms = Terms { refuses_unknown: true, ..Terms::of_tests() };
        let parts = parts(&terms);
        for (document, at) in [
            (r#"{"id":1,"x":2}"#, Some("x")),
            (r#"{"customer":{"name":"a","x":{"y":1}}}"#, Some("customer.x")),
            (r#"{"id":1,"gone":{}}"#, None),
        ] {
            let document = crate::json::parse(document.as_bytes(), &terms.bounds).unwrap();
            let told = parts.check_known(&document, &terms).err();
            assert_eq!(told, at.map(|at| Stop::mismatch(at, "it is not known")));
        }
    }
}
