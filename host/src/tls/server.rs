//! TLS as a server: which certificate is shown to whom, which clients have to show one, and how a handshake ends.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::certificate::{Identity, PairError, certificates};
use super::session::Sessions;
use crate::config::{ClientAuth, ListenerTls, Problem, Protocols, UnknownSni};

/// A connection after its handshake.
pub(crate) type ServerStream = TlsStream<TcpStream>;

/// Shakes hands with the clients of a listener.
pub(crate) struct Acceptor {
    acceptor: TlsAcceptor,
    identities: Arc<Identities>,
}

/// What a handshake has told.
#[derive(Debug)]
pub(crate) struct Secured {
    /// The name that the client asked for, in lower case.
    name: Option<Box<str>>,
    identity: Arc<Identity>,
    /// What both have agreed to speak, if the client offered anything.
    pub(crate) protocol: Option<Agreed>,
    /// The certificate that the client has shown, and that was verified, in DER; then those that led to its authority.
    pub(crate) client: Vec<Arc<[u8]>>,
}

/// A protocol that was agreed upon by ALPN (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreed {
    Http1,
    Http2,
}

const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// Why a handshake failed, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HandshakeFailure(pub(crate) &'static str);

/// The certificates of a listener by name.
#[derive(Debug)]
struct Identities {
    all: Vec<Arc<Identity>>,
    exact: HashMap<String, usize>,
    wildcard: HashMap<String, usize>,
    unknown: UnknownSni,
}

impl Identities {
    fn new(all: Vec<Arc<Identity>>, unknown: UnknownSni) -> Self {
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        for (index, identity) in all.iter().enumerate() {
            // The first of two that have a name is the one that was written first.
            for name in &identity.names.exact {
                exact.entry(name.clone()).or_insert(index);
            }
            for name in &identity.names.wildcard {
                wildcard.entry(name.clone()).or_insert(index);
            }
        }
        Self { all, exact, wildcard, unknown }
    }

    /// Whom to be for a client that asks for `name`, in lower case.
    fn find(&self, name: Option<&str>) -> Option<&Arc<Identity>> {
        let Some(name) = name else { return self.all.first() };
        let wild = || name.split_once('.').and_then(|(_, rest)| self.wildcard.get(rest));
        match self.exact.get(name).or_else(wild) {
            Some(index) => self.all.get(*index),
            None if self.unknown == UnknownSni::Default => self.all.first(),
            None => None,
        }
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        self.find(name.as_deref()).map(|identity| Arc::clone(&identity.certified))
    }
}

impl Acceptor {
    /// Reads and matches everything; second, what there is to warn of at `now`.
    ///
    /// # Errors
    /// With every problem of its certificates, keys, authorities and lists, each at its place.
    pub(crate) fn new(
        settings: &ListenerTls,
        protocols: Protocols,
        sessions: &mut Sessions,
        now: SystemTime,
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let (mut problems, mut warnings, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for pair in &settings.certificates {
            match Identity::read(pair.cert.text(), pair.key.text()) {
                Ok(identity) => {
                    let doubt = identity.doubt(now);
                    warnings.extend(doubt.map(|doubt| Problem::new(doubt).at(pair.cert_place.clone())));
                    all.push(Arc::new(identity));
                }
                Err(error) => {
                    let (what, place) = match &error {
                        PairError::Certificate(_) => ("certificate", &pair.cert_place),
                        PairError::Key(_) => ("key", &pair.key_place),
                    };
                    let message = format!("the {what} cannot be used: {error}");
                    problems.push(Problem::new(message).at(place.clone()));
                }
            }
        }
        let provider = Arc::new(default_provider());
        let verifier = settings.clients.as_ref().map(|clients| verifier(clients, &provider)).transpose();
        let verifier = verifier.unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let setup = |error: rustls::Error| vec![Problem::new(format!("TLS cannot be set up: {error}"))];
        let versions: Vec<_> = [(settings.versions.tls12, &TLS12), (settings.versions.tls13, &TLS13)]
            .into_iter()
            .filter_map(|(spoken, version)| spoken.then_some(version))
            .collect();
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions);
        let builder = builder.map_err(setup)?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let identities = Arc::new(Identities::new(all, settings.unknown_sni));
        let mut config = builder.with_cert_resolver(Arc::clone(&identities) as Arc<dyn ResolvesServerCert>);
        let spoken = [(protocols.h2, HTTP2), (protocols.h1, HTTP1)];
        config.alpn_protocols =
            spoken.into_iter().filter(|(spoken, _)| *spoken).map(|(_, name)| name.to_vec()).collect();
        // Sessions are in tickets alone: nothing is shared between workers but the key that they are sealed with.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = sessions.ticketer(settings.clients.as_ref()).map_err(setup)?;
        Ok((Self { acceptor: TlsAcceptor::from(Arc::new(config)), identities }, warnings))
    }

