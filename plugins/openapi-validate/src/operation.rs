//! What the document says of one operation.

use std::collections::{BTreeMap, BTreeSet};

use sluice_sdk::prelude::*;

use crate::document::{Document, Node, Version};
use crate::finding::Place;
use crate::media::{Media, Syntax};
use crate::shape::Shape;
use crate::style::{Escapes, Style, Writing};

/// An operation: one method of one path.
pub(crate) struct Operation {
    /// Where it is.
    pub(crate) pointer: String,
    pub(crate) parameters: Vec<Parameter>,
    /// Names of query parameters in which its security requirements want a key.
    pub(crate) query_keys: Vec<String>,
    pub(crate) body: Option<RequestBody>,
    pub(crate) responses: Vec<(Statuses, Answer)>,
}

/// A parameter of a request, or a header of a response.
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) required: bool,
    pub(crate) may_be_empty: bool,
    pub(crate) writing: Writing,
    /// Its value is a document of its own: JSON, or something that is not looked into.
    pub(crate) content: Option<Syntax>,
    /// Where its schema is.
    pub(crate) schema: Option<String>,
    pub(crate) shape: Shape,
}

/// What a request carries.
pub(crate) struct RequestBody {
    pub(crate) required: bool,
    pub(crate) content: Vec<Content>,
}

/// A body of one media type or range.
pub(crate) struct Content {
    pub(crate) media: Media,
    /// As the document writes it.
    pub(crate) range: String,
    pub(crate) schema: Option<String>,
    pub(crate) form: Option<Form>,
    /// What a body of plain text stands for.
    pub(crate) text: Shape,
}

/// How the fields of a form are written.
pub(crate) struct Form {
    pub(crate) shape: Shape,
    pub(crate) fields: BTreeMap<String, (Writing, Option<Syntax>)>,
}

/// Statuses that a response is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Statuses {
    One(u16),
    /// All of a hundred.
    Class(u16),
    Default,
}

/// A response as declared.
pub(crate) struct Answer {
    /// Where it is.
    pub(crate) pointer: String,
    pub(crate) headers: Vec<Parameter>,
    pub(crate) content: Vec<Content>,
}

/// The query parameters of API keys, by the names of their security schemes.
pub(crate) struct KeySchemes(BTreeMap<String, String>);

impl Operation {
    /// Reads the operation `method` of a path item.
    pub(crate) fn read(
        document: &Document,
        item: &Node<'_>,
        method: &str,
        key_schemes: &KeySchemes,
        with_responses: bool,
    ) -> Result<Self> {
        let operation = item.required(method)?;
        let mut parameters: Vec<Parameter> = Vec::new();
        for node in [&operation, item] {
            for node in node.get("parameters")?.map(|list| list.items()).transpose()?.unwrap_or_default() {
                let parameter = Parameter::read(&node.resolve()?)?;
                // An operation's own parameter stands in place of its path's.
                let is_same =
                    |known: &Parameter| (known.place, &known.name) == (parameter.place, &parameter.name);
                if !parameters.iter().any(is_same) && !parameter.is_ignored() {
                    parameters.push(parameter);
                }
            }
        }
        let ignores_body = document.version() == Version::V30 && ["get", "head", "delete"].contains(&method);
        let body = if ignores_body { None } else { operation.get("requestBody")? };
        let body = body.map(|body| RequestBody::read(&body.resolve()?)).transpose()?;
        let responses = if with_responses { operation.get("responses")? } else { None };
        let responses = responses.map(|list| list.members()).transpose()?.unwrap_or_default();
        let responses = responses.into_iter().filter(|(name, _)| !name.starts_with("x-"));
        let responses = responses.map(|(status, node)| {
            Ok((Statuses::parse(&status).context(node.pointer())?, Answer::read(&node.resolve()?)?))
        });
        let mut responses: Vec<_> = responses.collect::<Result<_>>()?;
        responses.sort_by_key(|(statuses, _)| *statuses);
        let query_keys = key_schemes.wanted(document, &operation)?;
        Ok(Self { pointer: operation.pointer().to_owned(), parameters, query_keys, body, responses })
    }

    /// What is declared for a status: itself, before its hundred, before the rest.
    pub(crate) fn response(&self, status: u16) -> Option<&Answer> {
        self.responses.iter().find(|(statuses, _)| statuses.include(status)).map(|(_, answer)| answer)
    }

