//! The signature base (RFC 9421 section 2.5): the exact bytes that are signed.

mod parsed;
mod query;

use data_encoding::BASE64;
use sfv::{BareItem, FieldType as _, Item, KeyRef, List, ListEntry, Parser};

use crate::component::{Component, Derived, Form, Shape};
use crate::message::Message;
use crate::refusal::Refusal;
use crate::structured::{Structure, Structured};
use parsed::Parsed;

/// The longest base, in bytes. One host call takes 64 KiB whatever the plugin's limits are.
pub(crate) const MAX_BASE: usize = 60 << 10;

/// The longest query, and the most bytes of fields together, that are parsed for the components of a signature.
const MAX_PARSED_BYTES: usize = 16 << 10;

/// Refuses components that the request cannot have, as far as that is seen without parsing anything, and those for which too
/// much would have to be parsed.
pub(crate) fn check(components: &[Component], message: &Message, known: &Structured) -> Result<(), Refusal> {
    let mut parsed: Vec<&str> = Vec::new();
    for component in components {
        let Shape::Field(name, form) = &component.shape else { continue };
        if !message.has(name) {
            return Err(Refusal::Invalid(format!("the request has no field `{name}`")));
        }
        let is_known = match form {
            Form::Plain | Form::Wrapped => continue,
            Form::Strict => known.of(name).is_some(),
            Form::Member(_) => known.of(name) == Some(Structure::Dictionary),
        };
        if !is_known {
            return Err(Refusal::Invalid(format!("`{name}` is not known to be such a structured field")));
        }
        if !parsed.contains(&name.as_str()) {
            parsed.push(name);
        }
    }
    let fields: usize = parsed.iter().flat_map(|name| message.values(name)).map(<[u8]>::len).sum();
    if fields > MAX_PARSED_BYTES {
        let detail =
            format!("the fields covered with `sf` or `key` are longer than {MAX_PARSED_BYTES} bytes");
        return Err(Refusal::Malformed(detail));
    }
    let has_parameters = components.iter().any(|component| matches!(component.shape, Shape::QueryParam(_)));
    if has_parameters && message.query.as_ref().is_some_and(|query| query.len() > MAX_PARSED_BYTES) {
        let detail =
            format!("a query of which parameters are covered is longer than {MAX_PARSED_BYTES} bytes");
        return Err(Refusal::Malformed(detail));
    }
    Ok(())
}

/// The bases that a signature over `components` may be of. `parameters` is its inner list, strictly serialised, and they have passed
/// [`check`]. `Err` says what cannot be covered.
///
/// It is one, but for `@target-uri`: of `@authority` section 2.2.3 says that it is normalised, of the URI section 2.2.2 does not,
/// and signers do both.
pub(crate) fn bases(
    components: &[Component],
    parameters: &str,
    message: &Message,
    known: &Structured,
) -> Result<Vec<String>, String> {
    let normal = base(components, parameters, message, known)?;
    let has_uri = components.iter().any(|component| component.shape == Shape::Derived(Derived::TargetUri));
    if !has_uri || message.authority == message.normal_authority() {
        return Ok(vec![normal]);
    }
    let uri = format!("\n\"@target-uri\": {}\n", derive(Derived::TargetUri, message));
    let scheme = message.scheme.to_ascii_lowercase();
    let as_sent = format!("\n\"@target-uri\": {scheme}://{}{}\n", message.authority, message.target());
    // No value has a newline in it, so that this is the one line which is meant.
    let other = format!("\n{normal}").replacen(&uri, &as_sent, 1);
    Ok(vec![normal, other.trim_start_matches('\n').to_owned()])
}

fn base(
    components: &[Component],
    parameters: &str,
    message: &Message,
    known: &Structured,
) -> Result<String, String> {
    let parsed = Parsed::of(components, message, known)?;
    let mut base = String::new();
    for component in components {
        let value = value(component, message, known, &parsed)?;
        if base.len() + component.identifier.len() + value.len() + parameters.len() > MAX_BASE - 64 {
            return Err(format!("what is signed is longer than {MAX_BASE} bytes"));
        }
        base.extend([&component.identifier, ": ", &value, "\n"]);
    }
    base.extend(["\"@signature-params\": ", parameters]);
    Ok(base)
}

