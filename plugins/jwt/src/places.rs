//! Where a request carries its token (RFC 6750 section 2), and how it is taken away.

use sluice_sdk::prelude::*;

use crate::refusal::Refusal;

const AUTHORIZATION: &str = "authorization";
const BEARER: &[u8] = b"bearer";

/// Where the token is: all of these are looked at, and only one may have one.
#[derive(Clone, Deserialize, JsonSchema)]
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

/// Places that were checked.
pub(crate) struct Places(PlacesConfig);

impl Places {
    pub(crate) fn new(config: PlacesConfig) -> Result<Self> {
        let PlacesConfig { header, query, cookie } = &config;
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
        Ok(Self(config))
    }

    pub(crate) fn header(&self) -> Option<&HeaderName> {
        self.0.header.as_ref()
    }

    /// The token; none if nothing or an empty one was sent.
    pub(crate) fn find(&self, request: &Request) -> Result<Option<Vec<u8>>, Refusal> {
        let mut tokens = Vec::new();
        if let Some(name) = &self.0.header {
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
        if let Some(name) = &self.0.query {
            let pairs = request.query_params().into_iter();
            tokens.extend(pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_bytes()));
        }
        if let Some(name) = &self.0.cookie {
            let headers = request.headers().get_all("cookie");
            tokens.extend(
                headers.iter().flat_map(|header| cookies(header.as_bytes(), name)).map(<[u8]>::to_vec),
            );
        }
        tokens.retain(|token| !token.is_empty());
        if tokens.len() > 1 { Err(Refusal::Several) } else { Ok(tokens.pop()) }
    }

    /// Takes the token away from wherever it may be.
    pub(crate) fn hide(&self, request: &mut Request) -> Result<()> {
        if let Some(name) = &self.0.header {
            request.headers_mut().remove(name)?;
        }
        if let Some(name) = &self.0.query {
            request.remove_query_param(name)?;
        }
        if let Some(name) = &self.0.cookie {
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

/// Every value of a cookie.
fn cookies<'h>(header: &'h [u8], name: &'h str) -> impl Iterator<Item = &'h [u8]> {
    header.split(|&byte| byte == b';').filter_map(move |pair| {
        let pair = pair.trim_ascii();
        let (key, value) = pair.split_at(pair.iter().position(|&byte| byte == b'=')?);
        let value = value[1..].trim_ascii();
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        (key.trim_ascii() == name.as_bytes()).then(|| unquoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_a_word_of_its_own_in_any_case() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bEARER   abc  ", Some("abc")),
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
    fn every_cookie_of_the_name_is_found() {
        let found: Vec<_> = cookies(b"a=1; t=x; tt=2; T=3;t=\"y\"; t; t=; t =z", "t").collect();
        assert_eq!(found, [&b"x"[..], b"y", b"", b"z"]);
    }
}
