//! TLS of listeners. Files that are named by their path are read here, and watched like those of `${file:...}`.

use std::io;
use std::path::Path;

use super::Resolver;
use super::at::At;
use crate::config::field::Field;
use crate::config::model::{CertificatePair, ClientAuth, ListenerTls, Pem, TlsVersions, UnknownSni};
use crate::config::raw::{RawClientAuth, RawListenerTls, RawTlsVersion, RawUnknownSni};
use crate::config::substitute::reason;

/// No certificate, chain or list is longer.
const LONGEST: u64 = 16 << 20;

impl Resolver<'_> {
    /// `None` if there is none, or it cannot be made out.
    pub(super) fn listener_tls(&mut self, at: &At<'_>, raw: &Field<RawListenerTls>) -> Option<ListenerTls> {
        let raw = self.given(at, raw)?;
        let certificates = self.certificate_pairs(at, raw);
        let clients = self.client_auth(at, raw);
        let unknown = self.given(&at.key("unknown_sni"), &raw.unknown_sni);
        let unknown_sni = match unknown {
            Some(RawUnknownSni::Refuse) => UnknownSni::Refuse,
            Some(RawUnknownSni::Default) | None => UnknownSni::Default,
        };
        let versions_at = at.key("versions");
        let spoken = self.list(&versions_at, &raw.versions);
        let speaks = |wanted| spoken.is_empty() || spoken.iter().any(|(_, version)| **version == wanted);
        let forward_at = at.key("forward_client_cert");
        let forward_client_cert = self.given(&forward_at, &raw.forward_client_cert).copied().unwrap_or(false);
        if forward_client_cert && clients.is_none() && !at.key("client_auth").is_written() {
            let message = "clients are not asked for certificates, so that there are none to forward";
            self.problems.push(forward_at.problem(message).hint("add `client_auth = \"optional\"`"));
        }
        let versions =
            TlsVersions { tls12: speaks(RawTlsVersion::Tls12), tls13: speaks(RawTlsVersion::Tls13) };
        Some(ListenerTls { certificates: certificates?, unknown_sni, versions, clients, forward_client_cert })
    }

    fn certificate_pairs(&mut self, at: &At<'_>, raw: &RawListenerTls) -> Option<Vec<CertificatePair>> {
        let mut pairs = Vec::new();
        let own = at.key("cert").is_written() || at.key("key").is_written();
        if own {
            pairs.push(self.pair(at, &raw.cert, &raw.key));
        }
        for (at, pair) in self.list(&at.key("certificates"), &raw.certificates) {
            pairs.push(self.pair(&at, &pair.cert, &pair.key));
        }
        if pairs.is_empty() && !self.is_lost(&at.key("cert")) {
            let message = "there is no certificate to show to clients";
            let hint = "add `cert = \"api.pem\", key = \"api.key\"`";
            self.problems.push(at.problem(message).hint(hint));
        }
        let pairs: Option<Vec<_>> = pairs.into_iter().collect();
        pairs.filter(|pairs| !pairs.is_empty())
    }

    fn pair(&mut self, at: &At<'_>, cert: &Field<String>, key: &Field<String>) -> Option<CertificatePair> {
        let (cert_at, key_at) = (at.key("cert"), at.key("key"));
        for (written, other) in [(&cert_at, &key_at), (&key_at, &cert_at)] {
            if written.is_written() && !other.is_written() && !self.is_lost(other) {
                let message = format!("`{}` is missing beside it", other.path());
                self.problems.push(written.problem(message));
            }
        }
        let cert = self.pem(&cert_at, cert, "a certificate");
        let key = self.private_key(&key_at, key);
        let (cert, key) = (cert?, key?);
        Some(CertificatePair { cert, key, cert_place: cert_at.place()?, key_place: key_at.head()? })
    }

    fn client_auth(&mut self, at: &At<'_>, raw: &RawListenerTls) -> Option<ClientAuth> {
        let (auth_at, ca_at, crl_at) = (at.key("client_auth"), at.key("client_ca"), at.key("client_crl"));
        let auth = self.given(&auth_at, &raw.client_auth).copied();
        for needless in [&ca_at, &crl_at] {
            if needless.is_written() && !auth_at.is_written() && !self.is_lost(&auth_at) {
                let message = "clients are not asked for certificates";
                let hint = "add `client_auth = \"required\"` or `client_auth = \"optional\"`";
                self.problems.push(needless.problem(message).hint(hint));
            }
        }
        if auth_at.is_written() && !ca_at.is_written() && !self.is_lost(&ca_at) {
            let message = "nobody is trusted to issue certificates of clients";
            self.problems.push(auth_at.problem(message).hint("add `client_ca = \"partners.pem\"`"));
        }
        let ca = self.pem(&ca_at, &raw.client_ca, "a certificate");
        let crl = self.pem(&crl_at, &raw.client_crl, "a revocation list");
        let crl = crl.and_then(|crl| Some((crl, crl_at.place()?)));
        Some(ClientAuth {
            required: auth? == RawClientAuth::Required,
            ca: ca?,
            ca_place: ca_at.place()?,
            crl,
        })
    }

    /// A text in PEM, or the file that has it.
    fn pem(&mut self, at: &At<'_>, field: &Field<String>, what: &str) -> Option<Pem> {
        let text = self.given(at, field)?;
        if text.contains("-----BEGIN ") {
            return Some(Pem::new(text));
        }
        if at.is_substituted() || text.contains('\n') {
            let expected = format!("{what} in PEM");
            self.invalid(at, &expected, &format!("expected {expected}"), None);
            return None;
        }
        let path = at.resolve_path(text);
        self.named_files.push(path.clone());
        match read(&path) {
            Ok(text) => Some(Pem::new(&text)),
            Err(error) => {
                let message = format!("cannot read `{}`: {}", path.display(), reason(&error));
                self.problems.push(at.problem(message));
                None
            }
        }
    }

    fn private_key(&mut self, at: &At<'_>, field: &Field<String>) -> Option<Pem> {
        let text = self.given(at, field)?;
        if text.contains("-----BEGIN ") && !at.is_substituted() {
            let mut problem = at.problem("a private key stands in the configuration itself");
            problem.place = at.head();
            self.problems.push(problem.hint("keep it in a file of its own: `key = \"api.key\"`"));
            return None;
        }
        self.pem(at, field, "a private key")
    }
}

fn read(path: &Path) -> io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 16 MiB"));
    }
    std::fs::read_to_string(path)
}
