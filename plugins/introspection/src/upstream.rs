//! Claims as headers for the upstream. Nobody but this step may send those.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sluice_sdk::prelude::*;

use crate::claim::{Claim, Claims};
use crate::refusal::Refusal;

const MAX_HEADERS: usize = 32;

/// Bytes of one value.
const MAX_VALUE: usize = 4096;

/// Headers that frame the message, or say something else than a claim.
const RESERVED: [&str; 12] = [
    "connection",
    "content-length",
    "cookie",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-anonymous-consumer",
    "x-credential-identifier",
];

const NOT_A_VALUE: Refusal = Refusal::Invalid("a claim cannot be told to the upstream");

/// Which header gets which claim.
pub(crate) struct ClaimHeaders(Vec<(HeaderName, Claim)>);

impl ClaimHeaders {
    pub(crate) fn new(headers: BTreeMap<HeaderName, Claim>, token: &HeaderName) -> Result<Self> {
        ensure!(headers.len() <= MAX_HEADERS, "`claims_to_headers` has at most {MAX_HEADERS} entries");
        for name in headers.keys() {
            ensure!(name != token, "`claims_to_headers`: `{name}` is where the token is");
            let is_taken = RESERVED.contains(&name.as_str()) || name.as_str().starts_with("x-consumer-");
            ensure!(!is_taken, "`claims_to_headers`: `{name}` already means something else");
        }
        Ok(Self(headers.into_iter().collect()))
    }

    /// The value of each header, to be [`set`](Self::set) once the request is let in.
    pub(crate) fn values(&self, claims: &Claims) -> Result<Vec<Option<String>>, Refusal> {
        self.0.iter().map(|(_, claim)| claim.of(claims).map_or(Ok(None), written)).collect()
    }

    /// Takes from the client what it has no right to say, and says it.
    pub(crate) fn set(&self, request: &mut Request, values: &[Option<String>]) -> Result<()> {
        let mut headers = request.headers_mut();
        for (index, (name, _)) in self.0.iter().enumerate() {
            match values.get(index).and_then(Option::as_ref) {
                Some(value) => headers.set(name, value)?,
                None => headers.remove(name).map(drop)?,
            }
        }
        Ok(())
    }
}

/// A claim as a header's value: texts as they are, items of a list with commas between. None if there is nothing to write.
fn written(claim: &Json) -> Result<Option<String>, Refusal> {
    let value = match claim {
        Json::Null => return Ok(None),
        Json::Array(items) => items.iter().map(item).collect::<Result<Vec<_>, _>>()?.join(","),
        claim => scalar(claim)?,
    };
    let is_value =
        value.len() <= MAX_VALUE && !value.chars().any(char::is_control) && value.trim().len() == value.len();
    if is_value { Ok(Some(value).filter(|value| !value.is_empty())) } else { Err(NOT_A_VALUE) }
}

fn scalar(claim: &Json) -> Result<String, Refusal> {
    match claim {
        Json::String(text) => Ok(text.clone()),
        Json::Bool(_) | Json::Number(_) => Ok(claim.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => Err(NOT_A_VALUE),
    }
}

/// One that has a comma or nothing in it could be taken for two, or none.
fn item(claim: &Json) -> Result<String, Refusal> {
    scalar(claim)
        .and_then(|text| if text.is_empty() || text.contains(',') { Err(NOT_A_VALUE) } else { Ok(text) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_written_plainly_or_not_at_all() {
        for (claim, value) in [
            (json!("a, b"), Some("a, b")),
            (json!("é"), Some("é")),
            (json!(17), Some("17")),
            (json!(["a", 2, false]), Some("a,2,false")),
            (json!([]), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(written(&claim), Ok(value.map(str::to_owned)), "{claim}");
        }
        for claim in [
            json!("a\r\nx-admin: 1"),
            json!(" a"),
            json!("\u{85}"),
            json!("x".repeat(MAX_VALUE + 1)),
            json!(["a,admin"]),
            json!(["a", ""]),
            json!([["a"]]),
            json!({ "a": 1 }),
        ] {
            assert_eq!(written(&claim), Err(NOT_A_VALUE), "{claim}");
        }
    }
}
