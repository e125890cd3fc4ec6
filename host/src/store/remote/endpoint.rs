//! Where the server is: the URL of `[store] counters`, read once.

use std::fmt;
use std::path::PathBuf;

/// A server and who we are to it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(super) place: Place,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// The logical database.
    pub(super) database: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        port: u16,
        tls: bool,
    },
    Socket(PathBuf),
}

const PORT: u16 = 6379;

const FORMS: &str = "write `redis://[user[:password]@]host[:port][/db]`, `rediss://...` for TLS, or \
                     `redis+unix:///path[?db=N]`";

/// Reads a URL. What it says of a wrong one never repeats the part with the password.
pub(crate) fn parse(url: &str) -> Result<Endpoint, String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(format!("this is not the URL of a Redis or Valkey server: {FORMS}"));
    };
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("a URL has no spaces or control characters: write them as `%20` and the like".into());
    }
    match scheme {
        "redis" => tcp(rest, false),
        "rediss" => tcp(rest, true),
        "redis+unix" | "unix" => socket(rest),
        "redis+cluster" | "redis+sentinel" | "redis-sentinel" | "redis-cluster" => {
            Err("only a standalone server is supported, not a cluster or sentinels".into())
        }
        _ => Err(format!("the scheme `{}` is not known: {FORMS}", scheme.escape_default())),
    }
}

fn tcp(rest: &str, tls: bool) -> Result<Endpoint, String> {
    if rest.contains(['?', '#']) {
        return Err(
            "there is nothing after the database: `?` and `#` in a password are written as `%3F` and \
                    `%23`"
                .into(),
        );
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, password, address) = credentials(authority)?;
    let (host, port) = host_and_port(address)?;
    let database = if path.is_empty() { 0 } else { database(path)? };
    Ok(Endpoint { place: Place::Tcp { host, port, tls }, user, password, database })
}

fn socket(rest: &str) -> Result<Endpoint, String> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let Some((authority, path)) = rest.split_once('/') else {
        return Err("the path of a socket is absolute: `redis+unix:///run/redis.sock`".into());
    };
    let (user, password, host) = credentials(authority)?;
    if !host.is_empty() {
        return Err("a socket has no host: `redis+unix:///run/redis.sock` has three slashes".into());
    }
    let path = decode(path).ok_or("the path has a `%` that is not followed by two hex digits")?;
    if path.is_empty() {
        return Err("the path of the socket is missing: `redis+unix:///run/redis.sock`".into());
    }
    let database = match query.split_once('=') {
        None if query.is_empty() => 0,
        Some(("db", number)) => database(number)?,
        _ => return Err("after `?` a socket's URL has only `db=N`".into()),
    };
    Ok(Endpoint { place: Place::Socket(format!("/{path}").into()), user, password, database })
}

type Credentials<'a> = (Option<String>, Option<String>, &'a str);

fn credentials(authority: &str) -> Result<Credentials<'_>, String> {
    let Some((who, address)) = authority.rsplit_once('@') else { return Ok((None, None, authority)) };
    if who.contains('@') {
        return Err("an `@` in the user or the password is written as `%40`".into());
    }
    let wrong = "the user or the password has a `%` that is not followed by two hex digits";
    let (user, password) = match who.split_once(':') {
        Some((user, password)) => (user, Some(decode(password).ok_or(wrong)?)),
        None => (who, None),
    };
    let user = decode(user).ok_or(wrong)?;
    match (&*user, password.as_deref()) {
        ("", None) => Err("there is nothing before the `@`".into()),
        (_, Some("")) => Err("the password is empty: leave out the `:`, or the reference is unset".into()),
        ("", _) => Ok((None, password, address)),
        (_, None) => {
            Err("a user needs a password: `user:password@`, or `:password@` for the default user".into())
        }
        _ => Ok((Some(user), password, address)),
    }
}

