//! Which claim is meant: a name, or a JSON Pointer to one that is inside another.

use serde_json::Value as Json;
use sluice_sdk::prelude::*;

use crate::Claims;

const MAX_LENGTH: usize = 256;

/// The name of a claim, or a JSON Pointer (RFC 6901) to one inside another, of 1 to 256 bytes: `email`,
/// `https://api.example/roles`, `/realm_access/roles`. Names are never split at dots: many are URLs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ClaimPath {
    /// As written: two spellings of one claim are two requirements.
    text: String,
    /// At least one.
    steps: Vec<String>,
}

impl ClaimPath {
    /// The claim of exactly this name, which is not read as a pointer.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { text: name.to_owned(), steps: vec![name.to_owned()] }
    }

    /// The claim, if it is there; it may be `null`. A number in a pointer counts the items of a list from 0.
    #[must_use]
    pub fn of<'c>(&self, claims: &'c Claims) -> Option<&'c Json> {
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
        let steps = match text.strip_prefix('/') {
            None => vec![text.clone()],
            Some(pointer) => pointer.split('/').map(unescaped).collect::<Option<_>>().ok_or_else(|| {
                format!("`{}` is no JSON Pointer such as `/realm_access/roles`", text.escape_debug())
            })?,
        };
        Ok(Self { text, steps })
    }
}

/// RFC 6901 section 3: `~1` is a slash and `~0` a tilde; nothing else may follow a tilde.
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
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn find(claims: &Json, path: &str) -> Option<Json> {
        let path = ClaimPath::try_from(path.to_owned()).unwrap();
        path.of(claims.as_object().unwrap()).cloned()
    }

    #[test]
    fn names_are_whole_and_pointers_go_inside() {
        let claims = json!({
            "a": { "b": [10, { "c": "deep" }], "x/y": 1, "m~n": 2, "": 3 },
            "a.b": "dotted", "https://x/y": "url", "x/y": 4, "m~n": { "": 5 },
        });
        for (path, claim) in [
            ("a.b", json!("dotted")),
            ("https://x/y", json!("url")),
            ("/a/b/1/c", json!("deep")),
            ("/a/b/0", json!(10)),
            ("/a/x~1y", json!(1)),
            ("/a/m~0n", json!(2)),
            ("/a/", json!(3)),
            ("/x~1y", json!(4)),
            ("/m~0n/", json!(5)),
        ] {
            assert_eq!(find(&claims, path), Some(claim), "{path}");
        }
        for missing in
            ["b", "/a/c", "/a/b/2", "/a/b/01", "/a/b/-", "/a/b/+1", "/a/b/0/c", "/", "/x/y", "/a.b/c"]
        {
            assert_eq!(find(&claims, missing), None, "{missing}");
        }
    }

    #[test]
    fn the_examples_of_rfc_6901_section_5_are_found() {
        let claims = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8,
        });
        for (pointer, claim) in [
            ("/foo", json!(["bar", "baz"])),
            ("/foo/0", json!("bar")),
            ("/", json!(0)),
            ("/a~1b", json!(1)),
            ("/c%d", json!(2)),
            ("/e^f", json!(3)),
            ("/g|h", json!(4)),
            ("/i\\j", json!(5)),
            ("/k\"l", json!(6)),
            ("/ ", json!(7)),
            ("/m~0n", json!(8)),
        ] {
            assert_eq!(find(&claims, pointer), Some(claim), "{pointer}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in ["", "/a~", "/a~2b", "/a/~", &"x".repeat(MAX_LENGTH + 1)] {
            assert!(ClaimPath::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        for good in ["a~2b", "/a/b/c/d/e/f/g/h/i", &"x".repeat(MAX_LENGTH)] {
            assert!(ClaimPath::try_from(good.to_owned()).is_ok(), "{good}");
        }
    }

    #[test]
    fn two_spellings_are_two_keys() {
        let read: std::collections::BTreeMap<ClaimPath, u8> =
            serde_json::from_value(json!({ "a": 1, "/a": 2 })).unwrap();
        assert_eq!(read.len(), 2);
    }

    fn value() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![Just(json!(null)), any::<i8>().prop_map(Json::from)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                proptest::collection::btree_map("[a01~/]{0,2}", inner, 0..4)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn pointers_lead_where_serde_json_goes(
            members in proptest::collection::btree_map("[a01~/]{0,2}", value(), 0..4),
            pointer in "(/([a01+-]|~0|~1){0,2}){1,4}",
        ) {
            let claims: Claims = members.into_iter().collect();
            let found = ClaimPath::try_from(pointer.clone()).unwrap().of(&claims).cloned();
            prop_assert_eq!(found, Json::Object(claims).pointer(&pointer).cloned());
        }

        #[test]
        fn any_text_is_a_path_or_refused(text: String) {
            if let Ok(path) = ClaimPath::try_from(text) {
                prop_assert!(path.of(&Claims::new()).is_none());
            }
        }
    }
}