    /// Every schema that it refers to.
    pub(crate) fn request_schemas(&self) -> BTreeSet<&str> {
        let bodies =
            self.body.iter().flat_map(|body| &body.content).filter_map(|content| content.schema.as_deref());
        self.parameters.iter().filter_map(|parameter| parameter.schema.as_deref()).chain(bodies).collect()
    }

    /// Every schema that its responses refer to.
    pub(crate) fn response_schemas(&self) -> BTreeSet<&str> {
        let answers = self.responses.iter().map(|(_, answer)| answer);
        answers
            .flat_map(|answer| {
                let headers = answer.headers.iter().filter_map(|header| header.schema.as_deref());
                headers.chain(answer.content.iter().filter_map(|content| content.schema.as_deref()))
            })
            .collect()
    }
}

impl KeySchemes {
    pub(crate) fn read(document: &Document) -> Result<Self> {
        let components = document.root().get("components")?;
        let schemes = components.map(|components| components.get("securitySchemes")).transpose()?.flatten();
        let mut keys = BTreeMap::new();
        for (name, scheme) in schemes.map(|schemes| schemes.members()).transpose()?.unwrap_or_default() {
            let scheme = scheme.resolve()?;
            if !scheme.is_object() {
                continue;
            }
            let is = |member: &str, expected: &str| {
                let found = scheme.get(member)?.map(|found| found.text()).transpose()?;
                Ok::<_, Error>(found.as_deref() == Some(expected))
            };
            if is("type", "apiKey")? && is("in", "query")? {
                keys.insert(name, scheme.required("name")?.text()?);
            }
        }
        Ok(Self(keys))
    }

    /// The parameters that an operation's own requirements, or else those of the document, may want.
    fn wanted(&self, document: &Document, operation: &Node<'_>) -> Result<Vec<String>> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let own = operation.get("security")?;
        let Some(security) = own.map_or_else(|| document.root().get("security"), |own| Ok(Some(own)))? else {
            return Ok(Vec::new());
        };
        let mut wanted = Vec::new();
        for requirement in security.items()? {
            let schemes = requirement.members()?;
            wanted.extend(schemes.into_iter().filter_map(|(name, _)| self.0.get(&name).cloned()));
        }
        Ok(wanted)
    }
}

impl Statuses {
    fn parse(text: &str) -> Result<Self> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let class = text.strip_suffix("XX").or_else(|| text.strip_suffix("xx"));
        let status = match class {
            Some(class) => class.parse().ok().filter(|class| (1..=5).contains(class)).map(Self::Class),
            None => text.parse().ok().filter(|status| (100..=599).contains(status)).map(Self::One),
        };
        status.ok_or_else(|| {
            Error::new(format!("`{text}` is not a status, a range such as `2XX` or `default`"))
        })
    }

    fn include(self, status: u16) -> bool {
        match self {
            Self::One(one) => one == status,
            Self::Class(class) => class == status / 100,
            Self::Default => true,
        }
    }
}

impl Parameter {
    fn read(node: &Node<'_>) -> Result<Self> {
        let name = node.required("name")?.text()?;
        let (place, style, escapes) = match node.required("in")?.text()?.as_str() {
            "path" => (Place::Path, Style::Simple, Escapes::Percent),
            "query" => (Place::Query, Style::Form, Escapes::Form),
            "header" => (Place::Header, Style::Simple, Escapes::None),
            "cookie" => (Place::Cookie, Style::Form, Escapes::Percent),
            other => bail!("#{}: `in` is `{other}`: it is path, query, header or cookie", node.pointer()),
        };
        let writing = read_writing(node, style, escapes)?;
        ensure!(
            is_allowed(place, writing.style),
            "#{}: this style does not go with the parameter's place",
            node.pointer()
        );
        Self::read_value(node, name, place, writing)
    }

    /// The header of a response.
    fn read_header(node: &Node<'_>, name: String) -> Result<Self> {
        let writing = read_writing(node, Style::Simple, Escapes::None)?;
        Self::read_value(node, name, Place::Header, writing)
    }

    fn read_value(node: &Node<'_>, name: String, place: Place, writing: Writing) -> Result<Self> {
        let content = node.get("content")?.map(|content| content.members()).transpose()?;
        let content = content.and_then(|content| content.into_iter().next());
        let (syntax, schema) = match content {
            Some((media, node)) => {
                let syntax = Media::parse(&media).map_or(Syntax::Opaque, |media| media.syntax());
                (Some(syntax), if syntax == Syntax::Json { node.get("schema")? } else { None })
            }
            None => (None, node.get("schema")?),
        };
        let shape = schema.as_ref().map(Shape::of).transpose()?.unwrap_or_default();
        Ok(Self {
            name,
            place,
            required: place == Place::Path || node.flag("required")?.unwrap_or(false),
            may_be_empty: place == Place::Query && node.flag("allowEmptyValue")?.unwrap_or(false),
            writing,
            content: syntax,
            schema: schema.map(|schema| schema.pointer().to_owned()),
            shape,
        })
    }

