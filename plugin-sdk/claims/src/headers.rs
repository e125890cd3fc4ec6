//! Claims as headers for the upstream. Nobody but this step may send those.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sluice_sdk::prelude::*;

use crate::{ClaimPath, Claims, Refusal};

const MAX_HEADERS: usize = 32;

/// Bytes of one value.
const MAX_VALUE: usize = 4096;

/// Headers beside the gateway's own and those of consumers that say something else than a claim.
const TAKEN: [&str; 2] = ["cookie", "host"];

const NOT_A_VALUE: Refusal = Refusal::Invalid("a claim cannot be told to the upstream");

/// Which header gets which claim.
pub(crate) struct ClaimHeaders(Vec<(HeaderName, ClaimPath)>);

impl ClaimHeaders {
    /// `token` is the header in which tokens come.
    pub(crate) fn new(headers: BTreeMap<HeaderName, ClaimPath>, token: Option<&HeaderName>) -> Result<Self> {
        ensure!(headers.len() <= MAX_HEADERS, "`claims_to_headers` has at most {MAX_HEADERS} entries");
        for name in headers.keys() {
            ensure!(token != Some(name), "`claims_to_headers`: `{name}` is where the token is");
            let is_taken =
                name.is_reserved() || TAKEN.contains(&name.as_str()) || auth::is_consumer_header(name);
            ensure!(!is_taken, "`claims_to_headers`: `{name}` already means something else");
        }
        Ok(Self(headers.into_iter().collect()))
    }

    /// The value of each header, to be [`set`](Self::set) once the request is let in.
    pub(crate) fn values(&self, claims: &Claims) -> Result<Vec<Option<String>>, Refusal> {
        self.0.iter().map(|(_, path)| path.of(claims).map_or(Ok(None), written)).collect()
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
    fn claims_are_written_plainly() {
        for (claim, value) in [
            (json!("a@b.example"), Some("a@b.example")),
            (json!("a, b"), Some("a, b")),
            (json!("é"), Some("é")),
            (json!(17), Some("17")),
            (json!(1.5), Some("1.5")),
            (json!(true), Some("true")),
            (json!(["a", 2, false]), Some("a,2,false")),
            (json!([]), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(written(&claim), Ok(value.map(str::to_owned)), "{claim}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for claim in [
            json!("a\r\nx-admin: 1"),
            json!("a\u{0}"),
            json!("a\tb"),
            json!("\u{85}"),
            json!(" a"),
            json!("a "),
            json!("x".repeat(MAX_VALUE + 1)),
            json!(vec!["x"; MAX_VALUE]),
            json!(["a,admin"]),
            json!(["a", ""]),
            json!(["a", null]),
            json!([["a"]]),
            json!({ "a": 1 }),
        ] {
            assert_eq!(written(&claim), Err(NOT_A_VALUE), "{claim}");
        }
    }

    #[test]
    fn headers_that_mean_something_else_are_refused() {
        let new = |names: &[&str]| {
            let headers = names.iter().map(|name| (name.parse().unwrap(), ClaimPath::named("sub")));
            ClaimHeaders::new(headers.collect(), Some(&"x-token".parse().unwrap()))
        };
        assert!(new(&["x-user", "authorization", "x-consumers"]).is_ok());
        for name in ["Host", "content-length", "cookie", "x-consumer-id", "X-Anonymous-Consumer", "x-token"] {
            assert!(new(&["x-user", name]).is_err(), "{name}");
        }
        let many: Vec<_> = (0..=MAX_HEADERS).map(|index| format!("x-{index}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(new(&many[1..]).is_ok() && new(&many).is_err());
    }
}
