//! What a token's claims have to be (RFC 7519 section 4.1), once its signature is known to be good.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use sluice_sdk::prelude::*;

use crate::issuer::Issuer;
use crate::jws;
use crate::path::ClaimPath;
use crate::refusal::Refusal;

/// A token's claims.
pub(crate) type Claims = Map<String, Json>;

/// 9999-12-31T23:59:59Z. A later time is a mistake, such as milliseconds.
const LATEST: f64 = 253_402_300_799.0;

/// The widest difference between clocks that is put up with.
const MAX_LEEWAY: Duration = Duration::from_secs(300);

const MAX_REQUIREMENTS: usize = 32;

/// What a claim has to be: one value, or one of several.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Expected {
    /// This value.
    One(Scalar),
    /// One of these.
    OneOf(#[schemars(length(min = 1, max = 64))] Vec<Scalar>),
}

/// A value that has no parts.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// True or false.
    Flag(bool),
    /// A whole number.
    Number(i64),
}

impl Scalar {
    fn is(&self, value: &Json) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Flag(flag) => value.as_bool() == Some(*flag),
            Self::Number(number) => value.as_i64() == Some(*number),
        }
    }
}

impl Expected {
    fn values(&self) -> &[Scalar] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::OneOf(values) => values,
        }
    }

    /// Of a claim that is a list, one of its items has to fit.
    fn fits(&self, claim: &Json) -> bool {
        let fits = |item: &Json| self.values().iter().any(|value| value.is(item));
        match claim {
            Json::Array(items) => items.iter().any(fits),
            claim => fits(claim),
        }
    }
}

/// What is asked of every token, whoever issued it.
pub(crate) struct Requirements {
    /// Seconds.
    leeway: f64,
    /// Seconds.
    max_lifetime: Option<f64>,
    require_exp: bool,
    present: Vec<ClaimPath>,
    expected: Vec<(ClaimPath, Expected)>,
}

impl Requirements {
    pub(crate) fn new(
        leeway: Duration,
        max_lifetime: Option<Duration>,
        require_exp: bool,
        present: Vec<ClaimPath>,
        expected: BTreeMap<ClaimPath, Expected>,
    ) -> Result<Self> {
        ensure!(leeway <= MAX_LEEWAY, "`leeway` is at most {MAX_LEEWAY}");
        ensure!(max_lifetime.is_none_or(|most| !most.is_zero()), "`max_lifetime` is no time at all");
        ensure!(max_lifetime.is_none() || require_exp, "`max_lifetime` needs `require_exp`");
        ensure!(
            present.len() <= MAX_REQUIREMENTS,
            "`required_claims` has at most {MAX_REQUIREMENTS} entries"
        );
        ensure!(expected.len() <= MAX_REQUIREMENTS, "`claims` has at most {MAX_REQUIREMENTS} entries");
        ensure!(
            expected.values().all(|one| !one.values().is_empty()),
            "`claims`: a claim cannot be one of no values"
        );
        let seconds = |time: Duration| time.get().as_secs_f64();
        let (leeway, max_lifetime) = (seconds(leeway), max_lifetime.map(seconds));
        Ok(Self { leeway, max_lifetime, require_exp, present, expected: expected.into_iter().collect() })
    }

    /// Whether the claims are those of a token of `issuer` that may be used `now`, in seconds since 1970.
    pub(crate) fn check(&self, claims: &Claims, issuer: &Issuer, now: f64) -> Result<(), Refusal> {
        let iss = jws::text(claims, "iss")?.ok_or(Refusal::Invalid("`iss` is missing"))?;
        if !issuer.names.iter().any(|name| name == iss) {
            return Err(UNKNOWN_ISSUER);
        }
        for name in ["sub", "jti"] {
            jws::text(claims, name)?;
        }
        check_audience(claims.get("aud"), issuer.audiences.as_deref())?;
        for path in &self.present {
            let is_there = path.of(claims).is_some_and(|claim| !claim.is_null());
            is_there.then_some(()).ok_or(Refusal::Invalid("a claim that is required is missing"))?;
        }
        for (path, expected) in &self.expected {
            let fits = path.of(claims).is_some_and(|claim| expected.fits(claim));
            fits.then_some(()).ok_or(Refusal::Invalid("a claim is not what it has to be"))?;
        }
        // Last, so that of a token that is wrong otherwise too nobody learns its time.
        self.check_times(claims, now)
    }

