//! What every request must be before a handler sees it: one valid authority, in `Host`, and a target in origin form.

use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST, IF_MODIFIED_SINCE, IF_RANGE,
    IF_UNMODIFIED_SINCE, MAX_FORWARDS, ORIGIN, RANGE, REFERER, USER_AGENT,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use super::path;
use super::refuse::Refusal;
use crate::config::Listener;
use crate::net::is_authority;

/// Refuses the request or brings it into the form that `Handler` promises.
pub(super) fn vet<B>(request: &mut Request<B>, settings: &Listener) -> Result<(), Refusal> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(Refusal::Method);
    }
    let (http2, http10) = (request.version() == Version::HTTP_2, request.version() == Version::HTTP_10);
    if request.uri().authority().is_some() {
        let uri = std::mem::take(request.uri_mut());
        let path = adopt_authority(uri, request.headers_mut(), (http2, http10))?;
        *request.uri_mut() = Uri::from(path);
    } else {
        vet_host(request.headers_mut(), http10)?;
    }
    vet_fields(request.headers(), http2)?;
    match request.uri().path() {
        path if path.starts_with('/') => vet_path(request.uri_mut(), settings),
        "*" if *request.method() == Method::OPTIONS => Ok(()),
        _ => Err(Refusal::Malformed("the request target is neither a path nor a URL")),
    }
}

/// Fields of which a request has one at most (RFC 9110 section 5.3), and of which servers do not read the same one.
const SINGLE: [HeaderName; 12] = [
    AUTHORIZATION,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    IF_MODIFIED_SINCE,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    MAX_FORWARDS,
    ORIGIN,
    RANGE,
    REFERER,
    USER_AGENT,
];

/// What the readers of both versions leave to those who use the fields.
fn vet_fields(headers: &HeaderMap, http2: bool) -> Result<(), Refusal> {
    // Most requests repeat nothing.
    if headers.len() > headers.keys_len()
        && SINGLE.iter().any(|name| headers.get_all(name).iter().nth(1).is_some())
    {
        return Err(Refusal::Malformed("a field that stands for itself is given more than once"));
    }
    // HTTP/1 has white space around values, HTTP/2 has none (RFC 9113 section 8.2.1).
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    if http2
        && headers
            .values()
            .map(HeaderValue::as_bytes)
            .any(|value| is_blank(value.first()) || is_blank(value.last()))
    {
        return Err(Refusal::Malformed("a field's value begins or ends with white space"));
    }
    Ok(())
}

/// The path is brought into its one form, and the query is one.
fn vet_path(uri: &mut Uri, settings: &Listener) -> Result<(), Refusal> {
    let query = uri.query();
    if uri.path().len() + query.map_or(0, |query| query.len() + 1) > settings.limits.uri_bytes {
        return Err(Refusal::UriTooLong);
    }
    if !query.is_none_or(path::is_query) {
        return Err(Refusal::Malformed("the query has a character that has to be encoded"));
    }
    let Some(mut target) = path::decide(uri.path(), &settings.paths).map_err(Refusal::Path)? else {
        return Ok(());
    };
    if let Some(query) = query {
        target.push('?');
        target.push_str(query);
    }
    let target = PathAndQuery::from_maybe_shared(bytes::Bytes::from(target));
    *uri = Uri::from(target.map_err(|_| Refusal::Path("the path has a character that has to be encoded"))?);
    Ok(())
}

/// The absolute form, and every request of HTTP/2: the target names the authority.
fn adopt_authority(
    uri: Uri,
    headers: &mut HeaderMap,
    (http2, http10): (bool, bool),
) -> Result<PathAndQuery, Refusal> {
    let parts = uri.into_parts();
    let authority = parts.authority.ok_or(Refusal::Malformed("the request names no authority"))?;
    match parts.scheme.as_ref().map(http::uri::Scheme::as_str) {
        Some("http" | "https") => {}
        _ => return Err(Refusal::Malformed("the request target is neither a path nor a URL")),
    }
    if !is_authority(authority.as_str().as_bytes()) {
        return Err(Refusal::Malformed("the authority is not a host and a port"));
    }
    let path = parts.path_and_query.unwrap_or(PathAndQuery::from_static("/"));
    // In HTTP/1.1 it may be left out of a URL; `:path` is a path (RFC 9113 section 8.3.1).
    if http2 && !path.as_str().starts_with(['/', '*']) {
        return Err(Refusal::Malformed("`:path` is not a path"));
    }
    if !http2 {
        // The target overrides a `Host`, and does not stand for it (RFC 9112 section 3.2).
        vet_host(headers, http10)?;
    }
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(Refusal::Malformed("`Host` is given more than once")),
        // HTTP/1.1 asks to ignore a `Host` that differs; HTTP/2 takes it for two readings of one request.
        (Some(host), None)
            if http2 && !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            return Err(Refusal::Malformed("`Host` and `:authority` differ"));
        }
        (Some(host), None) if host == authority.as_str() => {}
        _ => {
            let host = HeaderValue::from_str(authority.as_str());
            headers.insert(
                HOST,
                host.map_err(|_| Refusal::Malformed("the authority is not a host and a port"))?,
            );
        }
    }
    Ok(path)
}

