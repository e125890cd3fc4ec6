//! The document, kept as text: values of a large one would not fit into an instance. What is needed is read when it is needed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use sluice_sdk::prelude::*;

/// How many references in a row are followed.
const MAX_HOPS: usize = 32;

/// The version decides what schemas mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Version {
    V30,
    V31,
}

/// An OpenAPI document.
pub(crate) struct Document {
    text: Box<str>,
    version: Version,
    /// Where in the text the paths and components are, so that a reference does not mean to read all of it.
    index: BTreeMap<String, (usize, usize)>,
}

/// A value of the document and where it is.
#[derive(Clone)]
pub(crate) struct Node<'d> {
    document: &'d Document,
    pointer: String,
    raw: &'d str,
}

impl Document {
    pub(crate) fn parse(text: Box<str>) -> Result<Self> {
        let mut document = Self { text, version: Version::V30, index: BTreeMap::new() };
        // Level by level, so that no part of the text is read more often than it has to be.
        document.learn(&[""]).context("the document is not JSON")?;
        document.learn(&["/paths", "/components"])?;
        let sections: Vec<_> = document.below("/components/");
        document.learn(&sections.iter().map(String::as_str).collect::<Vec<_>>())?;
        let version = document.root().required("openapi")?.text()?;
        document.version = match version.split('.').take(2).collect::<Vec<_>>()[..] {
            ["3", "0"] => Version::V30,
            ["3", "1"] => Version::V31,
            _ => bail!("the document is of OpenAPI {version}; 3.0 and 3.1 are known"),
        };
        if let Ok(dialect) = document.at("/jsonSchemaDialect") {
            check_dialect(&dialect)?;
        }
        Ok(document)
    }

    /// Notes where the members of these objects are.
    fn learn(&mut self, pointers: &[&str]) -> Result<()> {
        for pointer in pointers {
            let Ok(node) = self.at(pointer) else { continue };
            if node.is_object() || pointer.is_empty() {
                let places: Vec<_> = node
                    .members()?
                    .into_iter()
                    .map(|(_, node)| (node.pointer.clone(), node.place()))
                    .collect();
                self.index.extend(places);
            }
        }
        Ok(())
    }

    fn below(&self, prefix: &str) -> Vec<String> {
        self.index.keys().filter(|pointer| pointer.starts_with(prefix)).cloned().collect()
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn root(&self) -> Node<'_> {
        Node { document: self, pointer: String::new(), raw: &self.text }
    }

    /// The value that a JSON pointer names.
    pub(crate) fn at(&self, pointer: &str) -> Result<Node<'_>> {
        let missing = || Error::new(format!("there is nothing at `#{}`", short(pointer)));
        let ends = pointer.match_indices('/').map(|(at, _)| at).chain([pointer.len()]);
        let known = ends.filter_map(|end| Some((end, *self.index.get(&pointer[..end])?))).next_back();
        let (mut node, rest) = match known {
            Some((end, (from, to))) => {
                let raw = &self.text[from..to];
                (Node { document: self, pointer: pointer[..end].to_owned(), raw }, &pointer[end..])
            }
            // All that the root has is known.
            None if !self.index.is_empty() && !pointer.is_empty() => return Err(missing()),
            None => (self.root(), pointer),
        };
        ensure!(rest.is_empty() || rest.starts_with('/'), "`#{}` is not a JSON pointer", short(pointer));
        for token in rest.split('/').skip(1) {
            node = node.step(&unescape(token))?.ok_or_else(missing)?;
        }
        Ok(node)
    }

    /// The pointer that a `$ref` means.
    pub(crate) fn target(reference: &str) -> Result<String> {
        let Some(fragment) = reference.strip_prefix('#') else {
            bail!("`{}` is in another document: bundle it into one", short(reference));
        };
        let fragment = percent_encoding::percent_decode_str(fragment).decode_utf8()?;
        ensure!(
            fragment.is_empty() || fragment.starts_with('/'),
            "`{}` names an anchor: only JSON pointers are followed",
            short(reference)
        );
        Ok(fragment.into_owned())
    }
}

/// Refuses schemas of other dialects.
pub(crate) fn check_dialect(dialect: &Node<'_>) -> Result<()> {
    let uri = dialect.text()?;
    let known = uri.contains("spec.openapis.org/oas/3.1/dialect/")
        || uri.trim_end_matches('#') == "https://json-schema.org/draft/2020-12/schema";
    ensure!(known, "#{}: the schema dialect `{}` is not known", dialect.pointer, short(&uri));
    Ok(())
}

impl<'d> Node<'d> {
    pub(crate) fn pointer(&self) -> &str {
        &self.pointer
    }

    fn place(&self) -> (usize, usize) {
        let from = self.raw.as_ptr().addr() - self.document.text.as_ptr().addr();
        (from, from + self.raw.len())
    }

    fn child(&self, token: &str, raw: &'d RawValue) -> Self {
        Self {
            document: self.document,
            pointer: format!("{}/{}", self.pointer, escape(token)),
            raw: raw.get(),
        }
    }

    fn failed(&self, error: impl fmt::Display) -> Error {
        Error::new(format!("#{}: {error}", self.pointer))
    }

