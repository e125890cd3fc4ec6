//! Which fault is which problem document.

use sluice_sdk::prelude::*;
use sluice_sdk::serde_json;

use crate::config::{Blame, FaultConfig};
use crate::convention;
use crate::envelope::{Code, Fault};
use crate::failure::short;
use crate::json::Json;
use crate::mapping::Mapping;
use crate::names::{Names, Tag, Terms};
use crate::template::Makes;
use crate::xml::{Element, Writer, is_name};

/// A fault of the service, and the problem document that it is.
#[derive(Debug)]
pub(crate) struct Rule {
    status: u16,
    kind: Option<String>,
    code: Option<Code>,
    subcode: Option<Tag>,
    detail: Option<Tag>,
    mapping: Mapping,
}

/// The namespace of problem documents in XML (RFC 9457 appendix B).
const PROBLEM: &str = "urn:ietf:rfc:7807";

impl Rule {
    pub(crate) fn new(config: FaultConfig, names: &Names, key: &str) -> Result<Self> {
        let FaultConfig { status, kind, code, subcode, detail, fields } = config;
        ensure!((400..=599).contains(&status), "`{key}.status` lies between 400 and 599");
        ensure!(fields.is_none() || detail.is_some(), "`{key}.fields` has no meaning without `detail`");
        let subcode = subcode.map(|subcode| {
            let tag = names.top(&subcode)?;
            ensure!(!tag.name.namespace.is_empty(), "`{subcode}` needs a namespace");
            Ok(tag)
        });
        let subcode = subcode.transpose().context(format_args!("{key}.subcode"))?;
        let detail =
            detail.map(|detail| names.top(&detail)).transpose().context(format_args!("{key}.detail"))?;
        let mapping = Mapping::new(fields.as_deref(), None, Makes::Xml, names, &format!("{key}.fields"))?;
        let code = code.map(|blame| match blame {
            Blame::Sender => Code::Sender,
            Blame::Receiver => Code::Receiver,
        });
        Ok(Self { status, kind, code, subcode, detail, mapping })
    }

    /// Whether it says anything of the faults that it is for.
    pub(crate) fn tells_faults(&self) -> bool {
        self.code.is_some() || self.subcode.is_some() || self.detail.is_some()
    }

    fn suits(&self, fault: &Fault<'_>) -> bool {
        let detail = |tag: &Tag| element_of(fault, tag).is_some();
        // In SOAP 1.1 the subcode stands in place of the code.
        self.code
            .is_none_or(|code| code == fault.code || (self.subcode.is_some() && fault.code == Code::Receiver))
            && self.subcode.as_ref().is_none_or(|tag| fault.subcode.as_ref() == Some(&tag.name))
            && self.detail.as_ref().is_none_or(detail)
    }
}

fn element_of<'e>(fault: &Fault<'e>, tag: &Tag) -> Option<&'e Element> {
    fault.detail?.children.iter().find(|child| child.name == tag.name)
}

/// The problem document that a fault is.
pub(crate) fn problem(rules: &[Rule], fault: &Fault<'_>, exposes_detail: bool, terms: &Terms) -> Problem {
    let rule = rules.iter().find(|rule| rule.suits(fault));
    let status = rule.map_or(if fault.code == Code::Sender { 400 } else { 502 }, |rule| rule.status);
    let kind = rule.and_then(|rule| rule.kind.as_deref()).unwrap_or("soap-fault");
    let mut members = Json::Object(Vec::new());
    if let Some(rule) = rule {
        if let Some(element) = rule.detail.as_ref().and_then(|tag| element_of(fault, tag)) {
            // A detail that does not suit is left out: the fault itself is what matters.
            members = rule.mapping.read(Some(element), terms).unwrap_or(members);
        }
    } else if exposes_detail && let Some(detail) = fault.detail {
        members = Json::Object(vec![("fault_detail".to_owned(), convention::read(detail, &terms.names))]);
    }
    let reason = members.member_text("detail").map_or_else(|| short(&fault.reason), short);
    let mut problem = Problem::new(status, reason).kind(kind);
    if let Some(title) = members.member_text("title") {
        problem = problem.title(title);
    }
    let Json::Object(members) = members else { return problem };
    for (name, value) in members {
        let is_own = matches!(name.as_str(), "type" | "title" | "status" | "detail" | "instance");
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&value.write())
            && !is_own
        {
            problem = problem.with(name, &value);
        }
    }
    problem
}

