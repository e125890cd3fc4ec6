//! Tokens that only their owner can use.

use serde_json::Value as Json;
use sluice_sdk::crypto::Digest;
use sluice_sdk::prelude::*;

use crate::{Claims, Failure, Refusal};

/// Refuses a token that is bound to a key (`cnf`, RFC 7800) unless the client has proven that the key is its own. Capability
/// `crypto`.
///
/// A certificate (`x5t#S256`, RFC 8705 section 3) is proven by the TLS connection. No other proof is understood, so that a
/// token which wants one, or a second one, is refused: it is no bearer token (RFC 9449 section 7.2).
pub fn check_binding(claims: &Claims, ctx: &Context) -> Result<(), Failure> {
    let Some(thumbprint) = thumbprint(claims)? else { return Ok(()) };
    let Some(certificate) = ctx.client_certificate() else {
        return Err(Refusal::Invalid("the token is bound to a certificate that was not shown").into());
    };
    if base64url(&crypto::digest(Digest::Sha256, certificate)?) == thumbprint {
        Ok(())
    } else {
        Err(Refusal::Invalid("the token is bound to another certificate").into())
    }
}

/// Of the certificate that the token is bound to, if it is bound.
fn thumbprint(claims: &Claims) -> Result<Option<&str>, Refusal> {
    const NOT_SHOWN: Refusal = Refusal::Invalid("the token is bound to a key that was not shown");
    // Types of RFC 9449 and RFC 9200.
    let type_is_bound = claims
        .get("token_type")
        .and_then(Json::as_str)
        .is_some_and(|name| name.eq_ignore_ascii_case("dpop") || name.eq_ignore_ascii_case("pop"));
    match claims.get("cnf") {
        _ if type_is_bound => Err(NOT_SHOWN),
        None | Some(Json::Null) => Ok(None),
        Some(Json::Object(methods)) if methods.len() == 1 => {
            let thumbprint = methods.get("x5t#S256").and_then(Json::as_str).ok_or(NOT_SHOWN)?;
            Ok(Some(thumbprint.trim_end_matches('=')))
        }
        Some(_) => Err(NOT_SHOWN),
    }
}

/// Unpadded base64url (RFC 4648 section 5). A library that does more would add 25 KiB to a module.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().zip([16, 8, 0]).fold(0, |bits, (byte, shift)| bits | usize::from(*byte) << shift);
        text.extend(
            [18, 12, 6, 0].iter().take(group.len() + 1).map(|shift| char::from(ALPHABET[bits >> shift & 63])),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_examples_of_rfc_4648_section_10_are_encoded() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
        assert_eq!(base64url(&[0xfb, 0xff, 0xbf]), "-_-_");
    }

    #[test]
    fn a_certificate_alone_can_be_shown() {
        let read =
            |claims: Json| thumbprint(claims.as_object().unwrap()).map(|found| found.map(str::to_owned));
        for unbound in [json!({}), json!({ "cnf": null }), json!({ "token_type": "Bearer" })] {
            assert_eq!(read(unbound), Ok(None));
        }
        assert_eq!(read(json!({ "cnf": { "x5t#S256": "abc=" } })), Ok(Some("abc".to_owned())));
        for bound in [
            json!({ "cnf": { "jkt": "abc" } }),
            json!({ "cnf": { "x5t#S256": "abc", "jkt": "abc" } }),
            json!({ "cnf": { "x5t#S256": 7 } }),
            json!({ "cnf": {} }),
            json!({ "cnf": "abc" }),
            json!({ "token_type": "DPoP" }),
            json!({ "token_type": "PoP", "cnf": { "x5t#S256": "abc" } }),
        ] {
            assert!(read(bound.clone()).is_err(), "{bound}");
        }
    }
}
