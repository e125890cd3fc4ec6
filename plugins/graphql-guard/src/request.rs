//! What a request says, in a body or in a query, and what it becomes if it refers to a document that is known.

use std::cell::Cell;

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sluice_sdk_graphql::short;

use crate::json::{self, Members, Unreadable};
use crate::refusal::Refusal;

/// Members that have a meaning.
pub(crate) const MEMBERS: [&str; 5] = ["query", "operationName", "variables", "extensions", "documentId"];

/// One operation, as it was asked for.
pub(crate) struct Asked {
    pub(crate) query: Option<String>,
    pub(crate) operation: Option<String>,
    pub(crate) variables: Map<String, Value>,
    /// Of a document that is known.
    pub(crate) id: Option<String>,
    /// The id is the hash of an automatic persisted query.
    pub(crate) is_automatic: bool,
}

/// What bounds the reading.
pub(crate) struct Bounds<'b> {
    pub(crate) extra: &'b [String],
    /// Values that there may still be.
    pub(crate) values: Cell<usize>,
    pub(crate) max_values: usize,
    pub(crate) max_batch: usize,
}

/// The operations of a body: members of an object, or of each object in an array.
pub(crate) fn operations<'a>(
    body: &'a str,
    bounds: &Bounds<'_>,
) -> Result<(Vec<Members<'a>>, bool), Refusal> {
    if !body.trim_ascii_start().starts_with('[') {
        return Ok((vec![members(body)?], false));
    }
    let items: Vec<&RawValue> = list(body, bounds.max_batch)?;
    if items.is_empty() {
        return Err(Refusal::malformed("the array has no operation"));
    }
    let operations: Result<_, _> = items.into_iter().map(|item| members(item.get())).collect();
    operations.map(|operations| (operations, true))
}

fn members(text: &str) -> Result<Members<'_>, Refusal> {
    Members::read(text)
        .map_err(|error| Refusal::malformed(format!("the body is not what it should be: {error}")))
}

/// The items of an array. One that is too long is not read to its end.
fn list(text: &str, most: usize) -> Result<Vec<&RawValue>, Refusal> {
    use serde::de::{Deserializer, Error, SeqAccess, Visitor};
    struct Items<'o> {
        most: usize,
        is_over: &'o Cell<bool>,
    }
    impl<'de> Visitor<'de> for Items<'_> {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = seq.next_element()? {
                if items.len() == self.most {
                    self.is_over.set(true);
                    return Err(A::Error::custom("too many"));
                }
                items.push(item);
            }
            Ok(items)
        }
    }
    let is_over = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_str(text);
    let items = reader.deserialize_seq(Items { most, is_over: &is_over });
    items.and_then(|items| reader.end().map(|()| items)).map_err(|error| {
        if is_over.get() {
            let most = u64::try_from(most).unwrap_or(u64::MAX);
            return Refusal::over("graphql-too-many-operations", "operations of one request", most);
        }
        Refusal::malformed(format!("the body is not what it should be: {error}"))
    })
}

impl Asked {
    /// From the members of an object.
    pub(crate) fn of_members(members: &Members<'_>, bounds: &Bounds<'_>) -> Result<Self, Refusal> {
        let is_unknown = |name: &&String| !MEMBERS.contains(&name.as_str()) && !bounds.extra.contains(name);
        if let Some(name) = members.0.iter().map(|(name, _)| name).find(is_unknown) {
            return Err(unknown("member", name));
        }
        let extensions = members.get("extensions").map(RawValue::get);
        let (id, is_automatic) = id(text(members, "documentId")?, extensions)?;
        Ok(Self {
            query: text(members, "query")?,
            operation: text(members, "operationName")?,
            variables: variables(members.get("variables").map(RawValue::get), bounds)?,
            id,
            is_automatic,
        })
    }

