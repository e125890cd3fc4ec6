//! SOAP's envelope in both versions: taken apart, and written.

use sluice_sdk::prelude::*;

use crate::failure::Failure;
use crate::names::{Tag, Terms};
use crate::stop::Stop;
use crate::xml::{Element, Name, Writer};

const NS_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const NS_12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// A version of SOAP.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Version {
    V11,
    V12,
}

impl Version {
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::V11 => NS_11,
            Self::V12 => NS_12,
        }
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::V11 => "text/xml",
            Self::V12 => "application/soap+xml",
        }
    }

    /// Whether a header block is for this node, and not for another one on the way.
    fn is_ours(self, block: &Element) -> bool {
        let role = match self {
            Self::V11 => block.attribute(NS_11, "actor"),
            Self::V12 => block.attribute(NS_12, "role"),
        };
        let role = role.unwrap_or_default().trim();
        match self {
            _ if role.is_empty() => true,
            Self::V11 => role == "http://schemas.xmlsoap.org/soap/actor/next",
            Self::V12 => {
                matches!(role.strip_prefix(NS_12), Some("/role/next" | "/role/ultimateReceiver"))
            }
        }
    }

    /// The `Content-Type` of a message with this action.
    pub(crate) fn content_type(self, action: Option<&str>) -> String {
        let media = self.media_type();
        match (self, action) {
            (Self::V12, Some(action)) => {
                let action = action.replace('\\', "\\\\").replace('"', "\\\"");
                format!("{media}; charset=utf-8; action=\"{action}\"")
            }
            _ => format!("{media}; charset=utf-8"),
        }
    }
}

/// An envelope, taken apart.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) version: Version,
    /// With the blocks that are for this node.
    pub(crate) header: Option<Element>,
    /// What the body has in it.
    pub(crate) body: Vec<Element>,
}

/// Why a document is no envelope.
pub(crate) enum NoEnvelope {
    /// It is one of a version that there is not.
    Version,
    Malformed(&'static str),
}

impl Envelope {
    pub(crate) fn new(root: Element) -> Result<Self, NoEnvelope> {
        let version = match &*root.name.namespace {
            _ if root.name.local != "Envelope" => {
                return Err(NoEnvelope::Malformed("the body is not an `Envelope`"));
            }
            NS_11 => Version::V11,
            NS_12 => Version::V12,
            _ => return Err(NoEnvelope::Version),
        };
        let (mut header, mut body) = (None, None);
        if !root.is_blank() {
            return Err(NoEnvelope::Malformed("there is text in the `Envelope`"));
        }
        for child in root.children {
            if child.name.is(version.namespace(), "Header") && header.is_none() && body.is_none() {
                let mut blocks = child;
                blocks.children.retain(|block| version.is_ours(block));
                header = Some(blocks);
            } else if child.name.is(version.namespace(), "Body") && body.is_none() {
                body = Some(child);
            } else {
                return Err(NoEnvelope::Malformed(
                    "there is more in the `Envelope` than a `Header` and a `Body`",
                ));
            }
        }
        let body = body.ok_or(NoEnvelope::Malformed("the `Envelope` has no `Body`"))?;
        if !body.is_blank() {
            return Err(NoEnvelope::Malformed("there is text in the `Body`"));
        }
        Ok(Self { version, header, body: body.children })
    }

    /// A header block that has to be understood here and is not.
    pub(crate) fn misunderstood(&self, understood: &dyn Fn(&Name) -> bool) -> Option<&Name> {
        let namespace = self.version.namespace();
        let must = |block: &&Element| {
            block
                .attribute(namespace, "mustUnderstand")
                .is_some_and(|must| matches!(must.trim(), "1" | "true"))
        };
        let mut blocks = self.header.iter().flat_map(|header| &header.children);
        blocks.find(|block| must(block) && !understood(&block.name)).map(|block| &block.name)
    }
}

/// Writes an envelope around a header, if there is one, and what is written into the body.
pub(crate) fn write(
    version: Version,
    terms: &Terms,
    header: &str,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), Stop>,
) -> Result<String, Failure> {
    let mut out = Writer::new(&terms.bounds);
    out.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    out.open("soap:Envelope");
    out.attribute("xmlns:soap", version.namespace());
    out.raw(terms.names.declarations());
    out.body();
    out.raw(header);
    out.open("soap:Body");
    out.body();
    body(&mut out)?;
    out.close("soap:Body");
    out.close("soap:Envelope");
    Ok(out.finish()?)
}

/// Whose fault it is, as SOAP has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Code {
    Sender,
    Receiver,
    VersionMismatch,
    MustUnderstand,
}

