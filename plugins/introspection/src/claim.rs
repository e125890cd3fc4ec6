//! Which member of an answer is meant: a name, or a JSON Pointer (RFC 6901) to one inside another.

use serde_json::{Map, Value as Json};
use sluice_sdk::prelude::*;

const MAX_LENGTH: usize = 256;

/// What an authorization server says of a token.
pub(crate) type Claims = Map<String, Json>;

/// `username`, `https://api.example/roles`, `/realm_access/roles`. Names are never split at dots: many are URLs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Claim(String);

impl Claim {
    pub(crate) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The member, if the answer has it.
    pub(crate) fn of<'c>(&self, claims: &'c Claims) -> Option<&'c Json> {
        let Some(pointer) = self.0.strip_prefix('/') else { return claims.get(&self.0) };
        let (first, rest) = pointer.split_at(pointer.find('/').unwrap_or(pointer.len()));
        let first = first.replace("~1", "/").replace("~0", "~");
        claims.get(&first)?.pointer(rest)
    }
}

impl TryFrom<String> for Claim {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(format!("a claim has a name of 1 to {MAX_LENGTH} bytes"));
        }
        // RFC 6901 section 3: after a tilde comes 0 or 1.
        let escapes_well = text.split('~').skip(1).all(|part| part.starts_with(['0', '1']));
        if text.starts_with('/') && !escapes_well {
            return Err(format!("`{}` is no JSON Pointer", text.escape_debug()));
        }
        Ok(Self(text))
    }
}

impl JsonSchema for Claim {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Claim".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "The name of a claim, or a JSON Pointer to one inside another: `/realm_access/roles`.",
            "minLength": 1,
            "maxLength": MAX_LENGTH,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_and_pointers_go_inside() {
        let claims = serde_json::json!({
            "a": { "b": [10, { "c": "deep" }] }, "a.b": "dotted", "https://x/y": "url", "x/y": 1, "m~n": { "": 2 },
        });
        let find =
            |path: &str| Claim::try_from(path.to_owned()).unwrap().of(claims.as_object().unwrap()).cloned();
        assert_eq!(find("a.b"), Some("dotted".into()));
        assert_eq!(find("https://x/y"), Some("url".into()));
        assert_eq!(find("/a/b/1/c"), Some("deep".into()));
        assert_eq!(find("/x~1y"), Some(1.into()));
        assert_eq!(find("/m~0n/"), Some(2.into()));
        for missing in ["b", "/a/c", "/a/b/2", "/a/b/01", "/", "/x/y"] {
            assert_eq!(find(missing), None, "{missing}");
        }
        for bad in ["", "/a~", "/a~2b"] {
            assert!(Claim::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