fn host_and_port(address: &str) -> Result<(String, u16), String> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("the `[` of an IPv6 address is not closed")?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("what stands in brackets is not an IPv6 address".into());
        }
        match port.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if port.is_empty() => (host, None),
            None => return Err("after the `]` comes `:port`, `/db` or nothing".into()),
        }
    } else {
        match address.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address stands in brackets, as in `redis://[::1]:6379`. A `/` in a \
                            password is written as `%2F`"
                    .into());
            }
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        }
    };
    if host.is_empty() {
        return Err(format!("the host is missing: {FORMS}"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.len() > 253 || !host.chars().all(plain) {
        return Err(
            "the host is neither a name nor an address. A `/` in a password is written as `%2F`".into()
        );
    }
    // Not repeated: if a password has an unescaped `/`, this is its beginning.
    let port = port.map_or(Ok(PORT), |port| match port.parse() {
        Ok(0) | Err(_) => {
            Err("the port is not a number from 1 to 65535. A `/` in a password is written as `%2F`")
        }
        Ok(port) => Ok(port),
    })?;
    Ok((host.to_owned(), port))
}

fn database(text: &str) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse::<u32>().ok() } else { None };
    number.filter(|number| *number <= 1_000_000).ok_or_else(|| {
        "the database is a number, most often from 0 to 15. A `/` in a password is written as `%2F`"
            .to_owned()
    })
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

/// For logs: without the user and the password.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { host, port, tls } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(f, "{scheme}://{open}{host}{close}:{port}/{}", self.database)
            }
            Place::Socket(path) => write!(f, "redis+unix://{}?db={}", path.display(), self.database),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("place", &self.place)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("database", &self.database)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Endpoint, Place, parse};

    fn tcp(host: &str, port: u16, tls: bool) -> Endpoint {
        let place = Place::Tcp { host: host.to_owned(), port, tls };
        Endpoint { place, user: None, password: None, database: 0 }
    }

    #[test]
    fn every_form_is_read() {
        let some = |text: &str| Some(text.to_owned());
        let socket = Place::Socket(PathBuf::from("/run/redis sock"));
        let cases = [
            ("redis://cache", tcp("cache", 6379, false)),
            ("redis://cache/", tcp("cache", 6379, false)),
            ("rediss://10.0.0.1:7000/3", Endpoint { database: 3, ..tcp("10.0.0.1", 7000, true) }),
            ("redis://[::1]:6380", tcp("::1", 6380, false)),
            ("redis://[::1]", tcp("::1", 6379, false)),
            ("redis://:s3cret@cache", Endpoint { password: some("s3cret"), ..tcp("cache", 6379, false) }),
            (
                "redis://me:a%40b%2Fc:d@cache:1/2",
                Endpoint {
                    user: some("me"),
                    password: some("a@b/c:d"),
                    database: 2,
                    ..tcp("cache", 1, false)
                },
            ),
            (
                "redis+unix:///run/redis%20sock?db=4",
                Endpoint { place: socket, user: None, password: None, database: 4 },
            ),
        ];
        for (url, expected) in cases {
            assert_eq!(parse(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let cases = [
            ("cache:6379", "not the URL"),
            ("http://cache", "scheme `http`"),
            ("redis+cluster://cache", "standalone"),
            ("redis://", "host is missing"),
            ("redis://:6379", "host is missing"),
            ("redis://cache:0", "port"),
            ("redis://cache:65536", "port"),
            ("redis://cache:", "port"),
            ("redis://::1", "brackets"),
            ("redis://[::1", "not closed"),
            ("redis://[cache]", "not an IPv6 address"),
            ("redis://[::1]6379", "after the `]`"),
            ("redis://cache/-1", "database"),
            ("redis://cache/a", "database"),
            ("redis://cache/1/2", "database"),
            ("redis://ca che", "spaces"),
            ("redis://cache?db=1", "nothing after"),
            ("redis://@cache", "nothing before"),
            ("redis://me@cache", "needs a password"),
            ("redis://me:@cache", "password is empty"),
            ("redis://me:hunter%2@cache", "two hex digits"),
            ("redis://me:hunter@2@cache", "%40"),
            ("redis://me:hunter/2@cache", "%2F"),
            ("redis://me:9/hunter@cache", "%2F"),
            ("redis://me:hunter#2@cache", "%23"),
            ("redis+unix://run/redis.sock", "three slashes"),
            ("redis+unix:///", "missing"),
            ("redis+unix:///s?x=1", "db=N"),
        ];
        for (url, expected) in cases {
            let error = parse(url).unwrap_err();
            assert!(error.contains(expected), "{url}: {error}");
            assert!(!error.contains("hunter"), "{url}: {error}");
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        let endpoint = parse("redis://me:hunter2@cache/1").unwrap();
        assert_eq!(endpoint.to_string(), "redis://cache:6379/1");
        assert!(!format!("{endpoint:?}").contains("hunter2"));
    }
}
