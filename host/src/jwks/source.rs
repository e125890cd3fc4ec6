//! Fetching: from an issuer to the URL of its keys, and from there to a set.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AGE, CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use serde::Deserialize;
use tokio::time::Instant;

use super::config::{KeySetConfig, KeySetError, KeySource};
use super::document::KeySet;
use super::state::Fetched;
use crate::http_client::{self, Bounds, HttpClient};

/// How long what an issuer says of itself is believed.
const DISCOVERY: Duration = Duration::from_secs(60 * 60);

/// Where a set is fetched from, and how.
pub(super) struct Source {
    origin: Origin,
    client: HttpClient,
    bounds: Bounds,
    max_keys: usize,
}

enum Origin {
    Issuer(Issuer),
    Url(Uri),
}

/// An issuer and where its metadata can be.
struct Issuer {
    name: String,
    places: [Uri; 2],
    /// It is reached without TLS itself, so its keys may be too.
    plain: bool,
}

/// What one fetch leaves for the next. A failure leaves nothing.
#[derive(Default)]
pub(super) struct Memory {
    discovered: Option<(Uri, Instant)>,
    etag: Option<HeaderValue>,
}

/// Issuer metadata, as far as it is needed.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    /// The source of a set that is fetched; none for one that is not.
    pub(super) fn new(config: &KeySetConfig) -> Result<Option<Self>, KeySetError> {
        let origin = match &config.source {
            KeySource::Issuer(name) => {
                Origin::Issuer(Issuer::new(name).ok_or_else(|| KeySetError::Issuer(name.clone()))?)
            }
            KeySource::Url(url) => Origin::Url(target(url).ok_or_else(|| KeySetError::Url(url.clone()))?),
            KeySource::Keys(_) => return Ok(None),
        };
        let client = HttpClient::new(config.ca.as_deref())?;
        let bounds = Bounds { time: config.timeout, body: config.max_bytes };
        Ok(Some(Self { origin, client, bounds, max_keys: config.max_keys }))
    }

    /// Fetches the set, or learns that it has not changed since `memory`.
    pub(super) async fn fetch(&self, memory: Memory) -> Result<(Fetched, Memory), String> {
        let fetch = self.fetch_unbounded(memory);
        match tokio::time::timeout(self.bounds.time, fetch).await {
            Ok(fetched) => fetched,
            Err(_) => Err(format!("no answer within {:?}", self.bounds.time)),
        }
    }

    async fn fetch_unbounded(&self, memory: Memory) -> Result<(Fetched, Memory), String> {
        let Memory { discovered, etag } = memory;
        let (url, discovered, etag) = match &self.origin {
            Origin::Url(url) => (url.clone(), None, etag),
            Origin::Issuer(issuer) => match discovered {
                Some((url, since)) if since.elapsed() < DISCOVERY => (url.clone(), Some((url, since)), etag),
                before => {
                    let url = self.discover(issuer).await?;
                    // A tag is worth something at the URL that gave it.
                    let etag = etag.filter(|_| before.is_some_and(|(before, _)| before == url));
                    (url.clone(), Some((url, Instant::now())), etag)
                }
            },
        };
        let answer = self.get(&url, etag.as_ref()).await.map_err(|error| format!("{url}: {error}"))?;
        let told = lifetime(answer.headers());
        match answer.status() {
            StatusCode::OK => {
                let keys =
                    KeySet::parse(answer.body(), self.max_keys).map_err(|error| format!("{url}: {error}"))?;
                let etag = answer.headers().get(ETAG).cloned();
                Ok((Fetched::Keys(Arc::new(keys), told), Memory { discovered, etag }))
            }
            StatusCode::NOT_MODIFIED if etag.is_some() => {
                Ok((Fetched::Unchanged(told), Memory { discovered, etag }))
            }
            status => Err(format!("{url}: {}", refused(status))),
        }
    }

    /// The URL of an issuer's keys.
    async fn discover(&self, issuer: &Issuer) -> Result<Uri, String> {
        let [first, second] = &issuer.places;
        let mut place = first;
        let mut answer = self.get(place, None).await.map_err(|error| format!("{place}: {error}"))?;
        if answer.status().is_client_error() {
            place = second;
            answer = self.get(place, None).await.map_err(|error| format!("{place}: {error}"))?;
        }
        if answer.status() != StatusCode::OK {
            return Err(format!("{place}: {}", refused(answer.status())));
        }
        issuer.keys_of(answer.body()).map_err(|error| format!("{place}: {error}"))
    }

    async fn get(&self, url: &Uri, etag: Option<&HeaderValue>) -> Result<Response<Bytes>, String> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = url.clone();
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
        if let Some(etag) = etag {
            request.headers_mut().insert(IF_NONE_MATCH, etag.clone());
        }
        self.client.send(request, self.bounds).await.map_err(|error| error.to_string())
    }
}

impl Issuer {
    fn new(name: &str) -> Option<Self> {
        let url = target(name).filter(|url| url.query().is_none() && !name.contains('#'))?;
        // OpenID Connect Discovery 1.0 section 4.1: a slash at the end goes before the suffix is put there.
        let base = name.strip_suffix('/').unwrap_or(name);
        let path = url.path().strip_suffix('/').unwrap_or(url.path());
        let (scheme, host) = (url.scheme_str()?, url.authority()?);
        let places = [
            format!("{base}/.well-known/openid-configuration"),
            // RFC 8414 section 3.1: the suffix goes between host and path.
            format!("{scheme}://{host}/.well-known/oauth-authorization-server{path}"),
        ];
        let places = [places[0].parse().ok()?, places[1].parse().ok()?];
        Some(Self { name: name.to_owned(), places, plain: scheme == "http" })
    }

