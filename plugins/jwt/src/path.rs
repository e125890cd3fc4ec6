//! Which claim is meant: a name, or a JSON Pointer (RFC 6901) to one that is inside another.

use serde_json::{Map, Value as Json};
use sluice_sdk::prelude::*;

const MAX_LENGTH: usize = 256;
const MAX_STEPS: usize = 8;

/// `email`, `https://api.example/roles`, `/realm_access/roles`. Names are never split at dots: many are URLs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ClaimPath {
    /// At least one.
    steps: Vec<String>,
}

impl ClaimPath {
    pub(crate) fn named(name: &str) -> Self {
        Self { steps: vec![name.to_owned()] }
    }

    /// The claim, if the token has it.
    pub(crate) fn of<'c>(&self, claims: &'c Map<String, Json>) -> Option<&'c Json> {
        let (first, rest) = self.steps.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, step| match value {
            Json::Object(members) => members.get(step),
            Json::Array(items) => items.get(index(step)?),
            _ => None,
        })
    }
}

/// RFC 6901 section 4: digits without a leading zero.
fn index(step: &str) -> Option<usize> {
    let is_index = step.bytes().all(|byte| byte.is_ascii_digit()) && (step == "0" || !step.starts_with('0'));
    step.parse().ok().filter(|_| is_index)
}

impl TryFrom<String> for ClaimPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(format!("a claim has a name of 1 to {MAX_LENGTH} bytes"));
        }
        let Some(pointer) = text.strip_prefix('/') else { return Ok(Self { steps: vec![text] }) };
        let steps: Option<Vec<_>> = pointer.split('/').map(unescaped).collect();
        match steps {
            Some(steps) if steps.len() <= MAX_STEPS => Ok(Self { steps }),
            _ => Err(format!(
                "`{text}` is no JSON Pointer of at most {MAX_STEPS} steps, such as `/realm_access/roles`"
            )),
        }
    }
}

/// `~1` is a slash and `~0` a tilde; nothing else may follow a tilde.
fn unescaped(step: &str) -> Option<String> {
    let mut parts = step.split('~');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let (character, rest) = match part.as_bytes().first()? {
            b'0' => ('~', &part[1..]),
            b'1' => ('/', &part[1..]),
            _ => return None,
        };
        text.push(character);
        text.push_str(rest);
    }
    Some(text)
}

impl JsonSchema for ClaimPath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClaimPath".into()
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

    fn find(path: &str) -> Option<Json> {
        let claims = serde_json::json!({
            "a": { "b": [10, { "c": "deep" }], "x/y": 1, "m~n": 2, "": 3 }, "a.b": "dotted", "https://x/y": "url",
        });
        let path = ClaimPath::try_from(path.to_owned()).unwrap();
        path.of(claims.as_object().unwrap()).cloned()
    }

    #[test]
    fn names_are_whole_and_pointers_go_inside() {
        assert_eq!(find("a.b"), Some("dotted".into()));
        assert_eq!(find("https://x/y"), Some("url".into()));
        assert_eq!(find("/a/b/1/c"), Some("deep".into()));
        assert_eq!(find("/a/b/0"), Some(10.into()));
        assert_eq!(find("/a/x~1y"), Some(1.into()));
        assert_eq!(find("/a/m~0n"), Some(2.into()));
        assert_eq!(find("/a/"), Some(3.into()));
        for missing in ["b", "/a/c", "/a/b/2", "/a/b/01", "/a/b/-", "/a/b/+1", "/a/b/0/c", "/"] {
            assert_eq!(find(missing), None, "{missing}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in ["", "/a~", "/a~2b", "/a/b/c/d/e/f/g/h/i", &"x".repeat(MAX_LENGTH + 1)] {
            assert!(ClaimPath::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