/// What a SOAP client is told of a response that is no success: code, subcode, reason and the detail as XML.
#[derive(Debug)]
pub(crate) struct Told<'r> {
    pub(crate) code: Code,
    pub(crate) subcode: Option<&'r Tag>,
    pub(crate) reason: String,
    pub(crate) detail: String,
}

/// Whether a `type` is of this kind. The gateway writes the kinds of its steps' problems as URNs.
fn is_kind(found: Option<&str>, kind: &str) -> bool {
    found.is_some_and(|found| {
        found.strip_prefix("urn:sluice:problem:").unwrap_or(found) == kind || found == kind
    })
}

/// A status in words, for responses that say nothing more, as those of the gateway itself do here.
fn named(status: u16) -> String {
    let phrase = match status {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => return format!("status {status}"),
    };
    format!("status {status}, {phrase}")
}

/// The fault that a response of this status is, with its problem document if it has one.
pub(crate) fn fault<'r>(rules: &'r [Rule], status: u16, document: Option<&Json>, terms: &Terms) -> Told<'r> {
    let said =
        |name: &str| document.and_then(|document| document.member_text(name)).filter(|text| !text.is_empty());
    let suits = |rule: &&Rule| {
        rule.status == status && rule.kind.as_deref().is_none_or(|kind| is_kind(said("type"), kind))
    };
    let rule = rules.iter().find(suits);
    let code = if status < 500 { Code::Sender } else { Code::Receiver };
    let code = rule.and_then(|rule| rule.code).unwrap_or(code);
    let reason = said("detail").or_else(|| said("title")).map_or_else(|| named(status), short);
    let empty = Json::Object(Vec::new());
    let own = rule.and_then(|rule| Some((rule, rule.detail.as_ref()?)));
    // What the document does not have for the detail leaves it to the document itself.
    let own = own.and_then(|(rule, tag)| {
        let mut out = Writer::new(&terms.bounds);
        rule.mapping.write(tag, document.unwrap_or(&empty), &mut out, terms).ok()?;
        out.finish().ok()
    });
    let detail = own.unwrap_or_else(|| problem_element(status, document, terms));
    Told { code, subcode: rule.and_then(|rule| rule.subcode.as_ref()), reason, detail }
}

/// A problem document in XML, as RFC 9457 appendix B has it; nothing if it comes to more than a body may have.
pub(crate) fn problem_element(status: u16, document: Option<&Json>, terms: &Terms) -> String {
    let mut out = Writer::new(&terms.bounds);
    out.raw(&format!("<problem xmlns=\"{PROBLEM}\">"));
    if let Some(Json::Object(members)) = document {
        members.iter().filter(|(name, _)| name != "status").for_each(|(name, value)| match value {
            Json::Text(text) if name == "detail" => out.element(name, &short(text)),
            value => append(name, value, &mut out),
        });
    }
    out.element("status", &status.to_string());
    out.raw("</problem>");
    out.finish().unwrap_or_default()
}

/// Members whose name is none of XML are left out.
fn append(name: &str, value: &Json, out: &mut Writer<'_>) {
    if !is_name(name) {
        return;
    }
    if *value == Json::Null {
        return;
    }
    out.open(name);
    out.body();
    match value {
        Json::Null => {}
        Json::Text(text) => out.text(text),
        Json::Number(number) => out.text(number),
        Json::Bool(value) => out.text(if *value { "true" } else { "false" }),
        Json::Array(items) => items.iter().for_each(|item| append("i", item, out)),
        Json::Object(members) => members.iter().for_each(|(name, value)| append(name, value, out)),
    }
    out.close(name);
}