    fn check_times(&self, claims: &Claims, now: f64) -> Result<(), Refusal> {
        let (exp, nbf, iat) = (time(claims, "exp")?, time(claims, "nbf")?, time(claims, "iat")?);
        if exp.is_none() && self.require_exp {
            return Err(Refusal::Invalid("`exp` is missing"));
        }
        if let Some(most) = self.max_lifetime {
            let issued = iat.ok_or(Refusal::Invalid("`iat` is missing"))?;
            if exp.is_none_or(|end| end - issued > most) {
                return Err(Refusal::Invalid("the token is valid for too long"));
            }
        }
        // RFC 7519 section 4.1.4: before, not at.
        if exp.is_some_and(|end| now >= end + self.leeway) {
            return Err(Refusal::Expired);
        }
        let begins = [nbf, iat].into_iter().flatten().fold(0.0, f64::max);
        if now + self.leeway < begins { Err(Refusal::NotYetValid) } else { Ok(()) }
    }
}

pub(crate) const UNKNOWN_ISSUER: Refusal = Refusal::Invalid("the issuer is not accepted");

/// `aud` is a text or a list of texts.
fn check_audience(aud: Option<&Json>, accepted: Option<&[String]>) -> Result<(), Refusal> {
    const MALFORMED: Refusal = Refusal::Invalid("`aud` is malformed");
    const OTHERS: Refusal = Refusal::Invalid("the token is for somebody else");
    let is_accepted = |audience: &str| accepted.is_none_or(|list| list.iter().any(|known| known == audience));
    match aud {
        None if accepted.is_none() => Ok(()),
        None => Err(Refusal::Invalid("`aud` is missing")),
        Some(Json::String(audience)) => is_accepted(audience).then_some(()).ok_or(OTHERS),
        Some(Json::Array(list)) => {
            let audiences: Option<Vec<_>> = list.iter().map(Json::as_str).collect();
            let audiences = audiences.ok_or(MALFORMED)?;
            let fits = accepted.is_none() || audiences.into_iter().any(is_accepted);
            fits.then_some(()).ok_or(OTHERS)
        }
        Some(_) => Err(MALFORMED),
    }
}

/// A NumericDate: seconds since 1970, with a fraction or without.
fn time(claims: &Claims, name: &str) -> Result<Option<f64>, Refusal> {
    const MALFORMED: Refusal = Refusal::Invalid("a time is malformed");
    let Some(claim) = claims.get(name) else { return Ok(None) };
    let seconds = claim.as_f64().filter(|seconds| (0.0..=LATEST).contains(seconds)).ok_or(MALFORMED)?;
    Ok(Some(seconds))
}

