//! What a token permits.

use serde_json::Value as Json;

use crate::{ClaimPath, Claims};

/// What a token permits, by the first of these claims that is there: the words of a text (RFC 6749 section 3.3, RFC 8693
/// section 4.2), or the texts of a list, which some issuers write. A claim of another form permits nothing.
#[must_use]
pub fn scopes(claims: &Claims, from: &[ClaimPath]) -> Vec<String> {
    match from.iter().find_map(|path| path.of(claims)) {
        Some(Json::String(text)) => {
            text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        }
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Whether a text is one scope: visible ASCII characters but quotes and backslashes (RFC 6749 section 3.3, `scope-token`).
/// Nothing else could stand in a challenge.
#[must_use]
pub fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scopes_are_a_text_or_a_list() {
        let from = [ClaimPath::named("scope"), ClaimPath::named("scp")];
        let read = |value: Json| scopes(value.as_object().unwrap(), &from).join(",");
        assert_eq!(read(json!({ "scope": "a  b " })), "a,b");
        assert_eq!(read(json!({ "scope": ["a", 1, "b"] })), "a,b");
        assert_eq!(read(json!({ "scp": ["a", "b c", 1] })), "a,b c");
        assert_eq!(read(json!({ "scp": "a b" })), "a,b");
        assert_eq!(read(json!({ "scope": "a", "scp": ["b"] })), "a");
        assert_eq!(read(json!({ "scope": 5, "scp": ["b"] })), "");
        assert_eq!(read(json!({})), "");
    }

    #[test]
    fn a_scope_fits_into_a_challenge() {
        assert!(["read", "orders:read", "https://api.example/a", "!"].into_iter().all(is_scope));
        for bad in ["", "a b", "a\"b", "a\\b", "é", "a\n", "\u{7f}"] {
            assert!(!is_scope(bad), "{bad:?}");
        }
    }
}