    pub(crate) fn is_object(&self) -> bool {
        self.raw.starts_with('{')
    }

    /// A member of an object. Of several with one name, the last.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Self>> {
        let mut reader = serde_json::Deserializer::from_str(self.raw);
        if self.pointer.is_empty() {
            return Ok(self.document.at(&format!("/{}", escape(name))).ok());
        }
        let found = reader.deserialize_map(Find(name)).map_err(|error| self.failed(error))?;
        Ok(found.map(|raw| self.child(name, raw)))
    }

    pub(crate) fn required(&self, name: &str) -> Result<Self> {
        self.get(name)?.ok_or_else(|| self.failed(format_args!("`{name}` is missing")))
    }

    fn step(&self, token: &str) -> Result<Option<Self>> {
        if self.raw.starts_with('[') {
            return Ok(token.parse().ok().and_then(|index: usize| self.items().ok()?.into_iter().nth(index)));
        }
        self.get(token)
    }

    pub(crate) fn members(&self) -> Result<Vec<(String, Self)>> {
        let mut reader = serde_json::Deserializer::from_str(self.raw);
        let members = reader.deserialize_map(Members).and_then(|members| reader.end().map(|()| members));
        let members = members.map_err(|error| self.failed(error))?;
        Ok(members.into_iter().map(|(name, raw)| (name.clone(), self.child(&name, raw))).collect())
    }

    pub(crate) fn items(&self) -> Result<Vec<Self>> {
        let items: Vec<&RawValue> = serde_json::from_str(self.raw).map_err(|error| self.failed(error))?;
        Ok(items.into_iter().enumerate().map(|(index, raw)| self.child(&index.to_string(), raw)).collect())
    }

    pub(crate) fn value(&self) -> Result<serde_json::Value> {
        serde_json::from_str(self.raw).map_err(|error| self.failed(error))
    }

    pub(crate) fn text(&self) -> Result<String> {
        serde_json::from_str(self.raw).map_err(|error| self.failed(error))
    }

    /// A member that is a truth value, `false` if it is not there.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        let Some(node) = self.get(name)? else { return Ok(None) };
        serde_json::from_str(node.raw).map(Some).map_err(|error| node.failed(error))
    }

    /// Follows `$ref` to what it stands for.
    pub(crate) fn resolve(self) -> Result<Self> {
        let mut node = self;
        for _ in 0..MAX_HOPS {
            if !node.is_object() {
                return Ok(node);
            }
            let Some(reference) = node.get("$ref")? else { return Ok(node) };
            let target = Document::target(&reference.text()?).and_then(|pointer| node.document.at(&pointer));
            node = target.map_err(|error| reference.failed(error))?;
        }
        Err(node.failed("references go round in a circle"))
    }
}

struct Find<'n>(&'n str);

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

/// A token of a JSON pointer (RFC 6901).
pub(crate) fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// A text for a message: not longer than a line.
pub(crate) fn short(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r##"{ "openapi": "3.1.0", "paths": { "/a/{b~}": { "get": [10, {"x": "y"}] } },
        "components": { "schemas": { "A": { "$ref": "#/components/schemas/B" }, "B": { "type": "object" },
        "C": { "$ref": "#/components/schemas/C" }, "D": { "$ref": "other.json#/D" } } } }"##;

    fn document() -> Document {
        Document::parse(TEXT.into()).unwrap()
    }

    #[test]
    fn a_pointer_finds_its_value() {
        let document = document();
        let node = document.at("/paths/~1a~1{b~0}/get/1/x").unwrap();
        assert_eq!((node.text().unwrap().as_str(), node.pointer()), ("y", "/paths/~1a~1{b~0}/get/1/x"));
        assert!(document.at("").unwrap().is_object());
        for pointer in ["/paths/~1a", "/paths/~1a~1{b~0}/get/2", "/nowhere/to/go", "/components/schemas/A/"] {
            assert!(document.at(pointer).is_err(), "{pointer}");
        }
    }

    #[test]
    fn references_are_followed_and_do_not_run_in_circles() {
        let document = document();
        let follow = |name: &str| document.at(&format!("/components/schemas/{name}")).unwrap().resolve();
        assert_eq!(follow("A").unwrap().pointer(), "/components/schemas/B");
        assert!(follow("C").err().unwrap().to_string().contains("in a circle"));
        assert!(follow("D").err().unwrap().to_string().contains("in another document"));
        assert_eq!(Document::target("#/paths/~1a~1%7Bb~0%7D").unwrap(), "/paths/~1a~1{b~0}");
    }

    #[test]
    fn other_documents_are_refused() {
        for (text, reason) in [
            (r#"{"swagger": "2.0"}"#, "`openapi` is missing"),
            (r#"{"openapi": "4.0.0"}"#, "OpenAPI 4.0.0"),
            (r#"{"openapi": "3.1.0", "jsonSchemaDialect": "https://a.example/"}"#, "dialect"),
            (r#"{"openapi": "3.1.0""#, "EOF"),
            ("[]", "an object"),
        ] {
            let error = Document::parse(text.into()).err().unwrap().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