/// What a token permits: `scope` with blanks between (RFC 8693 section 4.2), or a list, as some issuers have `scp`.
pub(crate) fn scopes(claims: &Claims, from: &[ClaimPath]) -> Vec<String> {
    let found = from.iter().find_map(|path| path.of(claims));
    match found {
        Some(Json::String(text)) => {
            text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        }
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Json) -> Claims {
        value.as_object().unwrap().clone()
    }

    fn times(
        leeway: u64,
        max_lifetime: Option<u64>,
        require_exp: bool,
        value: Json,
        now: f64,
    ) -> Result<(), Refusal> {
        let (leeway, most) = (Duration::from_secs(leeway), max_lifetime.map(Duration::from_secs));
        let requirements = Requirements::new(leeway, most, require_exp, Vec::new(), BTreeMap::new()).unwrap();
        requirements.check_times(&claims(value), now)
    }

    #[test]
    fn a_token_ends_at_exp_and_begins_at_nbf_and_iat() {
        let check = |value, now| times(30, None, true, value, now);
        assert_eq!(check(json!({ "exp": 1000 }), 1029.999), Ok(()));
        assert_eq!(check(json!({ "exp": 1000 }), 1030.0), Err(Refusal::Expired));
        assert_eq!(check(json!({ "exp": 1000.5 }), 1030.4), Ok(()));
        assert_eq!(check(json!({ "exp": 1000.5 }), 1030.5), Err(Refusal::Expired));
        for name in ["nbf", "iat"] {
            assert_eq!(check(json!({ "exp": 9000, name: 1000 }), 970.0), Ok(()));
            assert_eq!(check(json!({ "exp": 9000, name: 1000 }), 969.999), Err(Refusal::NotYetValid));
        }
        assert_eq!(times(0, None, true, json!({ "exp": 1000 }), 1000.0), Err(Refusal::Expired));
        assert_eq!(times(0, None, true, json!({ "exp": 1000, "nbf": 999 }), 999.0), Ok(()));
    }

    #[test]
    fn times_are_sane_numbers() {
        for bad in [
            json!("1000"),
            json!(null),
            json!(-1),
            json!(-0.5),
            json!(1e300),
            json!(1_767_225_600_000_u64),
            json!([1]),
            json!(true),
        ] {
            for name in ["exp", "nbf", "iat"] {
                let mut value = json!({ "exp": 2000 });
                value[name] = bad.clone();
                assert_eq!(
                    times(30, None, true, value, 1000.0),
                    Err(Refusal::Invalid("a time is malformed")),
                    "{name} {bad}"
                );
            }
        }
        assert_eq!(times(30, None, true, json!({}), 1000.0), Err(Refusal::Invalid("`exp` is missing")));
        assert_eq!(times(30, None, false, json!({}), 1000.0), Ok(()));
        assert_eq!(times(30, None, false, json!({ "exp": 1 }), 1000.0), Err(Refusal::Expired));
    }

    #[test]
    fn a_lifetime_is_bounded_where_wanted() {
        let check = |value| times(30, Some(600), true, value, 1000.0);
        assert_eq!(check(json!({ "exp": 1600, "iat": 1000 })), Ok(()));
        assert_eq!(
            check(json!({ "exp": 1601, "iat": 1000 })),
            Err(Refusal::Invalid("the token is valid for too long"))
        );
        assert_eq!(check(json!({ "exp": 1600 })), Err(Refusal::Invalid("`iat` is missing")));
    }

    #[test]
    fn audiences_are_compared_exactly() {
        let accepted = ["a".to_owned(), "b".to_owned()];
        let check = |aud: Json| check_audience(Some(&aud), Some(&accepted)).is_ok();
        assert!(check(json!("a")) && check(json!(["x", "b"])));
        for bad in [
            json!("A"),
            json!("a "),
            json!("ab"),
            json!(""),
            json!([]),
            json!(["x"]),
            json!(["a", 1]),
            json!(1),
            json!(null),
            json!({ "a": 1 }),
            json!([["a"]]),
        ] {
            assert!(!check(bad.clone()), "{bad}");
        }
        assert!(check_audience(None, Some(&accepted)).is_err());
        assert!(check_audience(None, None).is_ok() && check_audience(Some(&json!(["x"])), None).is_ok());
        assert!(check_audience(Some(&json!(7)), None).is_err());
    }

    #[test]
    fn expectations_fit_values_and_items() {
        let one = Expected::One(Scalar::Text("gold".into()));
        assert!(one.fits(&json!("gold")) && one.fits(&json!(["silver", "gold"])));
        assert!(!one.fits(&json!("golden")) && !one.fits(&json!([])) && !one.fits(&json!({ "gold": 1 })));
        let several = Expected::OneOf(vec![Scalar::Flag(true), Scalar::Number(7)]);
        assert!(several.fits(&json!(true)) && several.fits(&json!(7)));
        assert!(
            !several.fits(&json!("true"))
                && !several.fits(&json!("7"))
                && !several.fits(&json!(false))
                && !several.fits(&json!(null))
        );
    }

    #[test]
    fn scopes_are_a_text_or_a_list() {
        let from = [ClaimPath::named("scope"), ClaimPath::named("scp")];
        let read = |value| scopes(&claims(value), &from).join(",");
        assert_eq!(read(json!({ "scope": "a  b " })), "a,b");
        assert_eq!(read(json!({ "scp": ["a", "b c", 1] })), "a,b c");
        assert_eq!(read(json!({ "scp": "a b" })), "a,b");
        assert_eq!(read(json!({ "scope": "a", "scp": ["b"] })), "a");
        assert_eq!(read(json!({ "scope": 5, "scp": ["b"] })), "");
        assert_eq!(read(json!({})), "");
    }
}
