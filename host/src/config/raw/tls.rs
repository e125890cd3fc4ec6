//! What was written: TLS of a listener.

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use crate::config::field::Field;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "ListenerTls")]
#[schemars(extend("x-expected" = "a table such as { cert = \"api.pem\", key = \"api.key\" }"))]
pub(in crate::config) struct RawListenerTls {
    /// The certificate and those that lead to its authority, in PEM: a path from this file, or `${file:...}`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["certificate", "chain", "crt"]))]
    pub(in crate::config) cert: Field<String>,
    /// Its private key, in PEM and not encrypted, likewise.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["private_key"]))]
    pub(in crate::config) key: Field<String>,
    /// Further certificates. The client's server name (SNI) chooses: an exact name before a wildcard, and the first certificate for no
    /// name.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["certs"]))]
    pub(in crate::config) certificates: List<RawCertificatePair>,
    /// For a server name that no certificate has: the first certificate, or no handshake. Default: "default".
    #[serde(default)]
    pub(in crate::config) unknown_sni: Field<RawUnknownSni>,
    /// Default: both.
    #[serde(default)]
    #[schemars(length(min = 1), extend("x-aliases" = ["version", "protocols"]))]
    pub(in crate::config) versions: List<RawTlsVersion>,
    /// Whether clients may show a certificate, or have to. Default: they are not asked.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["client_certificate", "verify_client"]))]
    pub(in crate::config) client_auth: Field<RawClientAuth>,
    /// The authorities that issue certificates of clients, in PEM, likewise.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["ca", "client_cas"]))]
    pub(in crate::config) client_ca: Field<String>,
    /// Lists of certificates that are revoked, in PEM, likewise.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["crl"]))]
    pub(in crate::config) client_crl: Field<String>,
    /// Whether upstreams are told the client's certificate, in `Client-Cert` and `Client-Cert-Chain`. Default: false.
    #[serde(default)]
    pub(in crate::config) forward_client_cert: Field<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "CertificatePair")]
#[schemars(extend("x-expected" = "a table such as { cert = \"api.pem\", key = \"api.key\" }"))]
pub(in crate::config) struct RawCertificatePair {
    /// As `cert` of the listener.
    #[schemars(extend("x-aliases" = ["certificate", "chain", "crt"]))]
    pub(in crate::config) cert: Field<String>,
    /// As `key` of the listener.
    #[schemars(extend("x-aliases" = ["private_key"]))]
    pub(in crate::config) key: Field<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawUnknownSni {
    Default,
    Refuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::config) enum RawTlsVersion {
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawClientAuth {
    Optional,
    Required,
}
