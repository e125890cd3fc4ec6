//! TLS as a client, for the control side: whom the system trusts, and whom the operator adds.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsConnector, rustls};

/// Why there is no TLS connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("no certificate in PEM can be read from the CA file: {0}")]
    Authority(String),
    #[error("there is no certificate authority to trust: {0}")]
    NoRoots(String),
    #[error("`{0}` is no name that a certificate can have")]
    Name(String),
    #[error("the TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
    #[error("no TLS handshake within {0:?}")]
    Late(Duration),
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// Makes TLS connections. The system's roots are read when the first one is made.
pub(crate) struct Connector {
    added: Vec<CertificateDer<'static>>,
    /// What is offered by ALPN.
    protocol: Option<&'static [u8]>,
    ready: OnceCell<TlsConnector>,
}

impl Connector {
    /// Speaks HTTP/1.1. Trusts the system's authorities and those of `ca`, in PEM.
    pub(crate) fn new(ca: Option<&[u8]>) -> Result<Self, TlsError> {
        let added = ca.map(authorities).transpose()?.unwrap_or_default();
        Ok(Self { added, protocol: Some(b"http/1.1"), ready: OnceCell::new() })
    }

    /// The same for a protocol that has no name in ALPN.
    pub(crate) fn unnamed(ca: Option<&[u8]>) -> Result<Self, TlsError> {
        Ok(Self { protocol: None, ..Self::new(ca)? })
    }

    /// Shakes hands over `stream` with whom a certificate calls `host`.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
        within: Duration,
    ) -> Result<TlsStream<TcpStream>, TlsError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name(host.to_owned()))?;
        let connector = self.ready.get_or_try_init(|| setup(self.added.clone(), self.protocol)).await?;
        match tokio::time::timeout(within, connector.connect(name, stream)).await {
            Ok(shaken) => shaken.map_err(TlsError::Handshake),
            Err(_) => Err(TlsError::Late(within)),
        }
    }
}

/// The certificates of a PEM file, of which each can be an authority and one is there.
fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| TlsError::Authority(error.to_string()))?;
    if found.is_empty() {
        return Err(TlsError::Authority("it holds none".to_owned()));
    }
    let mut store = RootCertStore::empty();
    for certificate in &found {
        store.add(certificate.clone()).map_err(|error| TlsError::Authority(error.to_string()))?;
    }
    Ok(found)
}

async fn setup(
    added: Vec<CertificateDer<'static>>,
    protocol: Option<&[u8]>,
) -> Result<TlsConnector, TlsError> {
    // Reads some hundred files on some systems.
    let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
    let loaded = loaded.await.map_err(|error| TlsError::Setup(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    roots.add_parsable_certificates(added);
    if roots.is_empty() {
        let why = loaded.errors.first().map_or_else(|| "the system has none".to_owned(), ToString::to_string);
        return Err(TlsError::NoRoots(why));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| TlsError::Setup(error.to_string()))?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocol.into_iter().map(<[u8]>::to_vec).collect();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Authority;
    use super::*;

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let authority = Authority::new();
        assert!(Connector::new(None).is_ok());
        assert!(Connector::new(Some(authority.pem().as_bytes())).is_ok());
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "hello", broken, "-----BEGIN CERTIFICATE-----\n!"] {
            assert!(matches!(Connector::new(Some(pem.as_bytes())), Err(TlsError::Authority(_))), "{pem}");
        }
    }

    /// Shakes hands with a server whose certificate `signer` made out to `name`; what they agree to speak.
    async fn shake(
        connector: &Connector,
        signer: &Authority,
        name: &str,
        host: &str,
    ) -> Result<Option<Vec<u8>>, TlsError> {
        let acceptor = signer.acceptor(name);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let server = async { acceptor.accept(accepted).await.map(drop) };
        let client = connector.connect(host, stream, Duration::from_secs(10));
        let (_, shaken) = tokio::join!(server, client);
        Ok(shaken?.get_ref().1.alpn_protocol().map(<[u8]>::to_vec))
    }

    #[tokio::test]
    async fn only_who_is_trusted_and_has_the_name_is_shaken_hands_with() {
        let (trusted, other) = (Authority::new(), Authority::new());
        let connector = Connector::new(Some(trusted.pem().as_bytes())).unwrap();
        for name in ["localhost", "127.0.0.1"] {
            let spoken = shake(&connector, &trusted, name, name).await.unwrap();
            assert_eq!(spoken.as_deref(), Some(&b"http/1.1"[..]));
        }
        let refused = shake(&connector, &trusted, "localhost", "example.com").await;
        assert!(matches!(refused, Err(TlsError::Handshake(_))), "{refused:?}");
        let refused = shake(&connector, &other, "localhost", "localhost").await;
        assert!(matches!(refused, Err(TlsError::Handshake(_))), "{refused:?}");
        let refused = shake(&connector, &trusted, "localhost", "no name").await;
        assert!(matches!(refused, Err(TlsError::Name(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn what_has_no_name_is_not_called_http() {
        let authority = Authority::new();
        let connector = Connector::unnamed(Some(authority.pem().as_bytes())).unwrap();
        assert_eq!(shake(&connector, &authority, "localhost", "localhost").await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_given_up() {
        let authority = Authority::new();
        let connector = Connector::new(Some(authority.pem().as_bytes())).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let late = connector.connect("localhost", stream, Duration::from_secs(5)).await;
        assert!(matches!(late, Err(TlsError::Late(_))), "{late:?}");
    }
}
