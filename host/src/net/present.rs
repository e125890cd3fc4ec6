//! Which of the fields that the gateway itself handles a head has. Found in one pass over the names, so that each of the many
//! that are absent costs no lookup.

use http::{HeaderMap, HeaderName};

/// A set of [`Field`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Present(u16);

/// A field that belongs to one connection, or that tells who came by which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Field {
    Connection = 1,
    KeepAlive = 1 << 1,
    ProxyConnection = 1 << 2,
    Te = 1 << 3,
    TransferEncoding = 1 << 4,
    Upgrade = 1 << 5,
    Expect = 1 << 6,
    ProxyAuthorization = 1 << 7,
    ProxyAuthenticate = 1 << 8,
    Forwarded = 1 << 9,
    /// Any `x-forwarded-…`, and other names under which proxies tell who came.
    XForwarded = 1 << 10,
    /// `client-cert` or `client-cert-chain` (RFC 9440).
    ClientCert = 1 << 11,
    /// By which the upstream learns who is asking: `x-consumer-…`, `x-credential-identifier`, `x-anonymous-consumer`.
    Identity = 1 << 12,
    /// Such a name, or one that tells who came by which way, written with `_` for `-`. Many a server takes one for the other.
    Disguised = 1 << 13,
    /// By which some servers take another path than the one that is asked for: `x-original-url`, `x-rewrite-url`.
    OtherPath = 1 << 14,
}

impl Present {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self(headers.keys().filter_map(field).fold(0, |set, field| set | field as u16))
    }

    pub(crate) const fn has(self, field: Field) -> bool {
        self.0 & field as u16 != 0
    }
}

/// Whether a client that nobody vouches for has no say in a field: it tells who is asking, or who came by which way.
pub(crate) fn is_claim(name: &HeaderName) -> bool {
    use Field::{ClientCert, Disguised, Forwarded, Identity, OtherPath, XForwarded};
    matches!(field(name), Some(Forwarded | XForwarded | ClientCert | Identity | Disguised | OtherPath))
}

/// Whether a name is a [`Field::Disguised`] one.
pub(crate) fn is_disguised(name: &HeaderName) -> bool {
    field(name) == Some(Field::Disguised)
}

/// Whether a name is a [`Field::XForwarded`].
pub(crate) fn is_forwarding(name: &HeaderName) -> bool {
    field(name) == Some(Field::XForwarded)
}

/// Whether a name is a [`Field::Identity`].
pub(crate) fn is_identity(name: &HeaderName) -> bool {
    field(name) == Some(Field::Identity)
}

fn field(name: &HeaderName) -> Option<Field> {
    use Field::{ClientCert, Disguised, Forwarded, Identity, OtherPath, XForwarded};
    let name = name.as_str();
    if !name.as_bytes().contains(&b'_') {
        return plain(name);
    }
    let read = plain(&name.replace('_', "-"))?;
    matches!(read, Forwarded | XForwarded | ClientCert | Identity | OtherPath).then_some(Disguised)
}

/// The length tells almost every other name apart.
fn plain(name: &str) -> Option<Field> {
    match name.len() {
        2 if name == "te" => Some(Field::Te),
        6 if name == "expect" => Some(Field::Expect),
        7 if name == "upgrade" => Some(Field::Upgrade),
        9 if name == "forwarded" => Some(Field::Forwarded),
        9 if name == "x-real-ip" => Some(Field::XForwarded),
        11 if name == "x-client-ip" => Some(Field::XForwarded),
        13 if name == "x-rewrite-url" => Some(Field::OtherPath),
        14 if name == "x-original-url" => Some(Field::OtherPath),
        14 if name == "true-client-ip" => Some(Field::XForwarded),
        19 if name == "x-cluster-client-ip" => Some(Field::XForwarded),
        10 if name == "connection" => Some(Field::Connection),
        10 if name == "keep-alive" => Some(Field::KeepAlive),
        11 if name == "client-cert" => Some(Field::ClientCert),
        16 if name == "proxy-connection" => Some(Field::ProxyConnection),
        17 if name == "client-cert-chain" => Some(Field::ClientCert),
        17 if name == "transfer-encoding" => Some(Field::TransferEncoding),
        18 if name == "proxy-authenticate" => Some(Field::ProxyAuthenticate),
        19 if name == "proxy-authorization" => Some(Field::ProxyAuthorization),
        20 if name == "x-anonymous-consumer" => Some(Field::Identity),
        23 if name == "x-credential-identifier" => Some(Field::Identity),
        11.. if name.starts_with("x-consumer-") => Some(Field::Identity),
        12.. if name.starts_with("x-forwarded-") => Some(Field::XForwarded),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_and_nothing_else() {
        let all = [
            ("connection", Field::Connection),
            ("keep-alive", Field::KeepAlive),
            ("proxy-connection", Field::ProxyConnection),
            ("te", Field::Te),
            ("transfer-encoding", Field::TransferEncoding),
            ("upgrade", Field::Upgrade),
            ("expect", Field::Expect),
            ("proxy-authorization", Field::ProxyAuthorization),
            ("proxy-authenticate", Field::ProxyAuthenticate),
            ("forwarded", Field::Forwarded),
            ("x-forwarded-for", Field::XForwarded),
            ("x-forwarded-", Field::XForwarded),
            ("client-cert", Field::ClientCert),
            ("client-cert-chain", Field::ClientCert),
            ("x-consumer-username", Field::Identity),
            ("x-credential-identifier", Field::Identity),
            ("x-anonymous-consumer", Field::Identity),
            ("x_consumer_username", Field::Disguised),
            ("x-consumer_groups", Field::Disguised),
            ("x_forwarded-for", Field::Disguised),
            ("client_cert", Field::Disguised),
        ];
        for (name, expected) in all {
            let mut headers = HeaderMap::new();
            headers.insert("accept", "x".parse().unwrap());
            headers.insert(HeaderName::from_static(name), "x".parse().unwrap());
            assert_eq!(Present::of(&headers), Present(expected as u16), "{name}");
            assert!(Present::of(&headers).has(expected));
        }
        for name in [
            "t",
            "via",
            "host",
            "x-forwarded",
            "content-length",
            "transfer-encodinh",
            "api_key",
            "transfer_encoding",
        ] {
            assert_eq!(field(&HeaderName::from_static(name)), None);
        }
    }
}
