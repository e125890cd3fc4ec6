//! `Signature-Input` and `Signature` (RFC 9421 section 4): which signature counts, and what it states.

use sfv::{BareItem, Dictionary, InnerList, KeyRef, ListEntry, Parameters};

use crate::base;
use crate::component::Component;
use crate::message::Message;
use crate::refusal::Refusal;
use crate::structured;

/// The longest of the two fields, in bytes.
const MAX_FIELD: usize = 16 << 10;
/// The most components that a signature covers: each is work.
const MAX_COMPONENTS: usize = 64;
/// The most of them for which something has to be parsed.
pub(crate) const MAX_PARSED_COMPONENTS: usize = 16;

/// A signature and what it states about itself.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) components: Vec<Component>,
    /// The inner list as it stands in the signature base.
    pub(crate) parameters: String,
    pub(crate) created: Option<i64>,
    pub(crate) expires: Option<i64>,
    pub(crate) nonce: Option<String>,
    pub(crate) algorithm: Option<String>,
    pub(crate) keyid: Option<String>,
    pub(crate) signature: Vec<u8>,
}

fn malformed(detail: impl Into<String>) -> Refusal {
    Refusal::Malformed(detail.into())
}

/// The one signature of this label and this tag, where they are wanted.
pub(crate) fn claim(message: &Message, label: Option<&str>, tag: Option<&str>) -> Result<Claim, Refusal> {
    let inputs = dictionary(message, "signature-input")?;
    let signatures = dictionary(message, "signature")?;
    let is_paired =
        inputs.len() == signatures.len() && inputs.keys().all(|label| signatures.contains_key(label));
    if !is_paired {
        return Err(malformed("`Signature` and `Signature-Input` do not have the same labels"));
    }
    let label = choose(&inputs, label, tag)?;
    let (Some(ListEntry::InnerList(input)), Some(ListEntry::Item(signature))) =
        (inputs.get(label), signatures.get(label))
    else {
        return Err(malformed("`Signature-Input` has no list of components under its label"));
    };
    let BareItem::ByteSequence(signature) = &signature.bare_item else {
        return Err(malformed("`Signature` is not a byte sequence"));
    };
    read(input, signature.clone()).map_err(Refusal::Malformed)
}

fn read(input: &InnerList, signature: Vec<u8>) -> Result<Claim, String> {
    if input.items.len() > MAX_COMPONENTS {
        return Err(format!("the signature covers more than {MAX_COMPONENTS} components"));
    }
    let mut components: Vec<Component> = Vec::with_capacity(input.items.len());
    for item in &input.items {
        let component = Component::read(item)?;
        if components.iter().any(|known| known.shape == component.shape) {
            return Err(format!("{} is covered twice", component.identifier));
        }
        components.push(component);
    }
    if components.iter().filter(|component| component.is_parsed()).count() > MAX_PARSED_COMPONENTS {
        let detail = "components with `sf`, `key` or of `@query-param`";
        return Err(format!("the signature covers more than {MAX_PARSED_COMPONENTS} {detail}"));
    }
    Ok(Claim {
        components,
        parameters: base::parameters(input),
        created: integer(&input.params, "created")?,
        expires: integer(&input.params, "expires")?,
        nonce: string(&input.params, "nonce")?,
        algorithm: string(&input.params, "alg")?,
        keyid: string(&input.params, "keyid")?,
        signature,
    })
}

fn choose<'d>(inputs: &'d Dictionary, label: Option<&str>, tag: Option<&str>) -> Result<&'d KeyRef, Refusal> {
    let fits = |known: &KeyRef, entry: &ListEntry| {
        let is_tagged = || match entry {
            ListEntry::InnerList(list) => string(&list.params, "tag").ok().flatten().as_deref() == tag,
            ListEntry::Item(_) => false,
        };
        label.is_none_or(|label| known.as_str() == label) && (tag.is_none() || is_tagged())
    };
    let mut fitting = inputs.iter().filter(|(known, entry)| fits(known, entry)).map(|(known, _)| &**known);
    match (fitting.next(), fitting.next()) {
        (Some(label), None) => Ok(label),
        (None, _) => {
            let label = label.map(|label| format!(" labelled `{label}`")).unwrap_or_default();
            let tag = tag.map(|tag| format!(" with the tag `{tag}`")).unwrap_or_default();
            Err(Refusal::Missing(format!("a signature{label}{tag} is required")))
        }
        (Some(_), Some(_)) => Err(malformed("more than one signature could be meant")),
    }
}

fn parameter<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p BareItem> {
    parameters.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value)
}

fn integer(parameters: &Parameters, name: &str) -> Result<Option<i64>, String> {
    match parameter(parameters, name) {
        None => Ok(None),
        Some(BareItem::Integer(number)) => Ok(Some(i64::from(*number))),
        Some(_) => Err(format!("the parameter `{name}` is not an integer")),
    }
}

fn string(parameters: &Parameters, name: &str) -> Result<Option<String>, String> {
    match parameter(parameters, name) {
        None => Ok(None),
        Some(BareItem::String(text)) => Ok(Some(text.as_str().to_owned())),
        Some(_) => Err(format!("the parameter `{name}` is not a string")),
    }
}

/// A field that is a dictionary with something in it.
pub(crate) fn dictionary(message: &Message, name: &str) -> Result<Dictionary, Refusal> {
    let combined = message.combined(name).map_err(Refusal::Malformed)?;
    if combined.len() > MAX_FIELD {
        return Err(malformed(format!("`{name}` is longer than {MAX_FIELD} bytes")));
    }
    let dictionary = structured::dictionary(&combined).filter(|dictionary| !dictionary.is_empty());
    dictionary.ok_or_else(|| malformed(format!("`{name}` cannot be read, is empty or has a key twice")))
}

#[cfg(test)]
mod tests;
