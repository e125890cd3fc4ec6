//! A client that speaks TLS and says what it is given, a certificate authority, and what they make.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedProtocolVersion,
    version,
};

use crate::harness::wait::DEADLINE;

/// Issues certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
    serial: SerialNumber,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Made out to these names.
    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        self.issue_until(names, 2096)
    }

    /// Until the first day of that year.
    pub(crate) fn issue_until(&self, names: &[&str], year: i32) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let serial = SerialNumber::from(rand());
        params.serial_number = Some(serial.clone());
        params.not_after = date_time_ymd(year, 1, 1);
        params.distinguished_name.push(DnType::CommonName, "client");
        let key = KeyPair::generate().unwrap();
        Pair { cert: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem(), serial }
    }

    /// Says that these are good no more, in PEM.
    pub(crate) fn revoke(&self, pairs: &[&Pair]) -> String {
        let revoked = pairs.iter().map(|pair| RevokedCertParams {
            serial_number: pair.serial.clone(),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2096, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

fn rand() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0) >> 1
}

/// How a client shakes hands.
#[derive(Clone)]
pub(super) struct Client {
    config: Arc<ClientConfig>,
}

/// A connection over TLS.
pub(super) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// An answer: status and body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Client {
    pub(super) fn new(authority: &Authority) -> Self {
        Self::with(authority, &[], None, &[&version::TLS12, &version::TLS13])
    }

    /// With what it offers by ALPN, what it shows and the versions that it speaks.
    pub(super) fn with(
        authority: &Authority,
        alpn: &[&str],
        shows: Option<&Pair>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots);
        let mut config = match shows {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain: Vec<_> =
                    CertificateDer::pem_slice_iter(pair.cert.as_bytes()).map(Result::unwrap).collect();
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self { config: Arc::new(config) }
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// Shakes hands with whom it knows as `name`, to the end.
    pub(super) fn connect(&self, address: SocketAddr, name: &str) -> io::Result<Tls> {
        self.over(TcpStream::connect(address)?, name)
    }

    /// Likewise on a connection that is there.
    pub(super) fn over(&self, stream: TcpStream, name: &str) -> io::Result<Tls> {
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(self.config(), name).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(connection, stream);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        Ok(tls)
    }

    /// Asks once on a connection of its own.
    pub(super) fn ask(&self, address: SocketAddr, host: &str) -> io::Result<Answer> {
        ask(&mut self.connect(address, host)?, host)
    }
}

/// Asks for `/` on a connection.
pub(super) fn ask(tls: &mut Tls, host: &str) -> io::Result<Answer> {
    tls.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())?;
    read(tls)
}

/// Reads an answer with a length.
pub(super) fn read(tls: &mut Tls) -> io::Result<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tls.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?.to_ascii_lowercase();
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    tls.read_exact(&mut body)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Whether a connection took up an earlier session.
pub(super) fn is_resumed(tls: &Tls) -> bool {
    tls.conn.handshake_kind() == Some(HandshakeKind::Resumed)
}
