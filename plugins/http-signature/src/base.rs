//! The signature base (RFC 9421 section 2.5): the exact bytes that are signed.

use data_encoding::BASE64;
use sfv::{BareItem, FieldType as _, Item, KeyRef, List, ListEntry, Parser};

use crate::component::{Component, Derived, Form, Shape};
use crate::message::Message;
use crate::structured::{self, Structure, Structured};

/// The longest base, in bytes. One host call takes 64 KiB whatever the plugin's limits are.
pub(crate) const MAX_BASE: usize = 60 << 10;

/// The bases that a signature over `components` may be of. `parameters` is its inner list, strictly serialised. `Err` says what
/// cannot be covered.
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
    let mut base = String::new();
    for component in components {
        let value = value(component, message, known)?;
        if base.len() + component.identifier.len() + value.len() + parameters.len() > MAX_BASE - 64 {
            return Err(format!("what is signed is longer than {MAX_BASE} bytes"));
        }
        base.extend([&component.identifier, ": ", &value, "\n"]);
    }
    base.extend(["\"@signature-params\": ", parameters]);
    Ok(base)
}

fn value(component: &Component, message: &Message, known: &Structured) -> Result<String, String> {
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
        Shape::QueryParam(name) => query_param(message.query.as_deref().unwrap_or_default(), name),
        Shape::Field(name, Form::Plain) => message.combined(name),
        Shape::Field(name, Form::Wrapped) => {
            if !message.has(name) {
                return Err(format!("the request has no field `{name}`"));
            }
            let values = message.clean_values(name);
            let wrapped = values.iter().map(|value| format!(":{}:", BASE64.encode(value)));
            Ok(wrapped.collect::<Vec<_>>().join(", "))
        }
        Shape::Field(name, Form::Strict) => strict(name, message, known),
        Shape::Field(name, Form::Member(key)) => member(name, key, message, known),
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

fn strict(name: &str, message: &Message, known: &Structured) -> Result<String, String> {
    let combined = message.combined(name)?;
    let parser = Parser::new(&combined);
    let value = match known.of(name) {
        Some(Structure::Item) => parser.parse::<Item>().ok().map(|item| item.serialize()),
        Some(Structure::List) => parser.parse::<List>().ok().and_then(|list| list.serialize()),
        Some(Structure::Dictionary) => {
            structured::dictionary(&combined).and_then(|members| members.serialize())
        }
        None => return Err(format!("`{name}` is not known to be a structured field")),
    };
    value.ok_or_else(|| format!("the field `{name}` is not the structured field that it should be"))
}

fn member(name: &str, key: &str, message: &Message, known: &Structured) -> Result<String, String> {
    if known.of(name) != Some(Structure::Dictionary) {
        return Err(format!("`{name}` is not known to be a dictionary"));
    }
    let combined = message.combined(name)?;
    let dictionary =
        structured::dictionary(&combined).ok_or_else(|| format!("the field `{name}` is not a dictionary"))?;
    let member = KeyRef::from_str(key).ok().and_then(|key| dictionary.get(key));
    match member {
        Some(ListEntry::Item(item)) => Ok(item.serialize()),
        Some(list) => Ok(List::from([list.clone()]).serialize().unwrap_or_default()),
        None => Err(format!("the dictionary `{name}` has no such member")),
    }
}

/// The one query parameter of this encoded name, encoded anew (section 2.2.8).
fn query_param(query: &str, wanted: &str) -> Result<String, String> {
    let mut found = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(name).map(|name| encode(&name)).as_deref() != Some(wanted) {
            continue;
        }
        if found.is_some() {
            return Err("a query parameter that is there more than once cannot be covered alone".to_owned());
        }
        found = Some(decode(value).ok_or("a covered query parameter is not UTF-8")?);
    }
    found.map(|value| encode(&value)).ok_or_else(|| "the query has no such parameter".to_owned())
}

/// What form encoding says; none if it is not UTF-8. The standard would replace such bytes, so that different queries would be
/// covered by one signature.
fn decode(text: &str) -> Option<String> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match (digit(bytes.get(at)), digit(bytes.get(at + 1))) {
                (Some(high), Some(low)) => {
                    at += 2;
                    u8::try_from(high * 16 + low).ok()?
                }
                _ => b'%',
            },
            plain => *plain,
        });
    }
    String::from_utf8(decoded).ok()
}

/// The `application/x-www-form-urlencoded` percent-encode set of the URL standard, with spaces as `%20`.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digit =
                |number: u8| char::from_digit(u32::from(number), 16).unwrap_or('0').to_ascii_uppercase();
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
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
