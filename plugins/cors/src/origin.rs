//! Origins: how configuration writes them, and whether one that a browser sent is among them.

use sluice_sdk::prelude::*;

/// Far beyond any host name (253 characters) with its scheme and port.
const LONGEST: usize = 512;

/// Which origins may read.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    any: bool,
    /// In their order, to be searched.
    exact: Vec<String>,
    patterns: Vec<Pattern>,
}

/// An origin with a wildcard: `https://*.shop.example`, `http://localhost:*`.
#[derive(Debug, PartialEq)]
struct Pattern {
    /// Up to the host, with `://`.
    scheme: String,
    host: Host,
    port: Port,
}

#[derive(Debug, PartialEq)]
enum Host {
    Exact(String),
    /// Names below this one, which begins with its dot.
    Below(String),
}

#[derive(Debug, PartialEq)]
enum Port {
    /// With its colon; empty for the scheme's own.
    Exact(String),
    Any,
}

impl Origins {
    pub(crate) fn parse(entries: &[String]) -> Result<Self> {
        let mut origins = Self::default();
        for entry in entries {
            match entry.as_str() {
                "*" => origins.any = true,
                "null" => origins.exact.push(entry.clone()),
                text => match Pattern::parse(text).context(format_args!("`{}`", text.escape_debug()))? {
                    Pattern { host: Host::Exact(_), port: Port::Exact(_), .. } => {
                        origins.exact.push(entry.clone())
                    }
                    pattern => origins.patterns.push(pattern),
                },
            }
        }
        ensure!(!origins.any || entries.len() == 1, "`*` is every origin: leave the others out");
        origins.exact.sort();
        Ok(origins)
    }

    /// Whether every origin may read.
    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    pub(crate) fn names_null(&self) -> bool {
        self.exact.iter().any(|origin| origin == "null")
    }

    /// Whether this origin may read. Compared byte by byte, as browsers write and compare them.
    pub(crate) fn allow(&self, origin: &str) -> bool {
        self.any
            || origin.len() <= LONGEST
                && (self.exact.binary_search_by(|known| known.as_str().cmp(origin)).is_ok()
                    || self.patterns.iter().any(|pattern| pattern.matches(origin)))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text
            .split_once("://")
            .context("an origin is `https://host`, with its port if that is not the scheme's own")?;
        let good = scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.')
            });
        ensure!(good, "a scheme is written in small letters");
        let (host, port) = split_port(rest);
        Ok(Self {
            scheme: format!("{scheme}://"),
            host: Host::parse(host)?,
            port: Port::parse(port, scheme)?,
        })
    }

    fn matches(&self, origin: &str) -> bool {
        let Some(rest) = origin.strip_prefix(&*self.scheme) else { return false };
        let (host, port) = split_port(rest);
        self.host.matches(host) && self.port.matches(port)
    }
}

/// Host, and the port with its colon.
fn split_port(rest: &str) -> (&str, &str) {
    match rest.rfind(':') {
        // A colon within brackets is an IPv6 address's.
        Some(colon) if !rest[colon..].contains(']') => rest.split_at(colon),
        _ => (rest, ""),
    }
}

impl Host {
    fn parse(host: &str) -> Result<Self> {
        ensure!(
            !host.contains(['/', '@', '?', '#']),
            "an origin ends with host or port: no path, not even `/`, and no user"
        );
        if let Some(parent) = host.strip_prefix("*.") {
            ensure!(is_name(parent), "`*.` stands before a host name in small letters");
            // A whole top-level domain belongs to nobody.
            ensure!(parent.contains('.'), "`*.{parent}` is every name of a top-level domain");
            return Ok(Self::Below(format!(".{parent}")));
        }
        ensure!(
            !host.contains('*'),
            "`*` stands for the first names of a host, as in `*.shop.example`, or for a port"
        );
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match address {
            Some(address) => {
                let address: std::net::Ipv6Addr =
                    address.parse().context("an IPv6 address is in brackets")?;
                ensure!(host == format!("[{address}]"), "browsers write this address `[{address}]`");
            }
            None => ensure!(
                is_name(host),
                "a host is written in small letters, and one beyond ASCII as `xn--`, as browsers do"
            ),
        }
        Ok(Self::Exact(host.to_owned()))
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(known) => known == host,
            // What stands for `*` has to be names, so that nothing but a host under this one fits.
            Self::Below(parent) => host.strip_suffix(&**parent).is_some_and(is_name),
        }
    }
}

