//! The rules for one message, in the order in which they apply.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk_template::{Source, Template};

use crate::query::QueryConfig;
use crate::target::TargetConfig;
use crate::write;

/// What happens to the headers of one message, in this order. Values may contain variables such as `{request_id}`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesConfig {
    /// Headers to remove.
    #[serde(default)]
    remove: Vec<HeaderName>,
    /// Headers to give another name, old to new. What had the new name before is removed.
    #[serde(default)]
    rename: BTreeMap<HeaderName, HeaderName>,
    /// Headers to give this value alone, if they are there.
    #[serde(default)]
    replace: BTreeMap<HeaderName, String>,
    /// Headers to give this value alone, whether they are there or not.
    #[serde(default)]
    set: BTreeMap<HeaderName, String>,
    /// Headers to give this value if they are not there.
    #[serde(default)]
    add: BTreeMap<HeaderName, String>,
    /// Headers to give this value beside those they have.
    #[serde(default)]
    append: BTreeMap<HeaderName, String>,
}

/// What happens to a request: its headers first, then what it asks for.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestConfig {
    /// Headers to remove.
    #[serde(default)]
    remove: Vec<HeaderName>,
    /// Headers to give another name, old to new. What had the new name before is removed.
    #[serde(default)]
    rename: BTreeMap<HeaderName, HeaderName>,
    /// Headers to give this value alone, if they are there.
    #[serde(default)]
    replace: BTreeMap<HeaderName, String>,
    /// Headers to give this value alone, whether they are there or not.
    #[serde(default)]
    set: BTreeMap<HeaderName, String>,
    /// Headers to give this value if they are not there.
    #[serde(default)]
    add: BTreeMap<HeaderName, String>,
    /// Headers to give this value beside those they have.
    #[serde(default)]
    append: BTreeMap<HeaderName, String>,
    /// What happens to the parameters of the query.
    #[serde(default)]
    query: QueryConfig,
    /// The new path, with variables: `"/v2/{param:id}"`.
    path: Option<String>,
    /// A prefix of whole segments that the path loses, if it has it.
    strip_prefix: Option<String>,
    /// A prefix that the path gets, after `strip_prefix`.
    add_prefix: Option<String>,
    /// The new method.
    method: Option<Method>,
}

impl RequestConfig {
    /// What is said of the headers, and what of the rest.
    pub(crate) fn split(self) -> (RulesConfig, TargetConfig) {
        let Self { remove, rename, replace, set, add, append, query, path, strip_prefix, add_prefix, method } =
            self;
        let target = TargetConfig { method, path, strip_prefix, add_prefix, query };
        (RulesConfig { remove, rename, replace, set, add, append }, target)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Write {
    Replace,
    Set,
    Add,
    Append,
}

/// Checked rules.
pub(crate) struct Rules {
    remove: Vec<HeaderName>,
    rename: Vec<(HeaderName, HeaderName)>,
    writes: Vec<(Write, HeaderName, Template)>,
}

impl Rules {
    pub(crate) fn new(config: RulesConfig, message: &str) -> Result<Self> {
        let RulesConfig { remove, rename, replace, set, add, append } = config;
        let named = remove.iter().map(|name| ("remove", name));
        let named = named.chain(rename.iter().flat_map(|(old, new)| [("rename", old), ("rename", new)]));
        for (list, name) in named {
            check(name).and_then(|()| not_host(name)).context(format_args!("{message}.{list}"))?;
        }
        let of_response = message.ends_with("response");
        let mut writes = Vec::new();
        for (write, list, entries) in [
            (Write::Replace, "replace", replace),
            (Write::Set, "set", set),
            (Write::Add, "add", add),
            (Write::Append, "append", append),
        ] {
            for (name, value) in entries {
                let place = || format!("{message}.{list}.{name}");
                check(&name).context(place())?;
                if of_response || matches!(write, Write::Add | Write::Append) {
                    not_host(&name).context(place())?;
                }
                let template = template(&value, of_response).context(place())?;
                writes.push((write, name, template));
            }
        }
        Ok(Self { remove, rename: rename.into_iter().collect(), writes })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.rename.is_empty() && self.writes.is_empty()
    }

    /// Headers of the request that values refer to.
    pub(crate) fn request_headers(&self) -> impl Iterator<Item = HeaderName> {
        self.writes.iter().flat_map(|(_, _, template)| template.headers().cloned())
    }

    /// The values, from the message as it came: a rule may take a header away that a value refers to.
    pub(crate) fn render(&self, ctx: &Context, source: &dyn Source) -> Vec<String> {
        let render =
            |template: &Template| template.render_with(ctx, source, &write::header).unwrap_or_default();
        // A missing variable may leave a blank at an end, which a header's value cannot have.
        let trimmed = |value: String| value.trim_matches([' ', '\t']).to_owned();
        self.writes.iter().map(|(_, _, template)| trimmed(render(template))).collect()
    }

    pub(crate) fn apply(&self, message: &mut Message<'_>, values: Vec<String>) -> Result<()> {
        for name in &self.remove {
            message.0.remove(name)?;
        }
        for (old, new) in &self.rename {
            message.rename(old, new)?;
        }
        for ((write, name, _), value) in self.writes.iter().zip(values) {
            message.write(*write, name, &value)?;
        }
        Ok(())
    }
}

fn template(value: &str, of_response: bool) -> Result<Template> {
    let template = if of_response { Template::parse_response(value) } else { Template::parse(value) }?;
    // Checked as a whole, so that a blank at either end is seen.
    let sample = template.sample();
    sample.parse::<HeaderValue>()?;
    ensure!(!sample.is_empty(), "the value is empty: to take a header away, use `remove`");
    Ok(template)
}

fn check(name: &HeaderName) -> Result<()> {
    ensure!(!name.is_reserved(), "`{name}` belongs to the gateway, which frames messages itself");
    Ok(())
}

fn not_host(name: &HeaderName) -> Result<()> {
    ensure!(name != "host", "`host` of a request can be set and replaced, and nothing else");
    Ok(())
}

/// The headers of a message while rules are applied.
pub(crate) struct Message<'a>(HeadersMut<'a>);

impl<'a> Message<'a> {
    pub(crate) fn new(headers: HeadersMut<'a>) -> Self {
        Self(headers)
    }

    fn rename(&mut self, old: &HeaderName, new: &HeaderName) -> Result<()> {
        let values = self.0.get_all(old);
        if values.is_empty() || old == new {
            return Ok(());
        }
        self.0.remove(old)?;
        self.0.remove(new)?;
        values.iter().try_for_each(|value| self.0.append(new, value))
    }

    /// Writes a value. One that came out empty, because what it refers to is missing, leaves no header: a header
    /// that should be the gateway's word must not stay the client's.
    fn write(&mut self, write: Write, name: &HeaderName, value: &str) -> Result<()> {
        match write {
            Write::Replace if !self.0.contains(name) => Ok(()),
            Write::Replace | Write::Set if value.is_empty() => self.0.remove(name).map(drop),
            Write::Replace | Write::Set => self.0.set(name, value),
            Write::Add | Write::Append if value.is_empty() => Ok(()),
            Write::Add if self.0.contains(name) => Ok(()),
            Write::Add | Write::Append => self.0.append(name, value),
        }
    }
}
