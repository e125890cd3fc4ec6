//! The names in a certificate by which somebody may be known.

use sluice_sdk::consumers::Identity;
use sluice_sdk::crypto::Digest;
use sluice_sdk::prelude::*;

use crate::certificate::Certificate;
use crate::glob::{Glob, Parts};

const MAX_PATTERNS: usize = 32;

/// A kind of name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An alternative name that is a URI, such as a SPIFFE id.
    Uri,
    /// An alternative name that is a domain.
    Dns,
    /// An alternative name that is an e-mail address.
    Email,
    /// The subject, as RFC 4514 writes it.
    Subject,
    /// `sha256:` and the certificate's SHA-256.
    Fingerprint,
}

/// Patterns of names that may pass: `*` stands for a part of a name, `**` for anything.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowConfig {
    /// Of URIs; parts are between slashes: `"spiffe://example.org/ns/prod/**"`.
    #[serde(default)]
    uri: OneOrMany<String>,
    /// Of domains; parts are between dots: `"*.clients.example.org"`.
    #[serde(default)]
    dns: OneOrMany<String>,
    /// Of e-mail addresses; parts are around the `@`: `"*@example.org"`.
    #[serde(default)]
    email: OneOrMany<String>,
    /// Of subjects; parts are between commas and plus signs: `"CN=*,O=Example,C=SE"`.
    #[serde(default)]
    subject: OneOrMany<String>,
}

/// A certificate together with what it takes a host call to know of it.
pub(crate) struct Shown {
    pub(crate) certificate: Certificate,
    /// `sha256:` and hexadecimal digits.
    pub(crate) fingerprint: String,
}

impl Shown {
    pub(crate) fn new(certificate: Certificate, der: &[u8]) -> Result<Self> {
        let digest = crypto::digest(Digest::Sha256, der)?;
        Ok(Self { certificate, fingerprint: format!("sha256:{}", data_encoding::HEXLOWER.encode(&digest)) })
    }

    fn of(&self, kind: Kind) -> Vec<&str> {
        let Certificate { subject, uris, dns, emails, .. } = &self.certificate;
        match kind {
            Kind::Uri => uris.iter().map(String::as_str).collect(),
            Kind::Dns => dns.iter().map(String::as_str).collect(),
            Kind::Email => emails.iter().map(String::as_str).collect(),
            Kind::Subject => vec![subject],
            Kind::Fingerprint => vec![&self.fingerprint],
        }
    }

    /// The consumer of the first name that is somebody's, by kinds in order.
    pub(crate) fn consumer(&self, kinds: &[Kind]) -> Result<Option<Consumer>> {
        for kind in kinds {
            for name in self.of(*kind).into_iter().filter(|name| kind.is_plain(name)) {
                if let Some(found) = consumers::identify(Identity::Certificate, name)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

impl Kind {
    /// Whether a name looks like one of its kind and of no other: consumers have names of all kinds in one list, and a domain
    /// `CN=billing` or a URI `sha256:...` must not be taken for what it is not.
    fn is_plain(self, name: &str) -> bool {
        let is_domain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*'))
        };
        match self {
            Self::Uri => name.split_once(':').is_some_and(|(scheme, _)| {
                scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                    && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
                    && !scheme.eq_ignore_ascii_case("sha256")
            }),
            Self::Dns => is_domain(name),
            Self::Email => name.rsplit_once('@').is_some_and(|(local, domain)| {
                let is_local =
                    local.bytes().all(|byte| byte.is_ascii_graphic() && !b"=:/@\",;<>".contains(&byte));
                is_local && !local.is_empty() && is_domain(domain)
            }),
            Self::Subject => name.contains('='),
            Self::Fingerprint => true,
        }
    }
}

/// Which names may pass.
pub(crate) struct Allow(Vec<(Kind, Glob)>);

impl Allow {
    pub(crate) fn new(config: AllowConfig) -> Result<Self> {
        let AllowConfig { uri, dns, email, subject } = config;
        let plain = |ends| Parts { ends, escapes: false };
        let lists = [
            (Kind::Uri, "uri", uri, plain(b"/")),
            (Kind::Dns, "dns", dns, plain(b".")),
            (Kind::Email, "email", email, plain(b"@")),
            (Kind::Subject, "subject", subject, Parts { ends: b",+", escapes: true }),
        ];
        let mut patterns = Vec::new();
        for (kind, name, list, parts) in lists {
            for pattern in list {
                // Names of domains are compared in lower case.
                let pattern = if kind == Kind::Dns { pattern.to_ascii_lowercase() } else { pattern };
                patterns.push((kind, Glob::new(&pattern, parts).context(format!("`allow.{name}`"))?));
            }
        }
        ensure!(
            !patterns.is_empty(),
            "`allow` has no pattern: leave it out if every verified certificate may pass"
        );
        ensure!(patterns.len() <= MAX_PATTERNS, "`allow` has at most {MAX_PATTERNS} patterns");
        Ok(Self(patterns))
    }

    pub(crate) fn permits(&self, shown: &Shown) -> bool {
        self.0.iter().any(|(kind, glob)| {
            shown.of(*kind).into_iter().any(|name| !name.is_empty() && glob.matches(name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_one_kind() {
        let kinds = [Kind::Uri, Kind::Dns, Kind::Email, Kind::Subject];
        for (name, kind) in [
            ("spiffe://example.org/a?b=c", Kind::Uri),
            ("urn:a@b", Kind::Uri),
            ("billing.example.org", Kind::Dns),
            ("*.example.org", Kind::Dns),
            ("a+b@example.org", Kind::Email),
            ("CN=billing", Kind::Subject),
        ] {
            let is: Vec<_> = kinds.into_iter().filter(|kind| kind.is_plain(name)).collect();
            assert!(is.contains(&kind), "{name}: {is:?}");
            // A subject is written here and not by the client, so that it cannot be given another's looks.
            assert!(is.iter().all(|other| *other == kind || *other == Kind::Subject), "{name}: {is:?}");
        }
        for (name, kind) in [
            ("sha256:00", Kind::Uri),
            ("CN=x:y", Kind::Uri),
            ("CN=x", Kind::Dns),
            ("a:b", Kind::Dns),
            ("a@b", Kind::Dns),
            ("", Kind::Dns),
            ("CN=a@example.org", Kind::Email),
            ("@example.org", Kind::Email),
            ("spiffe://a@b", Kind::Email),
            ("", Kind::Subject),
        ] {
            assert!(!kind.is_plain(name), "{name}");
        }
    }
}
