//! Listeners.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use super::at::At;
use super::{Entry, Input, Resolver};
use crate::config::field::{Field, SizeText};
use crate::config::model::{
    DotSegments, EmptySegments, Listener, ListenerLimits, ListenerTimeouts, PathRules, Protocols, Serve,
};
use crate::config::quantity::show_size;
use crate::config::raw::{
    List, RawDotSegments, RawEmptySegments, RawListener, RawProtocol, RawProxyProtocol, RawRefuseOrKeep,
    RawServe,
};

const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(24 * 3600);

impl Resolver<'_> {
    pub(super) fn listeners(&mut self, inputs: &[Input<'_>]) -> Vec<Listener> {
        let mut listeners = Vec::new();
        let mut bound: HashMap<SocketAddr, At<'_>> = HashMap::new();
        for entry in self.named(inputs, "listeners", |raw| &raw.listeners) {
            let Some(listener) = self.listener(&entry) else { continue };
            let at = entry.at.key("bind");
            // port 0 is a free one each time
            if listener.bind.port() != 0
                && let Some(first) = bound.insert(listener.bind, at.clone())
            {
                let message = format!("two listeners bind {}", at.written());
                let mut problem = at.problem(message);
                if let Some(place) = first.place() {
                    problem = problem.related(place, format!("`{}`", first.path()));
                }
                self.problems.push(problem);
            }
            listeners.push(listener);
        }
        listeners
    }

    fn listener(&mut self, entry: &Entry<'_, RawListener>) -> Option<Listener> {
        let (at, raw) = (&entry.at, entry.raw?);
        let bind = self.bind(&at.key("bind"), raw);
        let tls = self.listener_tls(&at.key("tls"), &raw.tls);
        Some(Listener {
            name: entry.name.clone(),
            serve: self.serve(&at.key("serve"), &raw.serve),
            protocols: self.protocols(&at.key("protocols"), &raw.protocols),
            trusted_proxies: self.networks(&at.key("trusted_proxies"), &raw.trusted_proxies),
            paths: self.path_rules(&at.key("paths"), raw),
            proxy_protocol: self.proxy_protocol(at, raw),
            timeouts: self.listener_timeouts(&at.key("timeout"), raw),
            limits: self.listener_limits(&at.key("limits"), raw),
            // What was written and cannot be made out is a problem, and no plain HTTP.
            tls: if at.key("tls").is_written() { Some(tls?) } else { None },
            bind: bind?,
        })
    }

    fn bind(&mut self, at: &At<'_>, raw: &RawListener) -> Option<SocketAddr> {
        let text = self.given(at, &raw.bind)?;
        if let Ok(address) = text.parse() {
            return Some(address);
        }
        let expected = "an address and port such as \"0.0.0.0:8080\"";
        let candidates = match text.rsplit_once(':') {
            Some(("" | "*", port)) => [format!("0.0.0.0:{port}"), String::new()],
            Some(("localhost", port)) => [format!("127.0.0.1:{port}"), String::new()],
            Some((host, port)) => [format!("[{host}]:{port}"), format!("[{text}]:8080")],
            None => [format!("0.0.0.0:{text}"), format!("{text}:8080")],
        };
        let hint = candidates
            .iter()
            .find(|candidate| candidate.parse::<SocketAddr>().is_ok())
            .map(|candidate| format!("write \"{candidate}\""));
        let message = format!("expected {expected}, found {}", at.written());
        self.invalid(at, expected, &message, hint);
        None
    }

    fn serve(&mut self, at: &At<'_>, raw: &List<RawServe>) -> Serve {
        let serves: Vec<RawServe> = self.list(at, raw).iter().map(|(_, serve)| **serve).collect();
        let admin = serves.contains(&RawServe::Admin);
        let metrics = serves.contains(&RawServe::Metrics);
        if serves.contains(&RawServe::Proxy) && (admin || metrics) {
            let message = "a listener serves either the routes or the gateway's own pages";
            let hint = "give `admin` and `metrics` a listener of their own";
            self.problems.push(at.problem(message).hint(hint));
        }
        if admin || metrics { Serve::Admin { admin, metrics } } else { Serve::Proxy }
    }

    fn protocols(&mut self, at: &At<'_>, raw: &List<RawProtocol>) -> Protocols {
        if !at.is_written() {
            return Protocols { h1: true, h2: true };
        }
        let protocols = self.list(at, raw);
        let has = |wanted| protocols.iter().any(|(_, protocol)| **protocol == wanted);
        Protocols { h1: has(RawProtocol::H1), h2: has(RawProtocol::H2) }
    }

    fn proxy_protocol(&mut self, listener: &At<'_>, raw: &RawListener) -> bool {
        let at = listener.key("proxy_protocol");
        if self.given(&at, &raw.proxy_protocol) != Some(&RawProxyProtocol::Required) {
            return false;
        }
        let own = |serve: &RawServe| matches!(serve, RawServe::Admin | RawServe::Metrics);
        if self.list(&listener.key("serve"), &raw.serve).iter().any(|(_, serve)| own(serve)) {
            let problem = at.problem("the gateway's own pages are not served behind the PROXY protocol");
            self.problems.push(problem.hint("leave it out, and let who asks connect directly"));
        } else if !listener.key("trusted_proxies").is_written() {
            let problem = at.problem("nobody may send the header of the PROXY protocol");
            self.problems.push(problem.hint("name the balancers' networks in `trusted_proxies`"));
        }
        true
    }

    fn networks(&mut self, at: &At<'_>, raw: &List<String>) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for (at, text) in self.list(at, raw) {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            match text.parse::<IpNet>().or(address) {
                Ok(network) => networks.push(network),
                Err(_) => {
                    let expected = "a network such as \"10.0.0.0/8\"";
                    let message = format!("expected {expected}, found {}", at.written());
                    self.invalid(&at, expected, &message, None);
                }
            }
        }
        networks
    }

    fn path_rules(&mut self, at: &At<'_>, raw: &RawListener) -> PathRules {
        let Some(raw) = self.given(at, &raw.paths) else { return PathRules::default() };
        let dots = self.given(&at.key("dot_segments"), &raw.dot_segments).copied();
        let empty = self.given(&at.key("empty_segments"), &raw.empty_segments).copied();
        let mut keeps = |key, field| self.given(&at.key(key), field) == Some(&RawRefuseOrKeep::Keep);
        PathRules {
            dot_segments: match dots {
                Some(RawDotSegments::Resolve) => DotSegments::Resolve,
                Some(RawDotSegments::Refuse) | None => DotSegments::Refuse,
            },
            empty_segments: match empty {
                Some(RawEmptySegments::Merge) => EmptySegments::Merge,
                Some(RawEmptySegments::Keep) => EmptySegments::Keep,
                Some(RawEmptySegments::Refuse) | None => EmptySegments::Refuse,
            },
            encoded_slashes: keeps("encoded_slashes", &raw.encoded_slashes),
            parameters: keeps("parameters", &raw.parameters),
        }
    }

    /// A size that is not one of memory.
    fn large(
        &mut self,
        table: &At<'_>,
        key: &'static str,
        raw: &Field<SizeText>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        let at = table.key(key);
        let Some(&SizeText(size)) = self.given(&at, raw) else { return default };
        if self.within(&at, size, &range, |bound| show_size(*bound)) { size } else { default }
    }

    fn listener_timeouts(&mut self, at: &At<'_>, raw: &RawListener) -> ListenerTimeouts {
        let default = ListenerTimeouts::default();
        let Some(raw) = self.given(at, &raw.timeout) else { return default };
        ListenerTimeouts {
            handshake: self.duration(at, "handshake", &raw.handshake, default.handshake, TIMEOUT),
            header: self.duration(at, "header", &raw.header, default.header, TIMEOUT),
            body: self.duration(at, "body", &raw.body, default.body, TIMEOUT),
            write: self.duration(at, "write", &raw.write, default.write, TIMEOUT),
            idle: self.duration(at, "idle", &raw.idle, default.idle, TIMEOUT),
            exchange: self.duration(at, "exchange", &raw.exchange, default.exchange, TIMEOUT),
            tunnel: self.duration(at, "tunnel", &raw.tunnel, default.tunnel, TIMEOUT),
        }
    }

    fn listener_limits(&mut self, at: &At<'_>, raw: &RawListener) -> ListenerLimits {
        let default = ListenerLimits::default();
        let Some(raw) = self.given(at, &raw.limits) else { return default };
        let bytes = 1 << 10..=16 << 20;
        ListenerLimits {
            connections: self.number(at, "connections", &raw.connections, default.connections),
            connections_per_address: self.number(
                at,
                "connections_per_address",
                &raw.connections_per_address,
                default.connections_per_address,
            ),
            exchanges: self.number(at, "exchanges", &raw.exchanges, default.exchanges),
            min_rate: self.large(at, "min_rate", &raw.min_rate, default.min_rate, 0..=1 << 30),
            uri_bytes: self.size(at, "uri_bytes", &raw.uri_bytes, default.uri_bytes, 64..=1 << 20),
            body: self.large(at, "body", &raw.body, default.body, 0..=1 << 50),
            requests: self.number(at, "requests", &raw.requests, default.requests),
            header_bytes: self.size(at, "header_bytes", &raw.header_bytes, default.header_bytes, bytes),
            headers: self.number(at, "headers", &raw.headers, default.headers),
            streams: self.number(at, "streams", &raw.streams, default.streams),
        }
    }
}
