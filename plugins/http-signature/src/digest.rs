//! Digests of the body: `Content-Digest` and `Repr-Digest` (RFC 9530), and `Digest` (RFC 3230) in the older forms.

use data_encoding::BASE64;
use sfv::{BareItem, ListEntry};
use sluice_sdk::crypto;
use sluice_sdk::prelude::*;

use crate::input;
use crate::message::Message;
use crate::refusal::{Refusal, Stop};

/// What is demanded of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A body has a digest, and the signature covers it.
    #[default]
    Required,
    /// A digest is checked if there is one. One that the signature covers has to be one that can be checked.
    IfPresent,
    /// Bodies are not looked at.
    Off,
}

/// Fields that hold digests.
pub(crate) const CONTENT: &str = "content-digest";
pub(crate) const REPRESENTATION: &str = "repr-digest";
pub(crate) const OLD: &str = "digest";

/// A digest field that a signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Covered {
    pub(crate) field: &'static str,
    /// Whether what is covered of it is a digest that this form of signature knows how to check.
    pub(crate) is_understood: bool,
}

/// The algorithms, and whether each is the one with 512 bits.
const ALGORITHMS: [(&str, bool); 2] = [("sha-256", false), ("sha-512", true)];

pub(crate) fn is_understood(algorithm: &str) -> bool {
    ALGORITHMS.iter().any(|(known, _)| *known == algorithm)
}

/// What the body will be held to once it is there.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    digests: Vec<Expected>,
    /// What a body is refused with, if there may be none.
    refusal: Option<Refusal>,
}

/// A digest that a body must have.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Expected {
    field: String,
    is_sha512: bool,
    base64: String,
}

/// Which fields count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) mode: Mode,
    /// `Repr-Digest`.
    pub(crate) representation: bool,
    /// `Digest`.
    pub(crate) old: bool,
}

impl Accepted {
    /// The fields, best first.
    pub(crate) fn fields(self, message: &Message) -> impl Iterator<Item = &'static str> {
        // A part of a representation is not what its digest is of.
        let representation = self.representation && !message.has("content-range");
        [(CONTENT, true), (REPRESENTATION, representation), (OLD, self.old)]
            .into_iter()
            .filter_map(|(field, counts)| counts.then_some(field))
    }

    /// What a request's body will be held to; none if it need not be seen. `covered` are the digests that the signature covers.
    pub(crate) fn plan(self, message: &Message, covered: &[Covered]) -> Result<Option<Plan>, Refusal> {
        if self.mode == Mode::Off {
            return Ok(None);
        }
        let mut plan = Plan::default();
        let mut proven = false;
        for field in self.fields(message).filter(|field| message.has(field)) {
            let digests = if field == OLD { read_old(message)? } else { read(message, field)? };
            plan.digests.extend(digests);
            proven |= covered.iter().any(|covered| covered.field == field && covered.is_understood);
        }
        let wanted = if self.old { OLD } else { CONTENT };
        // Who signed a digest counts on the body being held to it. That there is no body now does not mean that there was none.
        if !proven && let Some(Covered { field, .. }) = covered.first() {
            let detail =
                format!("the body cannot be held to the covered `{field}`: cover a digest in `{wanted}`");
            return Err(Refusal::DigestMissing(detail));
        }
        if self.mode == Mode::Required && !proven {
            let refusal = if plan.digests.is_empty() {
                Refusal::DigestMissing(format!("a body needs a digest, in the field `{wanted}`"))
            } else {
                Refusal::Incomplete(vec![plan.digests[0].field.clone()])
            };
            if message.announces_body() {
                return Err(refusal);
            }
            plan.refusal = Some(refusal);
        }
        Ok(Some(plan).filter(|plan| !plan.digests.is_empty() || plan.refusal.is_some()))
    }
}

impl Plan {
    /// Holds the body to it.
    pub(crate) fn check(self, body: &[u8]) -> Result<(), Stop> {
        if let Some(refusal) = self.refusal
            && !body.is_empty()
        {
            return Err(refusal.into());
        }
        for expected in &self.digests {
            let kind = if expected.is_sha512 { crypto::Digest::Sha512 } else { crypto::Digest::Sha256 };
            if BASE64.encode(&crypto::digest(kind, body)?) != expected.base64 {
                let detail = format!("the body does not have the digest in `{}`", expected.field);
                return Err(Refusal::DigestMismatch(detail).into());
            }
        }
        Ok(())
    }
}

fn unusable(field: &str) -> Refusal {
    Refusal::DigestMissing(format!("`{field}` has no digest by sha-256 or sha-512 that can be read"))
}

fn read(message: &Message, field: &str) -> Result<Vec<Expected>, Refusal> {
    let dictionary = input::dictionary(message, field).map_err(|_| unusable(field))?;
    let mut digests = Vec::new();
    for (name, is_sha512) in ALGORITHMS {
        let found = dictionary.iter().find(|(key, _)| key.as_str() == name);
        let Some((_, entry)) = found else { continue };
        let ListEntry::Item(sfv::Item { bare_item: BareItem::ByteSequence(bytes), .. }) = entry else {
            return Err(unusable(field));
        };
        digests.push(Expected { field: field.to_owned(), is_sha512, base64: BASE64.encode(bytes) });
    }
    if digests.is_empty() { Err(unusable(field)) } else { Ok(digests) }
}

