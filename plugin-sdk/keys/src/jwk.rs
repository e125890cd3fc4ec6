//! A JWK (RFC 7517, RFC 7518 section 6, RFC 8037) as the bytes and the one algorithm of a public key.
//!
//! Members that say nothing about verifying (`x5c`, `x5t`, extensions) are passed over, but none may come twice: readers
//! differ in which of the two they believe.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::PublicKeyComponents;
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use sluice_abi::Signature;

use crate::{KeyError, bounds};

/// The longest name of a key, in bytes.
pub(super) const MAX_KID: usize = 512;

/// What a JWK says of its key.
pub(super) struct Parsed {
    /// As `ParsedPublicKey` takes them: `SubjectPublicKeyInfo`, a point, or 32 bytes.
    pub(super) bytes: Vec<u8>,
    pub(super) only: Option<Signature>,
    pub(super) kid: Option<Box<str>>,
}

/// The members of an object, each of them once.
struct Members(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member comes twice"));
            }
        }
        Ok(Members(members))
    }
}

impl Members {
    /// A text that may be absent.
    fn text(&self, name: &str) -> Result<Option<&str>, KeyError> {
        self.0.get(name).map(|value| value.as_str().ok_or(KeyError::Json)).transpose()
    }

    /// A number or coordinate in base64url (RFC 7518 section 2), which must be there.
    fn bytes(&self, name: &str) -> Result<Vec<u8>, KeyError> {
        let text = self.text(name)?.ok_or(KeyError::Numbers)?;
        BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| KeyError::Numbers)
    }

    fn is_for_verifying(&self) -> Result<bool, KeyError> {
        if self.text("use")?.is_some_and(|usage| usage != "sig") {
            return Ok(false);
        }
        let Some(operations) = self.0.get("key_ops") else { return Ok(true) };
        let operations = operations.as_array().ok_or(KeyError::Json)?;
        if operations.iter().any(|operation| !operation.is_string()) {
            return Err(KeyError::Json);
        }
        Ok(operations.iter().any(|operation| operation == "verify"))
    }
}

pub(super) fn parse(json: &[u8]) -> Result<Parsed, KeyError> {
    let Ok(members) = serde_json::from_slice::<Members>(json) else { return Err(KeyError::Json) };
    let kind = members.text("kty")?.ok_or(KeyError::Json)?;
    if kind == "oct" || members.0.contains_key("d") {
        return Err(KeyError::Private);
    }
    if !members.is_for_verifying()? {
        return Err(KeyError::Purpose);
    }
    let kid = members.text("kid")?;
    if kid.is_some_and(|kid| kid.len() > MAX_KID) {
        return Err(KeyError::Json);
    }
    let alg = members.text("alg")?.map(|alg| by_name(alg).ok_or(KeyError::Unsupported)).transpose()?;
    let (bytes, only) = match (kind, members.text("crv")?) {
        ("RSA", _) if alg.is_none_or(is_rsa) => (rsa(&members)?, alg),
        ("EC", Some(curve)) => {
            let (size, algorithm) = by_curve(curve).ok_or(KeyError::Unsupported)?;
            (point(&members, size)?, Some(only_if(algorithm, alg)?))
        }
        ("OKP", Some("Ed25519")) => {
            let algorithm = only_if(Signature::EdDsa, alg)?;
            let x = members.bytes("x")?;
            (if x.len() == 32 { x } else { return Err(KeyError::Numbers) }, Some(algorithm))
        }
        _ => return Err(KeyError::Unsupported),
    };
    Ok(Parsed { bytes, only, kid: kid.map(Box::from) })
}

/// The algorithm of a curve, which `alg` may repeat but not contradict.
fn only_if(algorithm: Signature, alg: Option<Signature>) -> Result<Signature, KeyError> {
    if alg.is_none_or(|alg| alg == algorithm) { Ok(algorithm) } else { Err(KeyError::Unsupported) }
}

fn rsa(members: &Members) -> Result<Vec<u8>, KeyError> {
    let (n, e) = (members.bytes("n")?, members.bytes("e")?);
    // Some producers write the sign byte of DER before the modulus (RFC 7518 section 6.3.1.1 tells of them).
    let n = n.strip_prefix(&[0]).unwrap_or(&n).to_vec();
    if !bounds::are_within(&n, &e) {
        return Err(KeyError::Numbers);
    }
    let der: PublicKeyX509Der<'_> = PublicKeyComponents { n, e }.as_der().map_err(|_| KeyError::Numbers)?;
    Ok(der.as_ref().to_vec())
}

/// An uncompressed point (SEC 1 section 2.3.3). Whether it lies on the curve is looked at when it is parsed.
fn point(members: &Members, size: usize) -> Result<Vec<u8>, KeyError> {
    let (x, y) = (members.bytes("x")?, members.bytes("y")?);
    // RFC 7518 section 6.2.1.2: the full size of a coordinate, leading zeros included.
    if x.len() != size || y.len() != size {
        return Err(KeyError::Numbers);
    }
    Ok([&[4], &x[..], &y[..]].concat())
}

fn by_curve(curve: &str) -> Option<(usize, Signature)> {
    Some(match curve {
        "P-256" => (32, Signature::Es256),
        "P-384" => (48, Signature::Es384),
        "P-521" => (66, Signature::Es512),
        _ => return None,
    })
}

fn is_rsa(algorithm: Signature) -> bool {
    matches!(
        algorithm,
        Signature::Rs256
            | Signature::Rs384
            | Signature::Rs512
            | Signature::Ps256
            | Signature::Ps384
            | Signature::Ps512
    )
}

fn by_name(name: &str) -> Option<Signature> {
    Some(match name {
        "RS256" => Signature::Rs256,
        "RS384" => Signature::Rs384,
        "RS512" => Signature::Rs512,
        "PS256" => Signature::Ps256,
        "PS384" => Signature::Ps384,
        "PS512" => Signature::Ps512,
        "ES256" => Signature::Es256,
        "ES384" => Signature::Es384,
        "ES512" => Signature::Es512,
        "EdDSA" | "Ed25519" => Signature::EdDsa,
        _ => return None,
    })
}
