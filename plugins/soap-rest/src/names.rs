//! Names as the configuration writes them: with a prefix, or without.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use sluice_sdk::prelude::*;

use crate::bounds::Bounds;
use crate::xml::{self, Name, XML, XSI, is_name};

/// A name, and how it is written with the prefixes that every message declares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tag {
    pub(crate) name: Name,
    pub(crate) written: String,
}

/// What all mappings have in common.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) names: Names,
    pub(crate) bounds: Bounds,
    /// Whether what no field is for is refused, rather than left out.
    pub(crate) refuses_unknown: bool,
}

/// The namespaces of a service.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    target: Rc<str>,
    /// The namespace of elements that are written without a prefix.
    elements: Rc<str>,
    prefixes: Vec<(String, Rc<str>)>,
    /// The declarations of all prefixes, each with a blank before it.
    declarations: String,
}

/// Prefixes that messages need themselves.
const RESERVED: [&str; 4] = ["soap", "xsi", "xml", "xmlns"];
const TARGET: &str = "tns";

impl Names {
    pub(crate) fn new(target: &str, qualified: bool, prefixes: &BTreeMap<String, String>) -> Result<Self> {
        let mut known: Vec<(String, Rc<str>)> = Vec::new();
        for (prefix, namespace) in prefixes {
            ensure!(is_name(prefix), "`namespaces.{prefix}`: the prefix is not a name of XML");
            let is_reserved = RESERVED.contains(&prefix.as_str());
            ensure!(!is_reserved, "`namespaces.{prefix}`: the prefix is taken for the messages themselves");
            ensure!(
                prefix != TARGET || namespace == target,
                "`namespaces.{TARGET}`: `{TARGET}` stands for `namespace`"
            );
            ensure!(
                namespace.chars().all(xml::is_char),
                "`namespaces.{prefix}` has a character that XML does not have"
            );
            known.push((prefix.clone(), namespace.as_str().into()));
        }
        ensure!(target.chars().all(xml::is_char), "`namespace` has a character that XML does not have");
        let target: Rc<str> = target.into();
        if !known.iter().any(|(prefix, _)| prefix == TARGET) {
            known.push((TARGET.to_owned(), Rc::clone(&target)));
        }
        let mut declarations = format!(" xmlns:xsi=\"{XSI}\"");
        for (prefix, namespace) in known.iter().filter(|(_, namespace)| !namespace.is_empty()) {
            // Writing to a string cannot fail.
            let _ = write!(declarations, " xmlns:{prefix}=\"{}\"", xml::escape(namespace));
        }
        let elements = if qualified { Rc::clone(&target) } else { "".into() };
        Ok(Self { target, elements, prefixes: known, declarations })
    }

    /// The declarations of all prefixes, as attributes.
    pub(crate) fn declarations(&self) -> &str {
        &self.declarations
    }

    /// An element within an operation.
    pub(crate) fn element(&self, text: &str) -> Result<Tag> {
        self.tag(text, &self.elements)
    }

    /// An element that the service declares at the top: without a prefix it is of `namespace`.
    pub(crate) fn top(&self, text: &str) -> Result<Tag> {
        self.tag(text, &self.target)
    }

    /// An attribute: without a prefix it is of no namespace.
    pub(crate) fn attribute(&self, text: &str) -> Result<Tag> {
        ensure!(text != "xmlns", "`xmlns` declares a namespace and is no attribute");
        let tag = self.tag(text, &Rc::from(""))?;
        ensure!(!tag.name.is(XSI, "nil"), "`{text}` is what `null` is written as");
        Ok(tag)
    }

    fn tag(&self, text: &str, unprefixed: &Rc<str>) -> Result<Tag> {
        let (prefix, local) = match text.split_once(':') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, text),
        };
        ensure!(is_name(local), "`{text}` is not a name of XML");
        let namespace = match prefix {
            None => Rc::clone(unprefixed),
            Some("xml") => XML.into(),
            Some("xsi") => XSI.into(),
            Some(prefix) => {
                let found = self.prefixes.iter().find(|(known, _)| known == prefix);
                let found = found.context(format_args!("`{text}`: `namespaces` has no `{prefix}`"))?;
                Rc::clone(&found.1)
            }
        };
        let written = match self.prefix_of(&namespace) {
            Some(prefix) => format!("{prefix}:{local}"),
            None => local.to_owned(),
        };
        Ok(Tag { name: Name { namespace, local: local.to_owned() }, written })
    }

    fn prefix_of(&self, namespace: &str) -> Option<&str> {
        match namespace {
            "" => None,
            XML => Some("xml"),
            XSI => Some("xsi"),
            _ => self
                .prefixes
                .iter()
                .find(|(_, known)| **known == *namespace)
                .map(|(prefix, _)| prefix.as_str()),
        }
    }

    /// How the configuration would write an element's name; without a prefix if it has no prefix for the namespace.
    pub(crate) fn short(&self, name: &Name) -> String {
        match self.prefix_of(&name.namespace) {
            Some(prefix) if name.namespace != self.elements => format!("{prefix}:{}", name.local),
            _ => name.local.clone(),
        }
    }

    /// As [`short`](Self::short), of an attribute; none if there is no prefix for its namespace.
    pub(crate) fn short_attribute(&self, name: &Name) -> Option<String> {
        match self.prefix_of(&name.namespace) {
            Some(prefix) => Some(format!("{prefix}:{}", name.local)),
            None => name.namespace.is_empty().then(|| name.local.clone()),
        }
    }
}

#[cfg(test)]
impl Terms {
    /// With the target namespace `urn:t` and the prefix `o` for `urn:o`.
    pub(crate) fn of_tests() -> Self {
        let prefixes =
            BTreeMap::from([("o".to_owned(), "urn:o".to_owned()), ("none".to_owned(), String::new())]);
        let names = Names::new("urn:t", true, &prefixes).unwrap();
        Self { names, bounds: Bounds::default(), refuses_unknown: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_namespace_of_their_place() {
        let Terms { names, .. } = Terms::of_tests();
        let told = |tag: Tag| format!("{}|{}|{}", tag.name.namespace, tag.name.local, tag.written);
        assert_eq!(told(names.element("a").unwrap()), "urn:t|a|tns:a");
        assert_eq!(told(names.element("o:a").unwrap()), "urn:o|a|o:a");
        assert_eq!(told(names.element("none:a").unwrap()), "|a|a");
        assert_eq!(told(names.attribute("a").unwrap()), "|a|a");
        assert_eq!(told(names.attribute("xml:lang").unwrap()), format!("{XML}|lang|xml:lang"));
        assert_eq!(told(names.attribute("xsi:type").unwrap()), format!("{XSI}|type|xsi:type"));
        assert!(names.attribute("xsi:nil").is_err());
        assert!(names.element("x:a").unwrap_err().to_string().contains("has no `x`"));
        assert!(names.element("1").is_err() && names.element("").is_err() && names.element("o:").is_err());
        let unqualified = Names::new("urn:t", false, &BTreeMap::new()).unwrap();
        assert_eq!(told(unqualified.element("a").unwrap()), "|a|a");
        assert_eq!(told(unqualified.top("a").unwrap()), "urn:t|a|tns:a");
        assert_eq!(unqualified.short(&unqualified.top("a").unwrap().name), "tns:a");
        assert_eq!(names.short(&names.top("a").unwrap().name), "a");
    }
}
