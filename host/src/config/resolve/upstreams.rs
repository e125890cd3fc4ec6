//! Upstreams.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::at::At;
use super::{Entry, Input, Names, Resolver};
use crate::config::model::{Target, Upstream, UpstreamProtocol, UpstreamTimeouts};
use crate::config::pattern::check_host_name;
use crate::config::raw::{RawProtocol, RawTarget, RawUpstream};

const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
const EXPECTED: &str = "a URL such as \"http://10.0.0.1:8080\"";

impl Resolver<'_> {
    pub(super) fn upstreams(&mut self, inputs: &[Input<'_>]) -> (BTreeMap<Arc<str>, Arc<Upstream>>, Names) {
        let mut upstreams = BTreeMap::new();
        let mut names = Names::new();
        for entry in self.named(inputs, "upstreams", |raw| &raw.upstreams) {
            names.extend(entry.at.head().map(|place| (entry.name.clone(), place)));
            if let Some(upstream) = self.upstream(&entry) {
                upstreams.insert(entry.name, Arc::new(upstream));
            }
        }
        (upstreams, names)
    }

    fn upstream(&mut self, entry: &Entry<'_, RawUpstream>) -> Option<Upstream> {
        let (at, raw) = (&entry.at, entry.raw?);
        let mut targets = Vec::new();
        for (at, target) in self.list(&at.key("targets"), &raw.targets) {
            targets.extend(self.target(&at, target));
        }
        let default = UpstreamTimeouts::default();
        let timeout = at.key("timeout");
        let timeouts = match self.given(&timeout, &raw.timeout) {
            Some(raw) => UpstreamTimeouts {
                connect: self.duration(&timeout, "connect", &raw.connect, default.connect, TIMEOUT),
                request: self.duration(&timeout, "request", &raw.request, default.request, TIMEOUT),
                idle: self.duration(&timeout, "idle", &raw.idle, default.idle, TIMEOUT),
            },
            None => default,
        };
        let max_idle = self.number(at, "max_idle", &raw.max_idle, 64);
        let protocol = match self.given(&at.key("protocol"), &raw.protocol) {
            Some(RawProtocol::H2) => UpstreamProtocol::H2,
            Some(RawProtocol::H1) | None => UpstreamProtocol::H1,
        };
        let name = entry.name.clone();
        (!targets.is_empty()).then_some(Upstream { name, targets, protocol, timeouts, max_idle })
    }

    fn target(&mut self, at: &At<'_>, raw: &RawTarget) -> Option<Target> {
        let weight = self.number(at, "weight", &raw.weight, 1);
        let at = at.key("url");
        let text = self.given(&at, &raw.url)?;
        match parse_url(text) {
            Ok((host, port)) => Some(Target { host, port, weight }),
            Err((message, hint)) => {
                self.invalid(&at, EXPECTED, &message, hint);
                None
            }
        }
    }
}

type Refused = (String, Option<String>);

fn parse_url(text: &str) -> Result<(String, u16), Refused> {
    let refuse = |message: &str| (message.to_owned(), None);
    let shown = text.escape_debug();
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err((
            format!("expected {EXPECTED}, found \"{shown}\""),
            Some(format!("write \"http://{shown}\"")),
        ));
    };
    if scheme.eq_ignore_ascii_case("https") {
        let hint = format!("write \"http://{}\" if the upstream takes plain HTTP", rest.escape_debug());
        return Err(("TLS to upstreams is not available yet".to_owned(), Some(hint)));
    }
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(refuse(&format!("`{}` is not a scheme of upstreams", scheme.escape_debug())));
    }
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if !matches!(path, "" | "/") {
        let hint = format!("write \"http://{}\"", authority.escape_debug());
        return Err(("a target has no path: requests keep theirs".to_owned(), Some(hint)));
    }
    if authority.contains('@') {
        return Err(refuse("a target has no user or password"));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = match port {
        None => 80,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port != 0 => port,
            _ => return Err(refuse(&format!("`{}` is not a port", port.escape_debug()))),
        },
    };
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match address.parse::<Ipv6Addr>() {
            Ok(address) => Ok((address.to_string(), port)),
            Err(_) => Err(refuse(&format!("`{}` is not an IPv6 address", address.escape_debug()))),
        };
    }
    if host.is_empty() {
        return Err(refuse("a target names no host"));
    }
    let host = host.to_ascii_lowercase();
    match check_host_name(&host) {
        Ok(()) => Ok((host, port)),
        Err(_) => Err(refuse(&format!("`{}` is not a host name", host.escape_debug()))),
    }
}