fn value(
    component: &Component,
    message: &Message,
    known: &Structured,
    parsed: &Parsed<'_>,
) -> Result<String, String> {
    match &component.shape {
        Shape::Derived(derived) => {
            let value = derive(*derived, message);
            let is_printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            if is_printable && value.trim() == value {
                Ok(value)
            } else {
                Err(format!("{} cannot be covered as it is", component.identifier))
            }
        }
        Shape::QueryParam(name) => parsed.parameter(name),
        Shape::Field(name, Form::Plain) => message.combined(name),
        Shape::Field(name, Form::Wrapped) => {
            if !message.has(name) {
                return Err(format!("the request has no field `{name}`"));
            }
            let values = message.clean_values(name);
            let wrapped = values.iter().map(|value| format!(":{}:", BASE64.encode(value)));
            Ok(wrapped.collect::<Vec<_>>().join(", "))
        }
        Shape::Field(name, Form::Strict) => strict(name, message, known, parsed),
        Shape::Field(name, Form::Member(key)) => member(name, key, parsed),
    }
}

fn derive(derived: Derived, message: &Message) -> String {
    match derived {
        Derived::Method => message.method.clone(),
        Derived::Authority => message.normal_authority(),
        Derived::Scheme => message.scheme.to_ascii_lowercase(),
        Derived::RequestTarget => message.target(),
        Derived::TargetUri => {
            let scheme = message.scheme.to_ascii_lowercase();
            format!("{scheme}://{}{}", message.normal_authority(), message.target())
        }
        Derived::Path if message.path.is_empty() => "/".to_owned(),
        Derived::Path => message.path.clone(),
        Derived::Query => format!("?{}", message.query.as_deref().unwrap_or_default()),
    }
}

fn strict(name: &str, message: &Message, known: &Structured, parsed: &Parsed<'_>) -> Result<String, String> {
    let value = match known.of(name) {
        Some(Structure::Dictionary) => parsed.dictionary(name)?.serialize(),
        Some(Structure::Item) => {
            Parser::new(&message.combined(name)?).parse::<Item>().ok().map(|item| item.serialize())
        }
        Some(Structure::List) => {
            Parser::new(&message.combined(name)?).parse::<List>().ok().and_then(|list| list.serialize())
        }
        None => None,
    };
    value.ok_or_else(|| format!("the field `{name}` is not the structured field that it should be"))
}

fn member(name: &str, key: &str, parsed: &Parsed<'_>) -> Result<String, String> {
    let dictionary = parsed.dictionary(name)?;
    let member = KeyRef::from_str(key).ok().and_then(|key| dictionary.get(key));
    match member {
        Some(ListEntry::Item(item)) => Ok(item.serialize()),
        Some(list) => Ok(List::from([list.clone()]).serialize().unwrap_or_default()),
        None => Err(format!("the dictionary `{name}` has no such member")),
    }
}

/// A signature's inner list as it stands in the base (section 2.3).
pub(crate) fn parameters(list: &sfv::InnerList) -> String {
    List::from([ListEntry::InnerList(list.clone())]).serialize().unwrap_or_default()
}

/// An inner list of these identifiers, as `Accept-Signature` asks for.
pub(crate) fn wanted(
    components: &[&Component],
    tag: Option<&str>,
    expires: bool,
    algorithm: Option<&str>,
) -> String {
    let identifiers: Vec<&str> = components.iter().map(|component| component.identifier.as_str()).collect();
    let mut wanted = format!("({});created", identifiers.join(" "));
    if expires {
        wanted.push_str(";expires");
    }
    for (name, value) in [("alg", algorithm), ("tag", tag)] {
        let value = value.and_then(|value| sfv::StringRef::from_str(value).ok());
        if let Some(value) = value {
            let item = Item::new(BareItem::String(value.to_owned())).serialize();
            wanted.extend([";", name, "=", &item]);
        }
    }
    wanted
}

#[cfg(test)]
mod tests;
