//! Where the server is and who we are to it: the URL of a sink, read once.

use std::fmt;
use std::str::FromStr;

const PORT: u16 = 4222;

/// A server, or the first of a cluster that can be reached.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// In the order in which they are tried.
    pub(super) servers: Vec<(String, u16)>,
    /// TLS whatever the server says; without it TLS if the server asks for it.
    pub(super) tls: bool,
    pub(super) credentials: Credentials,
}

/// Who we are.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    None,
    Token(String),
    User { name: String, password: String },
}

/// Why a URL cannot be used; it never repeats the part with the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NatsError(&'static str);

const FORMS: NatsError = NatsError(
    "write `nats://[user:password@|token@]host[:port][,host[:port]...]`, or `tls://...` to insist on TLS",
);

impl FromStr for Place {
    type Err = NatsError;

    fn from_str(url: &str) -> Result<Self, NatsError> {
        let (scheme, rest) = url.split_once("://").ok_or(FORMS)?;
        let tls = match scheme {
            "nats" => false,
            "tls" => true,
            _ => return Err(FORMS),
        };
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(NatsError("a URL has no spaces: write them as `%20`"));
        }
        let (who, hosts) = match rest.rsplit_once('@') {
            Some((who, hosts)) => (Some(who), hosts),
            None => (None, rest),
        };
        let credentials = who.map_or(Ok(Credentials::None), credentials)?;
        let hosts = hosts.strip_suffix('/').unwrap_or(hosts);
        if hosts.contains(['/', '?', '#']) {
            return Err(NatsError(
                "nothing comes after the host; in a password `/`, `?` and `#` are written as `%2F`, `%3F` and `%23`",
            ));
        }
        let servers = hosts.split(',').map(server).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { servers, tls, credentials })
    }
}

fn credentials(who: &str) -> Result<Credentials, NatsError> {
    if who.contains('@') {
        return Err(NatsError("an `@` in the user or the password is written as `%40`"));
    }
    let decoded = |text| {
        decode(text).filter(|text| !text.is_empty()).ok_or(NatsError(
            "the user, password or token is empty, or has a `%` that is not followed by two hex digits",
        ))
    };
    Ok(match who.split_once(':') {
        Some((name, password)) => Credentials::User { name: decoded(name)?, password: decoded(password)? },
        None => Credentials::Token(decoded(who)?),
    })
}

fn server(text: &str) -> Result<(String, u16), NatsError> {
    let wrong =
        NatsError("a host is a name or an address, an IPv6 address in brackets, then perhaps `:port`");
    let (host, rest) = match text.strip_prefix('[') {
        Some(text) => {
            let (host, rest) = text.split_once(']').ok_or(wrong.clone())?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong.clone())?;
            (host, rest)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
        return Err(wrong);
    }
    let port = match rest.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(wrong)?,
        None if rest.is_empty() => PORT,
        None => return Err(wrong),
    };
    Ok((host.to_owned(), port))
}

/// Percent-decodes; `None` if that is not possible or not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// For logs: without credentials.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("servers", &self.servers)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let user =
            |name: &str, password: &str| Credentials::User { name: name.into(), password: password.into() };
        type Case = (&'static str, &'static [(&'static str, u16)], bool, Credentials);
        let cases: [Case; 6] = [
            ("nats://bus", &[("bus", 4222)], false, Credentials::None),
            ("nats://bus/", &[("bus", 4222)], false, Credentials::None),
            ("tls://10.0.0.1:1", &[("10.0.0.1", 1)], true, Credentials::None),
            ("nats://s3cret@[::1]:7", &[("::1", 7)], false, Credentials::Token("s3cret".into())),
            ("nats://me:a%40b@bus", &[("bus", 4222)], false, user("me", "a@b")),
            ("nats://me:x@a:1,b,[::1]", &[("a", 1), ("b", 4222), ("::1", 4222)], false, user("me", "x")),
        ];
        for (url, servers, tls, credentials) in cases {
            let servers = servers.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect();
            assert_eq!(url.parse(), Ok(Place { servers, tls, credentials }), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for url in [
            "bus",
            "http://bus",
            "nats://",
            "nats://:4222",
            "nats://bus:0",
            "nats://bus:x",
            "nats://bus/x",
            "nats://::1",
            "nats://[::1",
            "nats://[bus]",
            "nats://b us",
            "nats://@bus",
            "nats://me:@bus",
            "nats://me:hunter@2@bus",
            "nats://me:hunter/2@bus?",
            "nats://me:hunter%2@bus",
            "nats://a,,b",
        ] {
            let error = url.parse::<Place>().unwrap_err().to_string();
            assert!(!error.contains("hunter"), "{url}: {error}");
        }
        let place: Place = "nats://me:hunter2@bus".parse().unwrap();
        assert!(!format!("{place:?}").contains("hunter2"));
    }
}
