//! The declared mapping: which element or attribute is which member, compiled from fields to the parts of an element.

mod read;
mod scalar;
mod write;

use sluice_sdk::prelude::*;
use sluice_sdk::serde_json;

use crate::config::{FieldConfig, FieldType};
use crate::json::{Json, Place};
use crate::names::{Names, Tag};
pub(crate) use read::{Budget, absent, read};
pub(crate) use scalar::Scalar;
pub(crate) use write::write_element;

/// What is in an element.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    attributes: Vec<(Tag, Leaf)>,
    text: Option<Leaf>,
    children: Vec<Child>,
}

/// A text: that of an attribute, or of an element.
#[derive(Debug)]
struct Leaf {
    at: Place,
    scalar: Scalar,
    optional: bool,
    nillable: bool,
    default: Option<Json>,
}

#[derive(Debug)]
struct Child {
    tag: Tag,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Its parts belong to the object at hand.
    Parts(Parts),
    /// It is a value by itself, or one of several.
    Value(Value),
}

#[derive(Debug)]
struct Value {
    at: Place,
    list: bool,
    optional: bool,
    nillable: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Scalar(Scalar),
    Object(Parts),
    Any,
}

/// Fields of one object.
const MAX_FIELDS: usize = 200;

impl Parts {
    /// Compiles the fields; `key` is where the configuration has them.
    pub(crate) fn new(fields: &[FieldConfig], names: &Names, key: &str) -> Result<Self> {
        Self::compile(fields, names, key, false)
    }

    /// As [`new`](Self::new), of header blocks: the service declares them at the top, whatever holds within operations.
    pub(crate) fn of_header(fields: &[FieldConfig], names: &Names, key: &str) -> Result<Self> {
        Self::compile(fields, names, key, true)
    }

    fn compile(fields: &[FieldConfig], names: &Names, key: &str, is_top: bool) -> Result<Self> {
        let mut parts = Self::default();
        let mut places: Vec<Place> = Vec::new();
        ensure!(fields.len() <= MAX_FIELDS, "`{key}` has more than {MAX_FIELDS} fields");
        for (index, field) in fields.iter().enumerate() {
            let key = format!("{key}[{index}]");
            let at = place(&field.json).context(format_args!("{key}.json"))?;
            let clash = places.iter().find(|known| known.0.starts_with(&at.0) || at.0.starts_with(&known.0));
            if let Some(known) = clash {
                bail!("{key}.json: `{at}` and `{known}` cannot both be there");
            }
            parts.add(field, at.clone(), names, &key, is_top)?;
            places.push(at);
        }
        Ok(parts)
    }

    fn add(&mut self, field: &FieldConfig, at: Place, names: &Names, key: &str, is_top: bool) -> Result<()> {
        let xml_key = format!("{key}.xml");
        let path = match &field.xml {
            Some(path) => path.clone(),
            None => {
                ensure!(!at.0.is_empty(), "{xml_key} has to be given where `json` is `.`");
                at.0.join("/")
            }
        };
        let path = Path::new(&path, names, is_top).context(&xml_key)?;
        let kind = Self::kind(field, names, key)?;
        let default = field.default(&kind, key)?;
        let FieldConfig { list, optional, nillable, .. } = *field;
        let leaf = |scalar| Leaf { at: at.clone(), scalar, optional, nillable, default: default.clone() };
        let mut parts = self;
        let (last, above) = match (&kind, list) {
            // A single text may have attributes beside it.
            (Kind::Scalar(_), false) => (None, path.elements.as_slice()),
            _ => path.elements.split_last().map_or((None, &[][..]), |(last, above)| (Some(last), above)),
        };
        for tag in above {
            parts = parts.descend(tag).context(&xml_key)?;
        }
        match (kind, path.attribute, last) {
            (Kind::Scalar(scalar), Some(tag), None) if !list => {
                ensure!(!nillable, "`{key}.nillable`: an attribute cannot be nil");
                let is_known = parts.attributes.iter().any(|(known, _)| known.name == tag.name);
                ensure!(!is_known, "{xml_key}: the attribute is declared twice");
                parts.attributes.push((tag, leaf(scalar)));
            }
            (_, Some(_), _) => bail!("{xml_key}: an attribute is a single text"),
            (Kind::Scalar(scalar), None, None) if !list => {
                ensure!(parts.text.is_none(), "{xml_key}: the element is declared twice");
                parts.text = Some(leaf(scalar));
            }
            (kind, None, Some(tag)) => {
                ensure!(default.is_none(), "`{key}.default` is for single texts");
                let is_known = parts.children.iter().any(|known| known.tag.name == tag.name);
                ensure!(!is_known, "{xml_key}: the element is declared twice");
                let content = Content::Value(Value { at, list, optional, nillable, kind });
                parts.children.push(Child { tag: tag.clone(), content });
            }
            (_, None, None) => bail!("{xml_key}: `.` is a single text"),
        }
        Ok(())
    }