    /// When the first of its certificates ends.
    pub(crate) fn first_end(&self) -> SystemTime {
        self.identities().map(|identity| identity.not_after).min().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Its certificates, the default one first.
    pub(crate) fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.identities.all.iter().map(AsRef::as_ref)
    }

    /// Shakes hands.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        within: Duration,
    ) -> Result<(ServerStream, Secured), HandshakeFailure> {
        match tokio::time::timeout(within, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let secured = self.told(&stream).ok_or(HandshakeFailure("tls-unknown-name"))?;
                Ok((stream, secured))
            }
            Ok(Err(error)) => Err(HandshakeFailure(reason(&error))),
            Err(_) => Err(HandshakeFailure("tls-timeout")),
        }
    }

    fn told(&self, stream: &ServerStream) -> Option<Secured> {
        let (_, session) = stream.get_ref();
        let name = session.server_name().map(str::to_ascii_lowercase);
        let identity = Arc::clone(self.identities.find(name.as_deref())?);
        let protocol = session.alpn_protocol().map(|name| match name {
            HTTP2 => Agreed::Http2,
            _ => Agreed::Http1,
        });
        let client = session.peer_certificates().unwrap_or_default();
        let client = client.iter().map(|der| Arc::from(&**der)).collect();
        Some(Secured { name: name.map(Into::into), identity, protocol, client })
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.identities().map(|identity| identity.names.all())).finish()
    }
}

impl Secured {
    /// Whether the client may ask for `host` on this connection: the name that it asked for when it came, or one that the certificate it
    /// was shown is made out to (RFC 9110 section 7.4). One that asked for no name may ask for any.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let Some(name) = &self.name else { return true };
        let host = host.strip_suffix('.').unwrap_or(host);
        name.eq_ignore_ascii_case(host) || self.identity.names.cover(&host.to_ascii_lowercase())
    }
}

fn verifier(
    clients: &ClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, Problem> {
    let wrong = |what: &str, why: String, place: &crate::config::Place| {
        Problem::new(format!("the {what} cannot be used: {why}")).at(place.clone())
    };
    let authority = |why: String| wrong("certificate authority of clients", why, &clients.ca_place);
    let mut roots = RootCertStore::empty();
    for certificate in certificates(clients.ca.text()).map_err(authority)? {
        roots.add(certificate).map_err(|error| authority(error.to_string()))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    if let Some((pem, place)) = &clients.crl {
        use rustls::pki_types::CertificateRevocationListDer;
        use rustls::pki_types::pem::PemObject as _;
        let list = |why: String| wrong("revocation list", why, place);
        let lists: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(pem.text().as_bytes()).collect();
        let lists = lists.map_err(|error| list(format!("it is no PEM: {error}")))?;
        if lists.is_empty() {
            return Err(list("there is no list in it".to_owned()));
        }
        // An authority that has no list has revoked nothing that could be known of.
        builder =
            builder.with_crls(lists).only_check_end_entity_revocation().allow_unknown_revocation_status();
    }
    if !clients.required {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|error| match &clients.crl {
        Some((_, place)) => wrong("revocation list", error.to_string(), place),
        None => authority(error.to_string()),
    })
}

/// What went wrong, as one of a few words.
fn reason(error: &io::Error) -> &'static str {
    use rustls::Error;
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) {
        Some(Error::NoApplicationProtocol) => "tls-alpn",
        Some(Error::NoCertificatesPresented | Error::InvalidCertificate(_)) => "tls-client-certificate",
        Some(Error::InvalidCertRevocationList(_)) => "tls-client-certificate",
        Some(Error::PeerIncompatible(_)) => "tls-incompatible",
        Some(Error::AlertReceived(_)) => "tls-alert",
        // What rustls says where no certificate was found.
        Some(Error::General(_)) => "tls-unknown-name",
        Some(_) => "tls-malformed",
        None => "tls-closed",
    }
}
