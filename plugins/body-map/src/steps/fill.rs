//! Values of the configuration whose strings have variables in them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use sluice_sdk::prelude::*;
use sluice_sdk_template::Template;

use super::Render;
use super::config::{SetConfig, read};
use crate::edit;
use crate::json::{Json, Pointer};

/// A value, and the place that it is given to.
#[derive(Debug)]
pub(crate) struct Filling {
    at: Pointer,
    value: Value,
}

/// As [`Json`], with templates for strings. Names are as they are written.
#[derive(Debug)]
enum Value {
    Plain(Json<'static>),
    Text(Template),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Filling {
    pub(crate) fn new(config: SetConfig) -> Result<Self> {
        let at = Pointer::parse(&config.at).context("`at`")?;
        let value = match (config.value, config.json) {
            (Some(value), None) => read(&value.to_string())?,
            (None, Some(text)) => read(&text).context("`json`")?,
            _ => bail!("give either `value` or `json`"),
        };
        edit::fits(at.tokens().len(), &value).map_err(|_| Error::new("the value nests too deeply"))?;
        Ok(Self { at, value: Value::new(value)? })
    }

    pub(crate) fn headers(&self, into: &mut BTreeSet<HeaderName>) {
        self.value.headers(into);
    }

    pub(crate) fn apply<'a>(&'a self, root: &mut Json<'a>, render: Render<'_>) -> edit::Result<()> {
        edit::put(root, &self.at, self.value.render(render))
    }
}

impl Value {
    fn new(value: Json<'static>) -> Result<Self> {
        Ok(match value {
            Json::Text(text) => Self::Text(Template::parse(&text).context(format_args!("`{text}`"))?),
            Json::Array(items) => Self::Array(items.into_iter().map(Self::new).collect::<Result<_>>()?),
            Json::Object(members) => {
                let read = |(name, value): (Cow<'_, str>, _)| Ok((name.into_owned(), Self::new(value)?));
                Self::Object(members.into_iter().map(read).collect::<Result<_>>()?)
            }
            plain => Self::Plain(plain),
        })
    }

    fn headers(&self, into: &mut BTreeSet<HeaderName>) {
        match self {
            Self::Plain(_) => {}
            Self::Text(template) => into.extend(template.headers().cloned()),
            Self::Array(items) => items.iter().for_each(|item| item.headers(into)),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.headers(into)),
        }
    }

    /// The value. A string of nothing but variables that find nothing is `null`.
    fn render<'v>(&'v self, render: Render<'_>) -> Json<'v> {
        match self {
            Self::Plain(value) => value.borrowed(),
            Self::Text(template) => render(template).map_or(Json::Null, |text| Json::Text(Cow::Owned(text))),
            Self::Array(items) => Json::Array(items.iter().map(|item| item.render(render)).collect()),
            Self::Object(members) => {
                let member =
                    |(name, value): &'v (String, Self)| (Cow::Borrowed(&**name), value.render(render));
                Json::Object(members.iter().map(member).collect())
            }
        }
    }
}
