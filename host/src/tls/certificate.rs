//! A certificate with its chain and key: read, matched, and what it says about itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// How long before its end a certificate is warned of.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is wrong with a pair.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum PairError {
    #[error("{0}")]
    Certificate(String),
    #[error("{0}")]
    Key(String),
}

/// A certificate that can be served.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(super) certified: Arc<CertifiedKey>,
    pub(crate) names: Names,
    not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

/// Whom a certificate is made out to, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(super) exact: Vec<String>,
    /// Of `*.example` this is `example`.
    pub(super) wildcard: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Identity {
    /// Reads a chain, the leaf first, and its key, both in PEM.
    pub(super) fn read(chain: &str, key: &str) -> Result<Self, PairError> {
        let chain = certificates(chain).map_err(PairError::Certificate)?;
        let wrong = |text: &str| PairError::Certificate(text.to_owned());
        let parsed: Result<Vec<Certificate>, _> =
            chain.iter().map(|der| Certificate::from_der(der)).collect();
        let parsed =
            parsed.map_err(|error| PairError::Certificate(format!("it is no certificate: {error}")))?;
        let leaf = parsed.first().ok_or_else(|| wrong("there is no certificate in it"))?;
        for (index, pair) in parsed.windows(2).enumerate() {
            if pair[0].tbs_certificate().issuer() != pair[1].tbs_certificate().subject() {
                let (first, second) = (index + 1, index + 2);
                let message = format!(
                    "its chain is out of order: certificate {first} was not issued by certificate {second}"
                );
                return Err(PairError::Certificate(message));
            }
        }
        let names = Names::of(leaf).map_err(PairError::Certificate)?;
        let validity = leaf.tbs_certificate().validity();
        let (begin, end) = (validity.not_before.to_unix_duration(), validity.not_after.to_unix_duration());
        let certified = CertifiedKey::new(chain, signing_key(key)?);
        certified
            .keys_match()
            .map_err(|_| PairError::Key("it is the key of another certificate".to_owned()))?;
        Ok(Self {
            certified: Arc::new(certified),
            names,
            not_before: UNIX_EPOCH + begin,
            not_after: UNIX_EPOCH + end,
        })
    }

    /// What there is to say about its time, at `now`.
    pub(super) fn doubt(&self, now: SystemTime) -> Option<String> {
        let days = |time: Duration| time.as_secs() / (24 * 3600);
        let named = self.names.first();
        if let Ok(early) = self.not_before.duration_since(now)
            && !early.is_zero()
        {
            return Some(format!("the certificate of {named} is valid in {} days only", days(early) + 1));
        }
        match self.not_after.duration_since(now) {
            Ok(left) if left < SOON => {
                Some(format!("the certificate of {named} expires in {} days", days(left)))
            }
            Ok(_) => None,
            Err(late) => {
                Some(format!("the certificate of {named} expired {} days ago", days(late.duration())))
            }
        }
    }
}

/// The certificates of a text in PEM.
pub(super) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|error| format!("it is no PEM: {error}"))?;
    if found.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(found) }
}