impl Port {
    fn parse(port: &str, scheme: &str) -> Result<Self> {
        match port.strip_prefix(':') {
            None => Ok(Self::Exact(String::new())),
            Some("*") => Ok(Self::Any),
            Some(number) => {
                ensure!(is_port(number), "`{number}` is no port");
                let own = matches!((scheme, number), ("http" | "ws", "80") | ("https" | "wss", "443"));
                ensure!(!own, "browsers leave the scheme's own port out: do so too");
                Ok(Self::Exact(port.to_owned()))
            }
        }
    }

    fn matches(&self, port: &str) -> bool {
        match self {
            Self::Exact(known) => known == port,
            Self::Any => port.is_empty() || port.strip_prefix(':').is_some_and(is_port),
        }
    }
}

fn is_port(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain && text.parse::<u16>().is_ok()
}

/// Names between dots, as browsers write them: small letters, digits, `-` and `_`.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
    };
    host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(entries: &[&str]) -> Result<Origins> {
        Origins::parse(&entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn exact_origins_are_compared_as_they_are() {
        let origins = origins(&["https://shop.example", "http://[::1]:8080", "null", "app://local"]).unwrap();
        for good in ["https://shop.example", "http://[::1]:8080", "null", "app://local"] {
            assert!(origins.allow(good), "{good}");
        }
        for bad in [
            "http://shop.example",
            "https://shop.example:8443",
            "https://shop.example/",
            "https://Shop.example",
            "https://shop.example.evil.example",
            "https://a.shop.example",
            "",
            "*",
        ] {
            assert!(!origins.allow(bad), "{bad}");
        }
    }

    #[test]
    fn a_wildcard_is_names_below_and_nothing_else() {
        let origins = origins(&["https://*.shop.example", "http://localhost:*"]).unwrap();
        for good in [
            "https://a.shop.example",
            "https://a.b-1.shop.example",
            "http://localhost",
            "http://localhost:3000",
        ] {
            assert!(origins.allow(good), "{good}");
        }
        for bad in [
            "https://shop.example",
            "https://.shop.example",
            "https://a..shop.example",
            "https://evilshop.example",
            "https://evil.example/.shop.example",
            "https://evil.example#.shop.example",
            "https://evil.example?.shop.example",
            "https://evil.example\\.shop.example",
            "https://evil.example:1@a.shop.example",
            "https://evil.example%00.shop.example",
            "https://a.shop.example.",
            "https://a.shop.example:8443",
            "http://a.shop.example",
            "https://A.shop.example",
            "http://localhost:",
            "http://localhost:0",
            "http://localhost:65536",
            "http://localhost:1@evil.example",
            "http://localhost.evil.example:80",
            "null",
        ] {
            assert!(!origins.allow(bad), "{bad}");
        }
        let long = format!("https://{}.shop.example", "a".repeat(600));
        assert!(!origins.allow(&long));
    }

    #[test]
    fn what_no_browser_would_send_is_refused() {
        for (entries, reason) in [
            (&["shop.example"][..], "`shop.example`: an origin is `https://host`"),
            (&["https://shop.example/"], "no path, not even `/`"),
            (&["https://user@shop.example"], "and no user"),
            (&["https://Shop.example"], "in small letters"),
            (&["HTTPS://shop.example"], "a scheme is written in small letters"),
            (&["https://löwe.example"], "as `xn--`"),
            (&["https://shop.example:443"], "leave the scheme's own port out"),
            (&["https://shop.example:port"], "`port` is no port"),
            (&["https://shop.example:"], "`` is no port"),
            (&["https://*"], "`*` stands for the first names of a host"),
            (&["https://a.*.example"], "`*` stands for the first names of a host"),
            (&["https://*shop.example"], "`*` stands for the first names of a host"),
            (&["https://*.example"], "every name of a top-level domain"),
            (&["http://[::0:1]"], "browsers write this address `[::1]`"),
            (&["http://[::1"], "in small letters"),
            (&["https://"], "a host is written"),
            (&["*", "null"], "`*` is every origin"),
        ] {
            let error = origins(entries).unwrap_err().to_string();
            assert!(error.contains(reason), "{entries:?}: {error}");
        }
    }
}