    /// Headers that OpenAPI describes in other ways.
    fn is_ignored(&self) -> bool {
        let elsewhere = ["accept", "content-type", "authorization"];
        self.place == Place::Header && elsewhere.contains(&self.name.to_ascii_lowercase().as_str())
    }
}

fn is_allowed(place: Place, style: Style) -> bool {
    match place {
        Place::Path => matches!(style, Style::Simple | Style::Label | Style::Matrix),
        Place::Header => style == Style::Simple,
        Place::Cookie => style == Style::Form,
        Place::Query | Place::Body => {
            matches!(style, Style::Form | Style::SpaceDelimited | Style::PipeDelimited | Style::DeepObject)
        }
    }
}

fn read_writing(node: &Node<'_>, default: Style, escapes: Escapes) -> Result<Writing> {
    let style = match node.get("style")? {
        Some(style) => {
            let name = style.text()?;
            Style::parse(&name).context(format_args!("#{}: there is no style `{name}`", style.pointer()))?
        }
        None => default,
    };
    let explode = node.flag("explode")?.unwrap_or(style == Style::Form);
    Ok(Writing { style, explode, escapes })
}

impl Content {
    /// Whether a body of it is looked into.
    pub(crate) fn is_checked(&self, syntax: Syntax) -> bool {
        self.schema.is_some() && syntax != Syntax::Opaque
    }
}

impl RequestBody {
    fn read(node: &Node<'_>) -> Result<Self> {
        let content = read_content(&node.required("content")?)?;
        Ok(Self { required: node.flag("required")?.unwrap_or(false), content })
    }
}

impl Answer {
    fn read(node: &Node<'_>) -> Result<Self> {
        let headers = node.get("headers")?.map(|headers| headers.members()).transpose()?.unwrap_or_default();
        let headers = headers.into_iter().map(|(name, node)| Parameter::read_header(&node.resolve()?, name));
        let headers = headers.filter(|header| {
            // Described by `content`; a header of this name is ignored.
            !header.as_ref().is_ok_and(|header| header.name.eq_ignore_ascii_case("content-type"))
        });
        let content = node.get("content")?.map(|content| read_content(&content)).transpose()?;
        let (pointer, headers) = (node.pointer().to_owned(), headers.collect::<Result<_>>()?);
        Ok(Self { pointer, headers, content: content.unwrap_or_default() })
    }
}

fn read_content(node: &Node<'_>) -> Result<Vec<Content>> {
    let read = |(range, node): (String, Node<'_>)| {
        let media =
            Media::parse(&range).context(format_args!("#{}: this is no media type", node.pointer()))?;
        let schema = node.get("schema")?;
        let form = if media.syntax() == Syntax::Form { Form::read(&node, schema.as_ref())? } else { None };
        let text = schema.as_ref().filter(|_| media.includes_text()).map(Shape::of).transpose()?;
        let schema = schema.map(|schema| schema.pointer().to_owned());
        Ok(Content { media, range, schema, form, text: text.unwrap_or_default() })
    };
    node.members()?.into_iter().map(read).collect()
}

impl Form {
    fn read(node: &Node<'_>, schema: Option<&Node<'_>>) -> Result<Option<Self>> {
        let Some(schema) = schema else { return Ok(None) };
        let encoding =
            node.get("encoding")?.map(|encoding| encoding.members()).transpose()?.unwrap_or_default();
        let mut fields = BTreeMap::new();
        for (name, node) in encoding {
            let writing = read_writing(&node, Style::Form, Escapes::Form)?;
            ensure!(is_allowed(Place::Body, writing.style), "#{}: a form has no such style", node.pointer());
            let media = node.get("contentType")?.map(|media| media.text()).transpose()?;
            // Where a style is given, the media type is ignored.
            let styled = node.get("style")?.is_some() || node.get("explode")?.is_some();
            let media = media.filter(|_| !styled).and_then(|media| Media::parse(&media));
            fields.insert(name, (writing, media.map(|media| media.syntax())));
        }
        Ok(Some(Self { shape: Shape::of(schema)?, fields }))
    }
}
