//! What a token's claims have to be (RFC 7519 section 4.1), once its signature is known to be good.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk_claims::{ClaimPath, Claims, Expected, Leeway, Refusal, check_audience};

use crate::issuer::Issuer;
use crate::jws;

/// 9999-12-31T23:59:59Z. A later time is a mistake, such as milliseconds.
const LATEST: f64 = 253_402_300_799.0;

const MAX_REQUIREMENTS: usize = 32;

/// What is asked of every token, whoever issued it.
pub(crate) struct Requirements {
    leeway: Leeway,
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
        let leeway = Leeway::new(leeway)?;
        ensure!(max_lifetime.is_none_or(|most| !most.is_zero()), "`max_lifetime` is no time at all");
        ensure!(max_lifetime.is_none() || require_exp, "`max_lifetime` needs `require_exp`");
        ensure!(
            present.len() <= MAX_REQUIREMENTS,
            "`required_claims` has at most {MAX_REQUIREMENTS} entries"
        );
        ensure!(expected.len() <= MAX_REQUIREMENTS, "`claims` has at most {MAX_REQUIREMENTS} entries");
        let max_lifetime = max_lifetime.map(|most| most.get().as_secs_f64());
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
        check_audience(claims, issuer.audiences.as_deref())?;
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
        let begins = [nbf, iat].into_iter().flatten().reduce(f64::max);
        self.leeway.check(begins, exp, now)
    }
}

pub(crate) const UNKNOWN_ISSUER: Refusal = Refusal::Invalid("the issuer is not accepted");

/// A NumericDate: seconds since 1970, with a fraction or without.
fn time(claims: &Claims, name: &str) -> Result<Option<f64>, Refusal> {
    const MALFORMED: Refusal = Refusal::Invalid("a time is malformed");
    let Some(claim) = claims.get(name) else { return Ok(None) };
    let seconds = claim.as_f64().filter(|seconds| (0.0..=LATEST).contains(seconds)).ok_or(MALFORMED)?;
    Ok(Some(seconds))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

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
}
