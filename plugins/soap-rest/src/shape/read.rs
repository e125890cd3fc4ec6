//! From an element to JSON, by the declared mapping.

use std::cell::Cell;

use super::{Child, Content, Kind, Leaf, Parts, Value};
use crate::convention;
use crate::json::Json;
use crate::names::Terms;
use crate::stop::Stop;
use crate::xml::{Element, XSI};

/// How many values may still be made. Defaults come to more than the document has.
pub(crate) struct Budget<'t> {
    terms: &'t Terms,
    left: Cell<usize>,
    refuses_unknown: bool,
}

impl<'t> Budget<'t> {
    pub(crate) fn new(terms: &'t Terms) -> Self {
        Self { terms, left: Cell::new(terms.bounds.values), refuses_unknown: terms.refuses_unknown }
    }

    /// Leaves out what no field is for, whatever the terms: headers are for others too.
    pub(crate) fn lenient(terms: &'t Terms) -> Self {
        Self { refuses_unknown: false, ..Self::new(terms) }
    }

    fn spend(&self) -> Result<(), Stop> {
        let left =
            self.left.get().checked_sub(1).ok_or_else(|| Stop::TooComplex(self.terms.bounds.too_many()))?;
        self.left.set(left);
        Ok(())
    }
}

/// Adds what is in an element to a document.
pub(crate) fn read(
    parts: &Parts,
    element: &Element,
    document: &mut Json,
    budget: &Budget<'_>,
) -> Result<(), Stop> {
    for (tag, leaf) in &parts.attributes {
        let text = element.attribute(&tag.name.namespace, &tag.name.local);
        put(leaf, text, document, budget).map_err(|stop| stop.within(&format!("@{}", tag.written), '/'))?;
    }
    if let Some(leaf) = &parts.text {
        if leaf.nillable && element.is_nil() {
            document.put(&leaf.at, Json::Null);
        } else {
            if parts.children.is_empty() && !element.children.is_empty() {
                return Err(Stop::mismatch("", "it has elements where only a text may be"));
            }
            put(leaf, (!element.is_nil()).then_some(element.text.as_str()), document, budget)?;
        }
    }
    for child in &parts.children {
        let name = &child.tag.name;
        let mut found = element.all(&name.namespace, &name.local);
        match &child.content {
            Content::Parts(inner) => {
                let first = found.next();
                only(found.next(), child)?;
                let done = match first {
                    Some(element) => read(inner, element, document, budget),
                    None => absent(inner, document, budget),
                };
                done.map_err(|stop| stop.within(&child.tag.written, '/'))?;
            }
            Content::Value(value) => read_value(value, child, found, document, budget)?,
        }
    }
    if budget.refuses_unknown { known(parts, element) } else { Ok(()) }
}

fn only(second: Option<&Element>, child: &Child) -> Result<(), Stop> {
    match second {
        Some(_) => Err(Stop::mismatch(&child.tag.written, "it occurs more than once")),
        None => Ok(()),
    }
}

fn put(leaf: &Leaf, text: Option<&str>, document: &mut Json, budget: &Budget<'_>) -> Result<(), Stop> {
    let value = match (text, &leaf.default) {
        (Some(text), _) => leaf.scalar.to_json(text).map_err(|why| Stop::mismatch("", why))?,
        (None, Some(default)) => default.clone(),
        (None, None) if leaf.optional => return Ok(()),
        (None, None) => return Err(Stop::mismatch("", "it is missing")),
    };
    budget.spend()?;
    document.put(&leaf.at, value);
    Ok(())
}

/// What an element that is not there stands for.
pub(crate) fn absent(parts: &Parts, document: &mut Json, budget: &Budget<'_>) -> Result<(), Stop> {
    for (tag, leaf) in &parts.attributes {
        put(leaf, None, document, budget).map_err(|stop| stop.within(&format!("@{}", tag.written), '/'))?;
    }
    if let Some(leaf) = &parts.text {
        put(leaf, None, document, budget)?;
    }
    for child in &parts.children {
        match &child.content {
            Content::Parts(inner) => {
                absent(inner, document, budget).map_err(|stop| stop.within(&child.tag.written, '/'))?;
            }
            Content::Value(value) => read_value(value, child, std::iter::empty(), document, budget)?,
        }
    }
    Ok(())
}

fn read_value<'e>(
    value: &Value,
    child: &Child,
    mut found: impl Iterator<Item = &'e Element>,
    document: &mut Json,
    budget: &Budget<'_>,
) -> Result<(), Stop> {
    let name = &child.tag.written;
    if value.list {
        let mut items = Vec::new();
        for (index, element) in found.enumerate() {
            let item = one(value, element, budget);
            items.push(item.map_err(|stop| stop.within(&format!("{name}[{}]", index + 1), '/'))?);
        }
        if !items.is_empty() || !value.optional {
            document.put(&value.at, Json::Array(items));
        }
        return Ok(());
    }
    let first = found.next();
    only(found.next(), child)?;
    match first {
        Some(element) if element.is_nil() && !value.nillable && value.optional => {}
        Some(element) => {
            let item = one(value, element, budget).map_err(|stop| stop.within(name, '/'))?;
            document.put(&value.at, item);
        }
        None if value.optional => {}
        None => return Err(Stop::mismatch(name, "it is missing")),
    }
    Ok(())
}

fn one(value: &Value, element: &Element, budget: &Budget<'_>) -> Result<Json, Stop> {
    budget.spend()?;
    if element.is_nil() {
        return if value.nillable { Ok(Json::Null) } else { Err(Stop::mismatch("", "it is nil")) };
    }
    match &value.kind {
        Kind::Scalar(_) if !element.children.is_empty() => {
            Err(Stop::mismatch("", "it has elements where only a text may be"))
        }
        Kind::Scalar(scalar) => scalar.to_json(&element.text).map_err(|why| Stop::mismatch("", why)),
        Kind::Any => Ok(convention::read(element, &budget.terms.names)),
        Kind::Object(parts) => {
            let mut object = Json::Object(Vec::new());
            read(parts, element, &mut object, budget)?;
            Ok(object)
        }
    }
}

/// Refuses what no field is for.
fn known(parts: &Parts, element: &Element) -> Result<(), Stop> {
    let stranger = element
        .children
        .iter()
        .find(|found| !parts.children.iter().any(|child| child.tag.name == found.name));
    if let Some(stranger) = stranger {
        return Err(Stop::mismatch(&stranger.name.local, "it is not known"));
    }
    let stranger = element.attributes.iter().find(|(name, _)| {
        &*name.namespace != XSI && !parts.attributes.iter().any(|(tag, _)| tag.name == *name)
    });
    if let Some((name, _)) = stranger {
        return Err(Stop::mismatch(format!("@{}", name.local), "it is not known"));
    }
    if parts.text.is_none() && !element.is_blank() {
        return Err(Stop::mismatch("", "it has a text where only elements may be"));
    }
    Ok(())
}