    /// From the parameters of a query.
    pub(crate) fn of_parameters(
        parameters: &[(String, String)],
        bounds: &Bounds<'_>,
    ) -> Result<Self, Refusal> {
        let mut seen = Vec::new();
        for (name, _) in parameters {
            if seen.contains(&name) {
                return Err(Refusal::malformed(format!("parameter `{}` is there twice", short(name))));
            }
            if MEMBERS.contains(&name.as_str()) {
                seen.push(name);
            } else if !bounds.extra.contains(name) {
                return Err(unknown("parameter", name));
            }
        }
        let get = |name: &str| {
            let found = parameters.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let json = |name: &str| get(name).filter(|text| text.trim_ascii() != "null");
        let (id, is_automatic) = id(get("documentId").map(str::to_owned), json("extensions"))?;
        Ok(Self {
            query: get("query").map(str::to_owned),
            operation: get("operationName").map(str::to_owned),
            variables: variables(json("variables"), bounds)?,
            id,
            is_automatic,
        })
    }
}

pub(crate) fn unknown(what: &str, name: &str) -> Refusal {
    Refusal::malformed(format!("{what} `{}` is none of a GraphQL request", short(name)))
}

fn text(members: &Members<'_>, name: &str) -> Result<Option<String>, Refusal> {
    let Some(value) = members.get(name) else { return Ok(None) };
    serde_json::from_str(value.get())
        .map(Some)
        .map_err(|_| Refusal::malformed(format!("`{name}` is not a string")))
}

fn variables(text: Option<&str>, bounds: &Bounds<'_>) -> Result<Map<String, Value>, Refusal> {
    let Some(text) = text else { return Ok(Map::new()) };
    json::object(text, &bounds.values).map_err(|error| match error {
        Unreadable::TooMany => Refusal::too_large("JSON values in `variables`", bounds.max_values),
        Unreadable::Malformed(why) => Refusal::malformed(format!("`variables`: {why}")),
    })
}

/// The id of a document, and whether it is the hash of an automatic persisted query.
fn id(member: Option<String>, extensions: Option<&str>) -> Result<(Option<String>, bool), Refusal> {
    let malformed = |why: String| Refusal::malformed(format!("`extensions`: {why}"));
    let Some(extensions) = extensions else { return Ok((member, false)) };
    let extensions = Members::read(extensions).map_err(malformed)?;
    let Some(persisted) = extensions.get("persistedQuery") else { return Ok((member, false)) };
    let persisted = Members::read(persisted.get()).map_err(malformed)?;
    match (member, text(&persisted, "sha256Hash")?) {
        (Some(member), Some(hash)) if member != hash => {
            Err(Refusal::malformed("`documentId` and `extensions` name different documents"))
        }
        (member, None) => Ok((member, false)),
        (_, hash) => Ok((hash, true)),
    }
}

/// An operation with its document's text in place of what refers to it.
pub(crate) fn with_text(members: &Members<'_>, document: &str) -> String {
    let mut written = vec![format!("\"query\":{}", Value::from(document))];
    for (name, value) in &members.0 {
        let value = match name.as_str() {
            "query" | "documentId" => None,
            "extensions" => without_reference(value.get()),
            _ => Some(value.get().to_owned()),
        };
        written.extend(value.map(|value| format!("{}:{value}", Value::from(name.as_str()))));
    }
    format!("{{{}}}", written.join(","))
}

/// An operation whose document is not known.
pub(crate) fn as_it_is(members: &Members<'_>) -> String {
    let written = members.0.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
    format!("{{{}}}", written.collect::<Vec<_>>().join(","))
}

/// Extensions without what refers to a document; none if nothing else is there.
pub(crate) fn without_reference(extensions: &str) -> Option<String> {
    let members = Members::read(extensions).ok()?;
    let others = members.0.iter().filter(|(name, _)| name != "persistedQuery");
    let others: Vec<_> =
        others.map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), value.get())).collect();
    (!others.is_empty()).then(|| format!("{{{}}}", others.join(",")))
}