/// `SHA-256=<base64>, ...`, with names in any case.
fn read_old(message: &Message) -> Result<Vec<Expected>, Refusal> {
    let combined = message.combined(OLD).map_err(|_| unusable(OLD))?;
    let mut digests: Vec<Expected> = Vec::new();
    for part in combined.split(',') {
        let (name, value) = part.trim().split_once('=').ok_or_else(|| unusable(OLD))?;
        let is_sha512 = name.eq_ignore_ascii_case("sha-512");
        if !is_sha512 && !name.eq_ignore_ascii_case("sha-256") {
            continue;
        }
        if digests.iter().any(|known| known.is_sha512 == is_sha512) {
            return Err(unusable(OLD));
        }
        digests.push(Expected { field: OLD.to_owned(), is_sha512, base64: value.to_owned() });
    }
    if digests.is_empty() { Err(unusable(OLD)) } else { Ok(digests) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";

    fn message(fields: &[(&str, &str)]) -> Message {
        let fields =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        Message { fields, ..Message::default() }
    }

    fn plan(mode: Mode, fields: &[(&str, &str)], covered: &[&'static str]) -> Result<Option<Plan>, Refusal> {
        let covered: Vec<Covered> =
            covered.iter().map(|field| Covered { field, is_understood: true }).collect();
        Accepted { mode, representation: true, old: true }.plan(&message(fields), &covered)
    }

    #[test]
    fn a_digest_has_to_be_covered_where_it_is_required() {
        assert!(plan(Mode::Required, &[(CONTENT, SHA256)], &[CONTENT]).unwrap().unwrap().refusal.is_none());
        let refusal = plan(Mode::Required, &[(CONTENT, SHA256)], &[]).unwrap().unwrap().refusal;
        assert_eq!(refusal, Some(Refusal::Incomplete(vec![CONTENT.to_owned()])));
        // Whether there is a body may only be known later, or now.
        assert!(matches!(
            plan(Mode::Required, &[], &[]).unwrap().unwrap().refusal,
            Some(Refusal::DigestMissing(_))
        ));
        assert!(matches!(
            plan(Mode::Required, &[("content-length", "10")], &[]),
            Err(Refusal::DigestMissing(_))
        ));
        assert_eq!(plan(Mode::IfPresent, &[("content-length", "10")], &[]), Ok(None));
        assert_eq!(plan(Mode::Off, &[(CONTENT, "nonsense")], &[]), Ok(None));
    }

    #[test]
    fn only_digests_that_are_understood_count() {
        let both = format!("md5=:AA==:, {SHA256}, sha-512=:AA==:");
        assert_eq!(plan(Mode::IfPresent, &[(CONTENT, &both)], &[]).unwrap().unwrap().digests.len(), 2);
        for bad in
            ["", "md5=:AA==:", "sha-256=AA", "sha-256=(:AA==:)", "sha-256=:A:", "sha-256", "SHA-256=:AA==:"]
        {
            assert!(plan(Mode::IfPresent, &[(CONTENT, bad)], &[]).is_err(), "{bad:?}");
        }
        // The last one would win in a structured field.
        let twice = format!("sha-256=:AA==:, {SHA256}");
        assert!(plan(Mode::IfPresent, &[(CONTENT, &twice)], &[]).is_err());
    }

    #[test]
    fn old_digests_are_read_in_any_case() {
        let digests = plan(Mode::IfPresent, &[(OLD, "sha-256=AA==,MD5=x, SHA-512=BB==")], &[])
            .unwrap()
            .unwrap()
            .digests;
        assert_eq!(digests.iter().map(|known| known.base64.as_str()).collect::<Vec<_>>(), ["AA==", "BB=="]);
        for bad in ["", "MD5=x", "SHA-256", "SHA-256=a, sha-256=b"] {
            assert!(plan(Mode::IfPresent, &[(OLD, bad)], &[]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_part_has_no_digest_of_the_whole() {
        let fields = [(REPRESENTATION, SHA256), ("content-range", "bytes 0-1/9")];
        assert_eq!(plan(Mode::IfPresent, &fields, &[]), Ok(None));
    }

    #[test]
    fn what_is_covered_is_checked_or_refused() {
        let part = [(CONTENT, SHA256), (REPRESENTATION, SHA256), ("content-range", "bytes 0-1/9")];
        for mode in [Mode::Required, Mode::IfPresent] {
            let refused = plan(mode, &part[1..], &[REPRESENTATION]);
            assert!(matches!(refused, Err(Refusal::DigestMissing(_))), "{refused:?}");
            // The digest of the part itself says as much.
            assert!(plan(mode, &part, &[CONTENT, REPRESENTATION]).is_ok());
            let unknown = [Covered { field: CONTENT, is_understood: false }];
            let accepted = Accepted { mode, representation: true, old: false };
            assert!(accepted.plan(&message(&part[..1]), &unknown).is_err());
        }
        assert_eq!(plan(Mode::Off, &part[1..], &[REPRESENTATION]), Ok(None));
    }
}
