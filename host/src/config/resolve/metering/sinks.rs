//! Sinks: where what is metered is sent.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use super::super::at::At;
use super::super::{Entry, Input, Names, Resolver};
use super::Meters;
use crate::config::model::{FileFormat, HttpFormat, Secret, Sink, SinkKind};
use crate::config::raw::{RawFormat, RawSink};

const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
const ALARM: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);
/// What those who take events by the batch take at once.
const SMALL_BATCH: usize = 100;
const EXPECTED: &str = "a URL such as \"https://openmeter.example/api/v1/events\"";
/// Header fields that the gateway writes itself.
const OWN_HEADERS: [&str; 6] =
    ["connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding"];

/// A URL of which the scheme is known.
enum Place {
    Http,
    Nats,
    Files(PathBuf),
}

impl Place {
    const fn called(&self) -> &'static str {
        match self {
            Self::Http => "an HTTP server",
            Self::Nats => "NATS",
            Self::Files(_) => "files",
        }
    }
}

type Refused = (String, Option<&'static str>);

impl Resolver<'_> {
    pub(in crate::config::resolve) fn sinks(
        &mut self,
        inputs: &[Input<'_>],
        meters: &Meters,
    ) -> (Vec<Sink>, Names) {
        let mut sinks = Vec::new();
        let mut names = Names::new();
        let mut directories = Vec::new();
        for entry in self.named(inputs, "sinks", |raw| &raw.sinks) {
            names.extend(entry.at.head().map(|place| (Arc::clone(&entry.name), place)));
            let Some(sink) = self.sink(&entry, meters) else { continue };
            if let SinkKind::Files { directory, .. } = &sink.kind {
                self.check_directory(entry.at.key("url"), directory, &mut directories);
            }
            sinks.push(sink);
        }
        (sinks, names)
    }

    fn sink(&mut self, entry: &Entry<'_, RawSink>, meters: &Meters) -> Option<Sink> {
        let (at, raw) = (&entry.at, entry.raw?);
        let names = self.sink_meters(&at.key("meters"), raw, meters);
        let batch = self.number(at, "batch", &raw.batch, SMALL_BATCH);
        let interval = self.duration(at, "interval", &raw.interval, Duration::from_secs(1), INTERVAL);
        let timeout = self.duration(at, "timeout", &raw.timeout, Duration::from_secs(10), TIMEOUT);
        let lag_alarm = self.duration(at, "lag_alarm", &raw.lag_alarm, Duration::from_secs(300), ALARM);
        self.check_alarm(at, interval, lag_alarm);
        let headers = self.sink_headers(&at.key("headers"), raw);
        let subject_at = at.key("subject");
        let subject = self.given(&subject_at, &raw.subject);
        if let Some(subject) = subject {
            self.check_subject(&subject_at, subject);
        }
        let format_at = at.key("format");
        let format = self.given(&format_at, &raw.format).copied();
        let url_at = at.key("url");
        let url = self.given(&url_at, &raw.url)?;
        let place = match place_of(url, &url_at) {
            Ok(place) => place,
            Err((message, hint)) => {
                self.invalid(&url_at, EXPECTED, &message, hint.map(str::to_owned));
                return None;
            }
        };
        self.check_keys(at, &place);
        if batch > SMALL_BATCH && matches!(format, Some(RawFormat::Lago | RawFormat::Stripe)) {
            let batch_at = at.key("batch");
            let message =
                format!("expected 1 to {SMALL_BATCH} for this format, found {}", batch_at.written());
            self.problems.push(batch_at.problem(message));
        }
        if matches!((&place, format), (Place::Http, Some(RawFormat::Stripe))) {
            self.check_stripe(at, raw, meters);
        }
        let kind = match (place, format) {
            (Place::Http, None | Some(RawFormat::CloudEvents)) => http(url, HttpFormat::CloudEvents, headers),
            (Place::Http, Some(RawFormat::Lago)) => http(url, HttpFormat::Lago, headers),
            (Place::Http, Some(RawFormat::Stripe)) => http(url, HttpFormat::Stripe, headers),
            (Place::Nats, None | Some(RawFormat::CloudEvents)) => {
                let subject = subject.map_or("sluice.usage.{meter}", String::as_str).to_owned();
                SinkKind::Nats { url: Secret::new(url.as_str()), subject }
            }
            (Place::Files(directory), None | Some(RawFormat::Csv)) => {
                SinkKind::Files { directory, format: FileFormat::Csv }
            }
            (Place::Files(directory), Some(RawFormat::Json)) => {
                SinkKind::Files { directory, format: FileFormat::Json }
            }
            (place, Some(_)) => {
                let known = match place {
                    Place::Http => "for HTTP there are `cloudevents`, `lago` and `stripe`",
                    Place::Nats => "for NATS there is `cloudevents`",
                    Place::Files(_) => "for files there are `csv` and `json`",
                };
                let message = format!("this is no format for {}", place.called());
                self.problems.push(format_at.problem(message).hint(known));
                return None;
            }
        };
        let (name, place) = (Arc::clone(&entry.name), at.head()?);
        Some(Sink { name, place, kind, meters: names, batch, interval, timeout, lag_alarm })
    }

    /// Reports keys that are for sinks of another kind.
    fn check_keys(&mut self, at: &At<'_>, place: &Place) {
        let (headers, subject) = (at.key("headers"), at.key("subject"));
        if headers.is_written() && !matches!(place, Place::Http) {
            let message = format!("`headers` are for an HTTP server, not for {}", place.called());
            self.problems.push(headers.problem(message));
        }
        if subject.is_written() && !matches!(place, Place::Nats) {
            let message = format!("`subject` is for NATS, not for {}", place.called());
            self.problems.push(subject.problem(message));
        }
    }

    fn sink_meters(&mut self, at: &At<'_>, raw: &RawSink, meters: &Meters) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for (at, name) in self.list(at, &raw.meters) {
            match meters.names.get_key_value(name.as_str()) {
                Some((name, _)) if names.contains(name) => {
                    self.problems.push(at.problem(format!("`{name}` is there twice")));
                }
                Some((name, _)) => names.push(Arc::clone(name)),
                None => {
                    let known = meters.names.keys().map(|name| &**name);
                    self.unknown(&at, "meter", name, known, "declare it as `[meters.NAME]`");
                }
            }
        }
        names.sort();
        names
    }

    fn sink_headers(&mut self, at: &At<'_>, raw: &RawSink) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        for (at, name, value) in self.pairs(at, &raw.headers) {
            let shown = name.escape_debug();
            let refused = match HeaderName::from_bytes(name.as_bytes()) {
                Err(_) => format!("`{shown}` is not a header name"),
                Ok(name) if OWN_HEADERS.contains(&name.as_str()) => {
                    format!("the gateway writes `{shown}` itself")
                }
                Ok(name) => {
                    match HeaderValue::from_str(value) {
                        Ok(mut value) => {
                            value.set_sensitive(true);
                            headers.push((name, value));
                        }
                        Err(_) => {
                            let message = "a header's value has no control characters";
                            self.invalid(&at, "a header's value", message, None);
                        }
                    }
                    continue;
                }
            };
            let mut problem = at.problem(refused);
            problem.place = at.head();
            self.problems.push(problem);
        }
        headers
    }

    fn check_subject(&mut self, at: &At<'_>, subject: &str) {
        let filled = subject.replace("{meter}", "m").replace("{consumer}", "c");
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '*' | '>' | '{' | '}');
        let tokens = filled.split('.').all(|token| !token.is_empty());
        if !tokens || !filled.chars().all(plain) || subject.len() > 256 {
            let expected = "a subject such as \"usage.{meter}\"";
            let hint = match filled.contains(['{', '}']) {
                true => "there are `{meter}` and `{consumer}`",
                false => "up to 256 bytes: words between dots, without spaces, `*` and `>`",
            };
            let message = format!("expected {expected}, found {}", at.written());
            self.invalid(at, expected, &message, Some(hint.to_owned()));
        }
    }
}

