//! Where a request carries its token (RFC 6750 section 2), and how it is taken away.

use sluice_sdk::prelude::*;

use crate::Refusal;

const AUTHORIZATION: &str = "authorization";
const BEARER: &[u8] = b"bearer";

/// Where the token is: all of these are looked at, and only one may have one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlacesConfig {
    /// Header that carries it: `authorization` after `Bearer`, any other the token alone.
    #[serde(default)]
    header: Option<HeaderName>,
    /// Query parameter that carries it. Queries end up in logs and histories: prefer a header.
    #[serde(default)]
    query: Option<String>,
    /// Cookie that carries it. Protect what it admits to against requests forged by other sites.
    #[serde(default)]
    cookie: Option<String>,
}

impl Default for PlacesConfig {
    fn default() -> Self {
        Self { header: Some(HeaderName::from_static(AUTHORIZATION)), query: None, cookie: None }
    }
}

/// Where tokens are looked for, and taken away.
#[derive(Clone, Debug)]
pub struct Places {
    header: Option<HeaderName>,
    query: Option<String>,
    cookie: Option<String>,
}

impl Places {
    /// The places of the configuration's table `from`. Fails if there is no place at all, an empty name, or the header
    /// `cookie`, in which a token is never alone.
    pub fn new(config: PlacesConfig) -> Result<Self> {
        let PlacesConfig { header, query, cookie } = config;
        ensure!(
            header.is_some() || query.is_some() || cookie.is_some(),
            "`from` names no place: leave it out for `Authorization: Bearer`"
        );
        ensure!(query.as_deref() != Some(""), "`from.query` is empty: leave it out if there is none");
        let is_cookie = |name: &String| name.parse::<HeaderName>().is_ok();
        ensure!(cookie.as_ref().is_none_or(is_cookie), "`from.cookie` is not the name of a cookie");
        ensure!(
            header.as_ref().is_none_or(|name| name != "cookie"),
            "`from.header`: write `from.cookie` for a cookie"
        );
        Ok(Self { header, query, cookie })
    }

    /// This header and no other place: `authorization` after `Bearer`, any other the token alone.
    #[must_use]
    pub const fn in_header(name: HeaderName) -> Self {
        Self { header: Some(name), query: None, cookie: None }
    }

    /// The header that is looked at.
    pub(crate) fn header(&self) -> Option<&HeaderName> {
        self.header.as_ref()
    }

    /// The token; none if nothing or an empty one was sent.
    pub(crate) fn find(&self, request: &Request) -> Result<Option<Vec<u8>>, Refusal> {
        let mut tokens = Vec::new();
        if let Some(name) = &self.header {
            let values = request.headers().get_all(name);
            if name == AUTHORIZATION {
                let shown = values.iter().filter_map(|value| bearer(value.as_bytes()));
                tokens.extend(shown.map(<[u8]>::to_vec));
                // With another scheme beside it, it would be a guess which of them the upstream goes by.
                if !tokens.is_empty() && values.len() > 1 {
                    return Err(Refusal::Several);
                }
            } else {
                tokens.extend(values.iter().map(|value| value.as_bytes().trim_ascii().to_vec()));
            }
        }
        if let Some(name) = &self.query {
            let pairs = request.query_params().into_iter();
            tokens.extend(pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_bytes()));
        }
        if let Some(name) = &self.cookie {
            tokens.extend(request.cookies(name));
        }
        tokens.retain(|token| !token.is_empty());
        if tokens.len() > 1 { Err(Refusal::Several) } else { Ok(tokens.pop()) }
    }

    /// Takes the token away from wherever it may be.
    pub(crate) fn hide(&self, request: &mut Request) -> Result<()> {
        if let Some(name) = &self.header {
            request.headers_mut().remove(name)?;
        }
        if let Some(name) = &self.query {
            request.remove_query_param(name)?;
        }
        if let Some(name) = &self.cookie {
            request.remove_cookie(name)?;
        }
        Ok(())
    }
}

/// What follows the scheme `Bearer`, in any case; none if the scheme is another one.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let (scheme, rest) = value.split_at_checked(BEARER.len())?;
    let ends = rest.first().is_none_or(|byte| matches!(byte, b' ' | b'\t'));
    (ends && scheme.eq_ignore_ascii_case(BEARER)).then(|| rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    #[test]
    fn the_scheme_is_a_word_of_its_own_in_any_case() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bEARER \t abc  ", Some("abc")),
            ("Bearer\tabc", Some("abc")),
            ("Bearer", Some("")),
            ("Bearer ", Some("")),
            ("Bearer a b", Some("a b")),
            ("Bearerabc", None),
            ("Bear", None),
            ("Basic abc", None),
            ("", None),
        ] {
            assert_eq!(bearer(value.as_bytes()), token.map(str::as_bytes), "{value:?}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        let places = |config: Json| serde_json::from_value(config).map(Places::new);
        let all = json!({ "header": "X-Token", "query": "t", "cookie": "t" });
        assert!(places(all).unwrap().is_ok() && Places::new(PlacesConfig::default()).is_ok());
        for (bad, key) in [
            (json!({}), "`from`"),
            (json!({ "query": "" }), "`from.query`"),
            (json!({ "cookie": "" }), "`from.cookie`"),
            (json!({ "cookie": "a b" }), "`from.cookie`"),
            (json!({ "header": "Cookie" }), "`from.header`"),
        ] {
            let error = places(bad.clone()).unwrap().unwrap_err().to_string();
            assert!(error.starts_with(key), "{bad}: {error}");
        }
        assert!(places(json!({ "headers": "x-token" })).is_err());
    }
}
