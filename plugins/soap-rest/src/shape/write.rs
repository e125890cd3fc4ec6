//! From JSON to an element, by the declared mapping.

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
    out: &mut Writer,
    terms: &Terms,
) -> Result<(), Stop> {
    if out.len() > terms.bounds.size {
        return Err(Stop::TooLarge(terms.bounds.too_large()));
    }
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
fn text_of(leaf: &Leaf, document: &Json) -> Result<Option<String>, Stop> {
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
    out: &mut Writer,
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

fn write_one(value: &Value, name: &str, item: &Json, out: &mut Writer, terms: &Terms) -> Result<(), Stop> {
    if out.len() > terms.bounds.size {
        return Err(Stop::TooLarge(terms.bounds.too_large()));
    }
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
        (Kind::Object(parts), Json::Object(_)) => write_element(name, parts, item, out, terms)?,
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