fn http(url: &str, format: HttpFormat, headers: Vec<(HeaderName, HeaderValue)>) -> SinkKind {
    SinkKind::Http { url: Secret::new(url), format, headers }
}

/// What kind of place a URL is. What it says of a wrong one never repeats what is behind the scheme.
fn place_of(url: &str, at: &At<'_>) -> Result<Place, Refused> {
    let refuse = |message: &str, hint| Err((message.to_owned(), hint));
    let forms = "write \"https://HOST/PATH\", \"nats://HOST\" or \"file:DIRECTORY\"";
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err((format!("expected {EXPECTED}"), Some(forms)));
    };
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) && scheme != "file" {
        return refuse("a URL has no spaces", Some("write them as `%20`"));
    }
    match scheme {
        "http" | "https" => {
            let uri = url.parse::<Uri>().ok();
            let authority = uri.as_ref().and_then(Uri::authority);
            match authority {
                Some(authority) if authority.as_str().contains('@') => refuse(
                    "the user and the password are not part of the URL",
                    Some("write `headers = { authorization = \"Basic ${env:NAME}\" }`"),
                ),
                Some(authority) if !authority.host().is_empty() && !url.contains('#') => Ok(Place::Http),
                _ => Err((format!("expected {EXPECTED}"), None)),
            }
        }
        "nats" | "tls" => {
            let hosts = rest.strip_prefix("//").map(|rest| rest.rsplit('@').next().unwrap_or(rest));
            let hosts = hosts.map(|hosts| hosts.strip_suffix('/').unwrap_or(hosts)).unwrap_or_default();
            if hosts.is_empty() || hosts.contains(['/', '?', '#']) {
                let form = "write \"nats://[USER:PASSWORD@]HOST[:PORT]\", or \"tls://...\" to insist on TLS";
                return refuse("this is not the URL of a NATS server", Some(form));
            }
            Ok(Place::Nats)
        }
        "file" => {
            let path = match rest.strip_prefix("//") {
                Some(absolute) if absolute.starts_with('/') => absolute,
                Some(_) => return refuse("the path follows the colon", Some("write \"file:DIRECTORY\"")),
                None => rest,
            };
            if path.is_empty() {
                return refuse("the directory is missing", Some("write \"file:data/usage\""));
            }
            Ok(Place::Files(at.resolve_path(path)))
        }
        _ => refuse("there are no sinks of this scheme", Some(forms)),
    }
}