fn signing_key(pem: &str) -> Result<Arc<dyn tokio_rustls::rustls::sign::SigningKey>, PairError> {
    let wrong = |text: String| PairError::Key(text);
    if pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || pem.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(wrong("it is encrypted, and nobody could be asked for its password".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| match error {
        PemError::NoItemsFound => wrong("there is no private key in it".to_owned()),
        // Nothing of the text may come into a message.
        _ => wrong("it is no private key in PEM".to_owned()),
    })?;
    any_supported_type(&key).map_err(|_| {
        wrong("it is no key that can be used: RSA of 2048 bits or more, ECDSA or Ed25519".to_owned())
    })
}

impl Names {
    fn of(leaf: &Certificate) -> Result<Self, String> {
        let found = leaf.tbs_certificate().get_extension::<SubjectAltName>();
        let found = found.map_err(|error| format!("its names cannot be read: {error}"))?;
        let mut names = Self::default();
        for name in found.map(|(_, names)| names.0).unwrap_or_default() {
            match name {
                GeneralName::DnsName(name) => {
                    let name = name.as_str().to_ascii_lowercase();
                    match name.strip_prefix("*.") {
                        Some(rest) => names.wildcard.push(rest.to_owned()),
                        None => names.exact.push(name),
                    }
                }
                GeneralName::IpAddress(bytes) => names.addresses.extend(address(bytes.as_bytes())),
                _ => {}
            }
        }
        if names == Self::default() {
            return Err("it is made out to nobody: clients look for names in `subjectAltName`".to_owned());
        }
        Ok(names)
    }

    /// Whether it is made out to `host`, a name in lower case or an address, in brackets or not (RFC 9525 section 6.3).
    pub(crate) fn cover(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let wild =
            || host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && self.is_wild(rest));
        self.exact.iter().any(|name| name == host) || wild()
    }

    fn is_wild(&self, rest: &str) -> bool {
        self.wildcard.iter().any(|name| name == rest)
    }

    /// All of them, as they are written.
    pub(crate) fn all(&self) -> Vec<String> {
        let wild = self.wildcard.iter().map(|name| format!("*.{name}"));
        let addresses = self.addresses.iter().map(ToString::to_string);
        self.exact.iter().cloned().chain(wild).chain(addresses).collect()
    }

    fn first(&self) -> String {
        self.all().first().map(|name| format!("`{name}`")).unwrap_or_default()
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(bytes));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Authority;
    use super::*;

    #[test]
    fn a_pair_is_read_and_matched() {
        let authority = Authority::new();
        let (cert, key) = authority.certify("a.example");
        let identity = Identity::read(&cert, &key).unwrap();
        assert_eq!(identity.names.all(), ["a.example"]);
        let chain = cert.clone() + &authority.pem();
        assert_eq!(Identity::read(&chain, &key).unwrap().certified.cert.len(), 2);
        let (other, _) = authority.certify("b.example");
        let wrong = |cert: &str, key: &str| Identity::read(cert, key).unwrap_err().to_string();
        assert_eq!(wrong(&other, &key), "it is the key of another certificate");
        assert!(wrong(&(other.clone() + &cert), &key).starts_with("its chain is out of order"));
        assert_eq!(wrong("", &key), "there is no certificate in it");
        assert_eq!(wrong(&key, &key), "there is no certificate in it");
        assert_eq!(wrong(&cert, &cert), "there is no private key in it");
        let broken = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n";
        assert!(!wrong(&cert, broken).contains("secret"));
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(wrong(&cert, locked).starts_with("it is encrypted"));
    }

    #[test]
    fn its_end_is_told_of_in_time() {
        let (cert, key) = Authority::new().certify("a.example");
        let identity = Identity::read(&cert, &key).unwrap();
        let day = Duration::from_secs(24 * 3600);
        let (begin, end) = (identity.not_before, identity.not_after);
        assert_eq!(identity.doubt(end - day * 31), None);
        let said = |now| identity.doubt(now).unwrap();
        assert_eq!(said(end - day * 3), "the certificate of `a.example` expires in 3 days");
        assert_eq!(said(end + day * 2), "the certificate of `a.example` expired 2 days ago");
        assert_eq!(said(begin - day), "the certificate of `a.example` is valid in 2 days only");
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let names = Names {
            exact: vec!["a.example".to_owned()],
            wildcard: vec!["b.example".to_owned()],
            addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        };
        for host in ["a.example", "x.b.example", "192.0.2.1", "[2001:db8::1]", "2001:db8::1"] {
            assert!(names.cover(host), "{host}");
        }
        for host in ["b.example", "x.y.b.example", ".b.example", "x.a.example", "192.0.2.2", "", "[::1]"] {
            assert!(!names.cover(host), "{host}");
        }
    }
}
