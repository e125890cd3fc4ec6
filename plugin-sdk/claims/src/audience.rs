//! Whom a token is for.

use serde_json::Value as Json;

use crate::{Claims, Refusal};

/// Refuses a token whose `aud` has none of the accepted values (RFC 7519 section 4.1.3, RFC 7662 section 2.2), compared
/// exactly. `aud` is a text or a list of texts; where anything is accepted (`None`) it may be missing, but not malformed.
pub fn check_audience(claims: &Claims, accepted: Option<&[String]>) -> Result<(), Refusal> {
    const MALFORMED: Refusal = Refusal::Invalid("`aud` is malformed");
    let is_accepted =
        |audience: &&str| accepted.is_none_or(|accepted| accepted.iter().any(|known| known == audience));
    let audiences = match claims.get("aud") {
        None if accepted.is_none() => return Ok(()),
        None => return Err(Refusal::Invalid("`aud` is missing")),
        Some(Json::String(audience)) => vec![audience.as_str()],
        Some(Json::Array(list)) => {
            list.iter().map(Json::as_str).collect::<Option<Vec<_>>>().ok_or(MALFORMED)?
        }
        Some(_) => return Err(MALFORMED),
    };
    let fits = accepted.is_none() || audiences.iter().any(is_accepted);
    if fits { Ok(()) } else { Err(Refusal::Invalid("the token is for somebody else")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn audiences_are_compared_exactly() {
        let accepted = ["a".to_owned(), "b".to_owned()];
        let check = |claims: Json, accepted| check_audience(claims.as_object().unwrap(), accepted);
        for good in [json!("a"), json!(["x", "b"])] {
            assert_eq!(check(json!({ "aud": good }), Some(&accepted)), Ok(()));
        }
        for others in [json!("A"), json!("a "), json!("ab"), json!(""), json!([]), json!(["x"])] {
            let refusal = Refusal::Invalid("the token is for somebody else");
            assert_eq!(check(json!({ "aud": others.clone() }), Some(&accepted)), Err(refusal), "{others}");
            assert_eq!(check(json!({ "aud": others.clone() }), None), Ok(()), "{others}");
        }
        for bad in [json!(["a", 1]), json!(1), json!(null), json!({ "a": 1 }), json!([["a"]])] {
            let refusal = Refusal::Invalid("`aud` is malformed");
            for accepted in [Some(&accepted[..]), None] {
                assert_eq!(check(json!({ "aud": bad.clone() }), accepted), Err(refusal), "{bad}");
            }
        }
        assert_eq!(check(json!({}), Some(&accepted)), Err(Refusal::Invalid("`aud` is missing")));
        assert_eq!(check(json!({}), None), Ok(()));
    }
}