fn vet_host(headers: &mut HeaderMap, http10: bool) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_authority(host.as_bytes()) => Ok(()),
        (Some(_), None) => Err(Refusal::Malformed("`Host` is not a host and a port")),
        (Some(_), Some(_)) => Err(Refusal::Malformed("`Host` is given more than once")),
        // The only version that may leave it out: such a request matches the routes without a host.
        (None, _) if http10 => {
            headers.insert(HOST, HeaderValue::from_static(""));
            Ok(())
        }
        (None, _) => Err(Refusal::Malformed("`Host` is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, method: &str, target: &str, hosts: &[&str]) -> Request<()> {
        let mut builder = Request::builder().version(version).method(method).uri(target);
        for host in hosts {
            builder = builder.header(HOST, *host);
        }
        builder.body(()).unwrap()
    }

    fn vetted(
        version: Version,
        method: &str,
        target: &str,
        hosts: &[&str],
    ) -> Result<(String, String), Refusal> {
        let mut request = request(version, method, target, hosts);
        vet(&mut request, &super::super::tests::settings())?;
        Ok((request.uri().to_string(), request.headers()[HOST].to_str().unwrap().to_owned()))
    }

    fn good(uri: &str, host: &str) -> Result<(String, String), Refusal> {
        Ok((uri.to_owned(), host.to_owned()))
    }

    #[test]
    fn legal_forms_become_origin_form_and_one_host() {
        let h1 = Version::HTTP_11;
        assert_eq!(vetted(h1, "GET", "/a?b", &["x:80"]), good("/a?b", "x:80"));
        assert_eq!(vetted(h1, "GET", "http://y/a?b", &["x"]), good("/a?b", "y"));
        assert_eq!(vetted(h1, "GET", "http://y?b", &["y"]), good("/?b", "y"));
        assert_eq!(vetted(h1, "OPTIONS", "*", &["x"]), good("*", "x"));
        assert_eq!(vetted(Version::HTTP_10, "GET", "/", &[]), good("/", ""));
        assert_eq!(vetted(Version::HTTP_2, "GET", "http://y/a", &[]), good("/a", "y"));
        assert_eq!(vetted(Version::HTTP_2, "GET", "https://y/a", &["Y"]), good("/a", "y"));
        assert_eq!(vetted(Version::HTTP_2, "GET", "/a", &["y"]), good("/a", "y"));
    }

    #[test]
    fn doubtful_authorities_are_refused() {
        let h1 = Version::HTTP_11;
        for hosts in [
            &[][..],
            &["a", "a"],
            &[""],
            &["a b"],
            &["user@a"],
            &["a/b"],
            &["a:99999"],
            &["a:x"],
            &["[::1"],
            &["[x]"],
            &["a,b", "c"],
        ] {
            assert!(matches!(vetted(h1, "GET", "/", hosts), Err(Refusal::Malformed(_))), "{hosts:?}");
        }
        for target in ["ftp://y/", "y:80", "http://u@y/"] {
            assert!(matches!(vetted(h1, "GET", target, &["y"]), Err(Refusal::Malformed(_))), "{target}");
        }
        assert!(vetted(h1, "GET", "*", &["x"]).is_err());
        assert!(matches!(vetted(Version::HTTP_2, "GET", "http://y/", &["z"]), Err(Refusal::Malformed(_))));
        assert!(matches!(
            vetted(Version::HTTP_2, "GET", "http://y/", &["y", "y"]),
            Err(Refusal::Malformed(_))
        ));
        assert_eq!(vetted(h1, "TRACE", "/", &["x"]), Err(Refusal::Method));
        assert_eq!(vetted(h1, "CONNECT", "x:80", &["x"]), Err(Refusal::Method));
    }

    #[test]
    fn addresses_are_authorities() {
        for good in [
            "a",
            "a.example:8080",
            "127.0.0.1:1",
            "[::1]",
            "[2001:db8::1]:443",
            "a:",
            "xn--bcher-kva.example",
        ] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
    }
}
