//! TLS of a listener: texts in PEM, and whom to let in. What the texts hold is for `tls/` to say.

use std::fmt;
use std::sync::Arc;

use crate::config::problem::Place;

/// How a listener speaks TLS.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListenerTls {
    /// At least one. The first is shown to clients that ask for no name.
    pub(crate) certificates: Vec<CertificatePair>,
    pub(crate) unknown_sni: UnknownSni,
    pub(crate) versions: TlsVersions,
    /// What is asked of clients, if anything.
    pub(crate) clients: Option<ClientAuth>,
    /// Upstreams are told the certificate that a client has shown (RFC 9440).
    pub(crate) forward_client_cert: bool,
}

/// A certificate with its chain, and its key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CertificatePair {
    pub(crate) cert: Pem,
    pub(crate) key: Pem,
    pub(crate) cert_place: Place,
    pub(crate) key_place: Place,
}

/// What a client gets that asks for a name of no certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UnknownSni {
    /// The first certificate.
    #[default]
    Default,
    /// No handshake.
    Refuse,
}

/// The versions that are spoken: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TlsVersions {
    pub(crate) tls12: bool,
    pub(crate) tls13: bool,
}

/// Which certificates clients have to show, or may.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClientAuth {
    pub(crate) required: bool,
    /// Authorities that are trusted to issue them.
    pub(crate) ca: Pem,
    pub(crate) ca_place: Place,
    /// Certificates that are not good any more.
    pub(crate) crl: Option<(Pem, Place)>,
}

/// A text in PEM, which may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pem(Arc<str>);

impl Pem {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem(..)")
    }
}
