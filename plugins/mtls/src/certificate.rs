//! What a certificate says, as far as it is needed here.

use std::time::Duration;

use x509_cert::Certificate as X509;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};
use x509_cert::ext::Extension;

use crate::subject;

/// The longest certificate.
const MAX_CERTIFICATE: usize = 64 << 10;
/// Alternative names of one certificate.
const MAX_NAMES: usize = 64;
/// Bytes of one name. SPIFFE has the most, 2,048.
const MAX_NAME: usize = 2048;
/// Bytes of all names: each is compared with each pattern.
const MAX_ALL_NAMES: usize = 8 << 10;

const SUBJECT_ALT_NAME: &str = "2.5.29.17";

/// A certificate that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Certificate {
    /// Since 1970.
    pub(crate) not_before: Duration,
    pub(crate) not_after: Duration,
    /// Hexadecimal digits.
    pub(crate) serial: String,
    /// RFC 4514; empty if there is none.
    pub(crate) subject: String,
    pub(crate) uris: Vec<String>,
    /// Lower case.
    pub(crate) dns: Vec<String>,
    /// The domain in lower case.
    pub(crate) emails: Vec<String>,
}

impl Certificate {
    /// Reads one; none if it is malformed, or says something that could be understood in two ways.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        if der.len() > MAX_CERTIFICATE {
            return None;
        }
        let x509 = X509::from_der(der).ok()?;
        let tbs = x509.tbs_certificate();
        let subject = subject::write(tbs.subject())?;
        if subject.len() > MAX_NAME {
            return None;
        }
        let mut certificate = Self {
            not_before: tbs.validity().not_before.to_unix_duration(),
            not_after: tbs.validity().not_after.to_unix_duration(),
            serial: serial(tbs.serial_number().as_bytes()),
            subject,
            ..Self::default()
        };
        let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        let mut names = extensions.iter().filter(|extension| is_alt_name(extension));
        if let Some(extension) = names.next() {
            certificate.read_names(extension.extn_value.as_bytes())?;
        }
        // RFC 5280 section 4.2: not twice. The SPIFFE X.509-SVID specification, section 2: one URI.
        let is_spiffe = certificate
            .uris
            .iter()
            .any(|uri| uri.get(..7).is_some_and(|s| s.eq_ignore_ascii_case("spiffe:")));
        let is_ambiguous = names.next().is_some() || (is_spiffe && certificate.uris.len() > 1);
        (!is_ambiguous).then_some(certificate)
    }

    /// `GeneralNames` (RFC 5280 section 4.2.1.6). Kinds that nobody asks for are passed over.
    fn read_names(&mut self, der: &[u8]) -> Option<()> {
        let sequence = AnyRef::from_der(der).ok()?;
        if sequence.tag() != Tag::Sequence || der.len() > MAX_ALL_NAMES {
            return None;
        }
        let mut reader = SliceReader::new(sequence.value()).ok()?;
        for count in 0.. {
            if reader.is_finished() {
                break;
            }
            let name = AnyRef::decode(&mut reader).ok().filter(|_| count < MAX_NAMES)?;
            let Tag::ContextSpecific { constructed, number } = name.tag() else { return None };
            let list = match number.value() {
                1 => &mut self.emails,
                2 => &mut self.dns,
                6 => &mut self.uris,
                _ => continue,
            };
            // A NUL in a name has ended it for some and not for others.
            let text = std::str::from_utf8(name.value()).ok();
            let text = text.filter(|text| {
                !constructed
                    && text.len() <= MAX_NAME
                    && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
            })?;
            list.push(match number.value() {
                1 => email(text),
                2 => text.to_ascii_lowercase(),
                _ => text.to_owned(),
            });
        }
        Some(())
    }
}

fn is_alt_name(extension: &Extension) -> bool {
    extension.extn_id.to_string() == SUBJECT_ALT_NAME
}

fn email(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
        None => text.to_owned(),
    }
}

fn serial(bytes: &[u8]) -> String {
    let bytes = if let [0, rest @ ..] = bytes
        && !rest.is_empty()
    {
        rest
    } else {
        bytes
    };
    data_encoding::HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn der(pem: &str) -> Vec<u8> {
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        data_encoding::BASE64.decode(base64.as_bytes()).unwrap()
    }

    const BILLING: &str = include_str!("../tests/data/billing.pem");

    #[test]
    fn a_certificate_says_what_openssl_reads() {
        let billing = Certificate::read(&der(BILLING)).unwrap();
        assert_eq!(
            billing,
            Certificate {
                not_before: Duration::from_secs(1_735_689_600),
                not_after: Duration::from_secs(2_051_222_400),
                serial: "1001".to_owned(),
                subject: "CN=billing,O=Example\\, Inc.,C=SE".to_owned(),
                uris: vec!["spiffe://example.org/ns/prod/sa/billing".to_owned()],
                dns: vec!["billing.example.org".to_owned(), "b2.example.org".to_owned()],
                emails: vec!["Ops@example.org".to_owned()],
            }
        );
        let odd = Certificate::read(&der(include_str!("../tests/data/subject-only.pem"))).unwrap();
        assert_eq!(
            odd.subject,
            r#"UID=\ x\ ,serialNumber=7,CN=\#1 \"Jim\"\; a\+b\\c+OU=Söder \<R&D\>,DC=example"#
        );
        let nameless = Certificate::read(&der(include_str!("../tests/data/no-subject.pem"))).unwrap();
        assert_eq!(
            (nameless.subject.as_str(), &nameless.uris[..]),
            ("", &["spiffe://example.org/db".to_owned()][..])
        );
    }

    #[test]
    fn what_could_be_understood_in_two_ways_is_refused() {
        for pem in [include_str!("../tests/data/two-spiffe.pem"), include_str!("../tests/data/nul.pem")] {
            assert_eq!(Certificate::read(&der(pem)), None);
        }
        let mut longer = der(BILLING);
        longer.push(0);
        assert_eq!(Certificate::read(&longer), None);
        assert_eq!(Certificate::read(&longer[..longer.len() - 2]), None);
        assert_eq!(Certificate::read(b""), None);
    }

    #[test]
    fn serials_have_no_sign() {
        assert_eq!(
            (serial(&[0, 0x81]), serial(&[0]), serial(&[1, 0])),
            ("81".into(), "00".into(), "0100".into())
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Certificate::read(&bytes);
        }

        #[test]
        fn no_damage_makes_it_panic(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let mut bytes = der(BILLING);
            for (index, byte) in damage {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            let _ = Certificate::read(&bytes);
        }
    }
}