/// A fault that has come.
#[derive(Debug)]
pub(crate) struct Fault<'e> {
    pub(crate) code: Code,
    pub(crate) subcode: Option<Name>,
    pub(crate) reason: String,
    pub(crate) detail: Option<&'e Element>,
}

impl<'e> Fault<'e> {
    /// The fault in a body, if it is one.
    pub(crate) fn of(envelope: &'e Envelope) -> Option<Self> {
        let namespace = envelope.version.namespace();
        let fault = envelope.body.first().filter(|element| element.name.is(namespace, "Fault"))?;
        Some(match envelope.version {
            Version::V11 => {
                let name = fault.child("", "faultcode").and_then(Element::qualified_text);
                let text = |name| fault.child("", name).map(|element| element.text.trim().to_owned());
                let (code, subcode) = match name {
                    // `Client.Authentication` is a kind of `Client` (section 4.4.1).
                    Some(name) if is_code_11(&name) => {
                        (code(name.local.split('.').next().unwrap_or_default()), None)
                    }
                    other => (Code::Receiver, other),
                };
                let reason = text("faultstring").unwrap_or_default();
                Self { code, subcode, reason, detail: fault.child("", "detail") }
            }
            Version::V12 => {
                let outer = fault.child(namespace, "Code");
                let name =
                    |element: &Element| element.child(namespace, "Value").and_then(Element::qualified_text);
                let code = outer.and_then(name).map_or(Code::Receiver, |name| code(&name.local));
                let subcode = outer.and_then(|outer| outer.child(namespace, "Subcode")).and_then(name);
                let text =
                    fault.child(namespace, "Reason").and_then(|reason| reason.child(namespace, "Text"));
                let reason = text.map(|text| text.text.trim().to_owned()).unwrap_or_default();
                Self { code, subcode, reason, detail: fault.child(namespace, "Detail") }
            }
        })
    }
}

/// Whether a name is one of the codes of SOAP 1.1. Some write them without a prefix.
fn is_code_11(name: &Name) -> bool {
    let kind = name.local.split('.').next().unwrap_or_default();
    match &*name.namespace {
        NS_11 => true,
        "" => matches!(kind, "Client" | "Server" | "VersionMismatch" | "MustUnderstand"),
        _ => false,
    }
}

fn code(name: &str) -> Code {
    match name {
        "Client" | "Sender" => Code::Sender,
        "VersionMismatch" => Code::VersionMismatch,
        "MustUnderstand" => Code::MustUnderstand,
        _ => Code::Receiver,
    }
}

/// A fault to be written.
#[derive(Debug)]
pub(crate) struct NewFault<'f> {
    pub(crate) code: Code,
    pub(crate) subcode: Option<&'f Tag>,
    pub(crate) reason: &'f str,
    /// Elements, as XML.
    pub(crate) detail: &'f str,
}

impl NewFault<'_> {
    /// The status that it has over HTTP.
    pub(crate) fn status(&self, version: Version) -> u16 {
        if version == Version::V12 && self.code == Code::Sender { 400 } else { 500 }
    }

    /// Writes the element for the body.
    pub(crate) fn write(&self, version: Version, out: &mut Writer<'_>) {
        let code = match (self.code, version) {
            (Code::Sender, Version::V11) => "soap:Client",
            (Code::Receiver, Version::V11) => "soap:Server",
            (Code::Sender, Version::V12) => "soap:Sender",
            (Code::Receiver, Version::V12) => "soap:Receiver",
            (Code::VersionMismatch, _) => "soap:VersionMismatch",
            (Code::MustUnderstand, _) => "soap:MustUnderstand",
        };
        let subcode = self.subcode.map(|tag| tag.written.as_str());
        out.raw("<soap:Fault>");
        match version {
            Version::V11 => {
                out.element("faultcode", subcode.unwrap_or(code));
                out.element("faultstring", self.reason);
                if !self.detail.is_empty() {
                    out.raw("<detail>");
                    out.raw(self.detail);
                    out.raw("</detail>");
                }
            }
            Version::V12 => {
                out.raw("<soap:Code>");
                out.element("soap:Value", code);
                if let Some(subcode) = subcode {
                    out.raw("<soap:Subcode>");
                    out.element("soap:Value", subcode);
                    out.raw("</soap:Subcode>");
                }
                out.raw("</soap:Code><soap:Reason><soap:Text xml:lang=\"en\">");
                out.text(self.reason);
                out.raw("</soap:Text></soap:Reason>");
                if !self.detail.is_empty() {
                    out.raw("<soap:Detail>");
                    out.raw(self.detail);
                    out.raw("</soap:Detail>");
                }
            }
        }
        out.raw("</soap:Fault>");
    }
}