    /// The URL of the keys in the metadata, if the metadata is this issuer's.
    fn keys_of(&self, metadata: &[u8]) -> Result<Uri, String> {
        let metadata: Metadata = serde_json::from_slice(metadata)
            .map_err(|error| format!("the answer is no issuer metadata: {error}"))?;
        if metadata.issuer != self.name {
            return Err(format!("it is the metadata of `{}`, not of `{}`", metadata.issuer, self.name));
        }
        let url = target(&metadata.jwks_uri)
            .ok_or_else(|| format!("its `jwks_uri`, `{}`, is no URL to fetch from", metadata.jwks_uri))?;
        if !self.plain && url.scheme_str() != Some("https") {
            return Err(format!("its `jwks_uri`, `{url}`, is not https"));
        }
        Ok(url)
    }
}

fn target(url: &str) -> Option<Uri> {
    url.parse().ok().filter(http_client::is_target)
}

fn refused(status: StatusCode) -> String {
    if status.is_redirection() {
        return format!("it answers {}; redirects are not followed", status.as_u16());
    }
    format!("it answers {}", status.as_u16())
}

/// How long an answer lasts: `max-age` less `Age` (RFC 9111). `no-cache` and `no-store` say nothing of keys: many providers
/// send them with everything, so the operator's `refresh` counts.
fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let lists = headers.get_all(CACHE_CONTROL).iter().filter_map(|list| list.to_str().ok());
    let mut directives = lists.flat_map(|list| list.split(','));
    let max_age = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let named = name.trim().eq_ignore_ascii_case("max-age");
        named.then(|| value.trim().trim_matches('"').parse::<u64>().ok()).flatten()
    })?;
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
    Some(Duration::from_secs(max_age.saturating_sub(age)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_where_the_standards_put_it() {
        for (name, first, second) in [
            (
                "https://a.example",
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.example/",
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.example:8443/realms/x",
                "https://a.example:8443/realms/x/.well-known/openid-configuration",
                "https://a.example:8443/.well-known/oauth-authorization-server/realms/x",
            ),
            (
                "http://[::1]:80/t/",
                "http://[::1]:80/t/.well-known/openid-configuration",
                "http://[::1]:80/.well-known/oauth-authorization-server/t",
            ),
        ] {
            let issuer = Issuer::new(name).unwrap();
            assert_eq!(issuer.places.map(|place| place.to_string()), [first, second]);
        }
        for name in [
            "",
            "a.example",
            "ftp://a.example",
            "https://",
            "https://me@a.example",
            "https://a.example/?x",
            "https://a.example/#x",
            "/path",
        ] {
            assert!(Issuer::new(name).is_none(), "{name}");
        }
    }

    #[test]
    fn metadata_must_be_the_issuers_and_lead_to_https() {
        let keys = |issuer: &str, named: &str, jwks_uri: &str| {
            let metadata = serde_json::json!({ "issuer": named, "jwks_uri": jwks_uri, "more": [1] });
            Issuer::new(issuer).unwrap().keys_of(metadata.to_string().as_bytes()).map(|url| url.to_string())
        };
        let (secure, plain) = ("https://a.example/keys", "http://a.example/keys");
        assert_eq!(keys("https://a.example", "https://a.example", secure).as_deref(), Ok(secure));
        assert_eq!(keys("http://a.example", "http://a.example", plain).as_deref(), Ok(plain));
        assert_eq!(keys("http://a.example", "http://a.example", secure).as_deref(), Ok(secure));
        assert!(keys("https://a.example", "https://a.example", plain).unwrap_err().contains("not https"));
        assert!(keys("https://a.example", "https://a.example", "/keys").unwrap_err().contains("no URL"));
        for other in ["https://a.example/", "https://A.example", "https://b.example", "http://a.example", ""]
        {
            assert!(keys("https://a.example", other, secure).unwrap_err().contains("metadata of"), "{other}");
        }
        for text in [
            "",
            "[]",
            "{}",
            r#"{"issuer":"https://a.example"}"#,
            r#"{"issuer":"https://a.example","issuer":"https://a.example","jwks_uri":"https://a.example/keys"}"#,
        ] {
            assert!(Issuer::new("https://a.example").unwrap().keys_of(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_lasts_as_long_as_it_says() {
        let told = |headers: &[(&'static str, &'static str)]| {
            let pairs = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
            lifetime(&pairs.collect())
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("cache-control", "no-store, no-cache, must-revalidate")]), None);
        assert_eq!(told(&[("cache-control", "public, Max-Age=300, must-revalidate")]), seconds(300));
        assert_eq!(told(&[("cache-control", "max-age=\"7\"")]), seconds(7));
        assert_eq!(told(&[("cache-control", "s-maxage=5, max-age = 300"), ("age", "200")]), seconds(100));
        assert_eq!(told(&[("cache-control", "max-age=300"), ("age", "999")]), seconds(0));
        assert_eq!(told(&[("cache-control", "max-age=-1")]), None);
        assert_eq!(told(&[("cache-control", "max-age=99999999999999999999999")]), None);
    }
}