    fn kind(field: &FieldConfig, names: &Names, key: &str) -> Result<Kind> {
        Ok(match (&field.fields, field.kind) {
            (Some(_), Some(_)) => bail!("`{key}.type` has no meaning beside `fields`"),
            (Some(fields), None) => Kind::Object(Self::new(fields, names, &format!("{key}.fields"))?),
            (None, Some(FieldType::Any)) => Kind::Any,
            (None, kind) => Kind::Scalar(kind.and_then(FieldType::scalar).unwrap_or_default()),
        })
    }

    /// The parts of an element within this one.
    fn descend(&mut self, tag: &Tag) -> Result<&mut Self> {
        let at = self.children.iter().position(|known| known.tag.name == tag.name).unwrap_or_else(|| {
            self.children.push(Child { tag: tag.clone(), content: Content::Parts(Self::default()) });
            self.children.len() - 1
        });
        match &mut self.children[at].content {
            Content::Parts(parts) => Ok(parts),
            Content::Value(_) => {
                bail!("`{}` is a value by itself: what is in it belongs into its `fields`", tag.written)
            }
        }
    }

    /// The names of the elements directly within.
    pub(crate) fn child_names(&self) -> impl Iterator<Item = &Tag> {
        self.children.iter().map(|child| &child.tag)
    }

    /// What every field of this object is: its place, type if it is a text, and whether it is a list.
    pub(crate) fn places(&self) -> Vec<(&Place, Option<Scalar>, bool)> {
        let leaves = self.attributes.iter().map(|(_, leaf)| leaf).chain(&self.text);
        let mut places: Vec<_> = leaves.map(|leaf| (&leaf.at, Some(leaf.scalar), false)).collect();
        for child in &self.children {
            match &child.content {
                Content::Parts(parts) => places.extend(parts.places()),
                Content::Value(value) => {
                    let scalar = if let Kind::Scalar(scalar) = value.kind { Some(scalar) } else { None };
                    places.push((&value.at, scalar, value.list));
                }
            }
        }
        places
    }
}

/// A path of members, with dots between their names.
pub(crate) fn place(text: &str) -> Result<Place> {
    if text == "." {
        return Ok(Place::default());
    }
    let names: Vec<String> = text.split('.').map(str::to_owned).collect();
    ensure!(
        names.iter().all(|name| !name.is_empty()),
        "`{text}` is neither `.` nor names with dots between them"
    );
    Ok(Place(names))
}

/// A path of elements, which may end in an attribute.
struct Path {
    elements: Vec<Tag>,
    attribute: Option<Tag>,
}

impl Path {
    /// With `is_top` the first element is one that the service declares at the top.
    fn new(text: &str, names: &Names, is_top: bool) -> Result<Self> {
        let mut path = Self { elements: Vec::new(), attribute: None };
        if text == "." {
            return Ok(path);
        }
        for step in text.split('/') {
            ensure!(path.attribute.is_none(), "`{text}`: an attribute stands last");
            match step.strip_prefix('@') {
                Some(name) => path.attribute = Some(names.attribute(name)?),
                None if is_top && path.elements.is_empty() => path.elements.push(names.top(step)?),
                None => path.elements.push(names.element(step)?),
            }
        }
        Ok(path)
    }
}

impl FieldConfig {
    fn default(&self, kind: &Kind, key: &str) -> Result<Option<Json>> {
        let Some(default) = &self.default else { return Ok(None) };
        let Kind::Scalar(scalar) = kind else { bail!("`{key}.default` is for single texts") };
        let json = match default {
            serde_json::Value::Bool(value) => Json::Bool(*value),
            serde_json::Value::Number(number) => Json::Number(number.to_string()),
            serde_json::Value::String(text) => Json::text(text.clone()),
            _ => bail!("`{key}.default` is a string, a number or a boolean"),
        };
        if let Err(why) = scalar.to_text(&json) {
            bail!("`{key}.default`: {why}");
        }
        Ok(Some(json))
    }
}
