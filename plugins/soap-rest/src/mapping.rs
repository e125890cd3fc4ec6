//! A mapping between the document and its element: by fields, by template or by convention.

use sluice_sdk::prelude::*;

use crate::config::FieldConfig;
use crate::convention;
use crate::json::{Json, Place};
use crate::names::{Names, Tag, Terms};
use crate::shape::{Budget, Parts, absent, read, write_element};
use crate::stop::Stop;
use crate::template::{Makes, Template};
use crate::xml::{Element, Writer};

/// How a document is an element.
#[derive(Debug)]
pub(crate) enum Mapping {
    Fields(Parts),
    Template(Template),
    Convention,
}

impl Mapping {
    /// `key` is where the configuration has it: the fields there, the template under `<key>_template`.
    pub(crate) fn new(
        fields: Option<&[FieldConfig]>,
        template: Option<String>,
        makes: Makes,
        names: &Names,
        key: &str,
    ) -> Result<Self> {
        match (fields, template) {
            (Some(_), Some(_)) => bail!("`{key}` and `{key}_template`: give one of them"),
            (Some(fields), None) => Parts::new(fields, names, key).map(Self::Fields),
            (None, Some(source)) => {
                Template::parse(source, makes).context(format_args!("{key}_template")).map(Self::Template)
            }
            (None, None) => Ok(Self::Convention),
        }
    }

    /// The document that an element is; of no element, what is left where everything is missing.
    pub(crate) fn read(&self, element: Option<&Element>, terms: &Terms) -> Result<Json, Stop> {
        let empty = || Json::Object(Vec::new());
        let convention = |element: Option<&Element>| match element
            .map(|element| convention::read(element, &terms.names))
        {
            // An element without anything in it is no text here.
            Some(Json::Text(text)) if text.trim_ascii().is_empty() => empty(),
            Some(value) => value,
            None => empty(),
        };
        match self {
            Self::Convention => Ok(convention(element)),
            Self::Template(template) => template.json(&convention(element), terms),
            Self::Fields(parts) => {
                let (mut document, budget) = (empty(), Budget::new(terms));
                match element {
                    Some(element) => read(parts, element, &mut document, &budget)?,
                    None => absent(parts, &mut document, &budget)?,
                }
                Ok(document)
            }
        }
    }

    /// The element of this name that a document is.
    pub(crate) fn write(
        &self,
        tag: &Tag,
        document: &Json,
        out: &mut Writer<'_>,
        terms: &Terms,
    ) -> Result<(), Stop> {
        match self {
            Self::Template(template) => template.xml(tag, document, out, terms),
            Self::Convention => convention::write(&tag.written, document, out, terms),
            Self::Fields(parts) => {
                parts.check_known(document, terms)?;
                write_element(&tag.written, parts, document, out, terms)
            }
        }
    }

    /// Takes away what would be written where this place is, under whatever name.
    pub(crate) fn remove(&self, document: &mut Json, place: &Place, terms: &Terms) {
        if let Self::Convention = self {
            convention::remove(document, place, &terms.names);
        }
    }

    pub(crate) fn parts(&self) -> Option<&Parts> {
        if let Self::Fields(parts) = self { Some(parts) } else { None }
    }
}
