//! What the service is told of a request.

use sluice_sdk::crypto::Digest;
use sluice_sdk::prelude::*;

use crate::config::{Config, MAX_HEADERS};
use crate::fields::is_framing;

const MAX_TIMEOUT: Duration = Duration::from_secs(30);

const REQUEST_ID: &str = "x-request-id";

/// What only this step says. From a client it would be a lie.
const OWN: [&str; 7] = [
    "x-original-method",
    "x-original-path",
    "x-original-host",
    "x-original-url",
    "x-forwarded-method",
    "x-forwarded-uri",
    REQUEST_ID,
];

/// Who is asking, if an earlier step has found out.
const CONSUMER: &str = "x-consumer-";

/// Whom to ask and what to tell.
pub(crate) struct Service {
    upstream: String,
    path: Target,
    method: Method,
    headers: Vec<HeaderName>,
    timeout: Duration,
}

enum Target {
    Fixed(String),
    /// Before the request's own.
    Prefix(String),
}

/// A question about one request.
pub(crate) struct Question<'s> {
    service: &'s Service,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Service {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let Config { upstream, path, path_prefix, method, headers, timeout, body, .. } = config;
        ensure!(!upstream.is_empty(), "`upstream` is empty");
        ensure!(
            !timeout.is_zero() && *timeout <= MAX_TIMEOUT,
            "`timeout` is more than nothing and at most 30s"
        );
        let is_path = |path: &str| {
            path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
        };
        let path = match (path, path_prefix) {
            (Some(_), Some(_)) => bail!("`path_prefix` is instead of `path`: use one"),
            (Some(path), None) => {
                ensure!(is_path(path), "`path` begins with `/` and is percent-encoded");
                Target::Fixed(path.clone())
            }
            (None, Some(prefix)) => {
                let is_prefix = is_path(prefix) && !prefix.ends_with('/') && !prefix.contains('?');
                ensure!(is_prefix, "`path_prefix` begins with `/`, does not end with it, and has no query");
                Target::Prefix(prefix.clone())
            }
            (None, None) => {
                bail!("`path` is missing: say where requests are asked about, or give `path_prefix`")
            }
        };
        let method = method.clone().unwrap_or(if body.is_some() { Method::Post } else { Method::Get });
        ensure!(method != Method::Connect, "`method`: `CONNECT` asks nothing");
        let is_bodiless = matches!(method, Method::Get | Method::Head | Method::Trace);
        ensure!(body.is_none() || !is_bodiless, "`method`: a `{method}` has no body");
        ensure!(headers.len() <= MAX_HEADERS, "`headers` has at most {MAX_HEADERS} entries");
        for name in headers.iter().map(HeaderName::as_str) {
            let stem = name.strip_suffix('*').unwrap_or(name);
            ensure!(
                !stem.is_empty() && !stem.contains('*'),
                "`headers`: `{name}`: a star is the end of a name"
            );
            ensure!(!is_framing(name) && name != "host", "`headers`: `{name}` belongs to the gateway");
        }
        let (upstream, headers) = (upstream.clone(), headers.clone());
        Ok(Self { upstream, path, method, headers, timeout: *timeout })
    }

    pub(crate) fn question(&self, request: &Request, ctx: &Context, body: Option<Vec<u8>>) -> Question<'_> {
        let target = match request.query() {
            Some(query) => format!("{}?{query}", request.path()),
            None => request.path(),
        };
        let path = match &self.path {
            Target::Fixed(path) => path.clone(),
            Target::Prefix(prefix) => format!("{prefix}{target}"),
        };
        let mut headers = self.forwarded(request, body.is_some());
        let authority = request.authority();
        let url = format!("{}://{authority}{target}", request.scheme());
        let method = request.method().as_str().to_owned();
        let own = [method.clone(), target.clone(), authority, url, method, target, ctx.request_id()];
        headers.extend(OWN.iter().zip(own).map(|(name, value)| ((*name).to_owned(), value.into_bytes())));
        if let Some(consumer) = ctx.consumer() {
            let mut tell =
                |name: &str, value: String| headers.push((format!("{CONSUMER}{name}"), value.into_bytes()));
            tell("id", consumer.id);
            tell("username", consumer.name);
            if let Some(id) = consumer.custom_id {
                tell("custom-id", id);
            }
            if !consumer.groups.is_empty() {
                tell("groups", consumer.groups.join(","));
            }
        }
        Question { service: self, path, headers, body: body.unwrap_or_default() }
    }

    /// The request's own headers that are told.
    fn forwarded(&self, request: &Request, with_body: bool) -> Vec<(String, Vec<u8>)> {
        let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
        for (name, value) in request.headers() {
            let is_of_body = with_body && matches!(name.as_str(), "content-type" | "content-encoding");
            if !(is_of_body || self.tells(&name)) {
                continue;
            }
            // HTTP/2 clients may send one `Cookie` per cookie (RFC 9113 section 8.2.3); HTTP/1 has one of all.
            match headers.iter_mut().find(|(known, _)| name == "cookie" && known == "cookie") {
                Some((_, cookies)) => {
                    cookies.extend_from_slice(b"; ");
                    cookies.extend_from_slice(value.as_bytes());
                }
                None => headers.push((name, value.as_bytes().to_vec())),
            }
        }
        headers
    }

    fn tells(&self, name: &str) -> bool {
        let is_named =
            self.headers.iter().map(HeaderName::as_str).any(|known| match known.strip_suffix('*') {
                Some(stem) => name.starts_with(stem),
                None => known == name,
            });
        is_named && !is_framing(name) && name != "host" && !OWN.contains(&name) && !name.starts_with(CONSUMER)
    }
}

impl Question<'_> {
    /// Of all that is told but the identifier, which is never the same, and of what else tells one kept answer from another.
    pub(crate) fn digest(&self, kept_as: &str) -> Result<Vec<u8>> {
        let Service { upstream, method, .. } = self.service;
        let body = crypto::digest(Digest::Sha256, &self.body)?;
        let mut data = Vec::new();
        let mut add = |part: &[u8]| {
            data.extend_from_slice(&(part.len() as u64).to_le_bytes());
            data.extend_from_slice(part);
        };
        for part in
            [kept_as.as_bytes(), upstream.as_bytes(), method.as_str().as_bytes(), self.path.as_bytes(), &body]
        {
            add(part);
        }
        for (name, value) in self.headers.iter().filter(|(name, _)| name != REQUEST_ID) {
            add(name.as_bytes());
            add(value);
        }
        crypto::digest(Digest::Sha256, data)
    }

    pub(crate) fn ask(self) -> Result<Fetched> {
        let Self { service, path, headers, body } = self;
        let request =
            Fetch::new(&service.method, &service.upstream, path).timeout(service.timeout).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        fetch(request).map_err(|error| error.context(format!("upstream `{}`", service.upstream)))
    }
}
