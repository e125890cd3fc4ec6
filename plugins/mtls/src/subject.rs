//! Distinguished names as RFC 4514 writes them.

use std::fmt::Write as _;

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::{Encode as _, Tag, Tagged as _};
use x509_cert::name::Name;

/// Types that have a name, as OpenSSL writes it. Those of RFC 4514 section 3 are the first nine.
const NAMES: [(&str, &str); 19] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "street"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.12", "title"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
];

/// The name from its end, as LDAP and `openssl x509 -nameopt RFC2253,utf8,-esc_msb` have it. None if it cannot be written.
pub(crate) fn write(name: &Name) -> Option<String> {
    let rdns: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for (index, rdn) in rdns.into_iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let attributes: Vec<_> = rdn.iter().collect();
        for (index, attribute) in attributes.into_iter().rev().enumerate() {
            if index > 0 {
                text.push('+');
            }
            push(&mut text, attribute)?;
        }
    }
    Some(text)
}

fn push(text: &mut String, attribute: &AttributeTypeAndValue) -> Option<()> {
    let oid = attribute.oid.to_string();
    let known = NAMES.iter().find(|(known, _)| *known == oid);
    match (known, value(attribute)?) {
        (Some((_, name)), Some(value)) => {
            text.push_str(name);
            text.push('=');
            escape(text, &value);
        }
        _ => {
            // RFC 4514 section 2.4: what cannot be written as text is written as its encoding.
            text.push_str(&oid);
            text.push_str("=#");
            text.push_str(&data_encoding::HEXUPPER.encode(&attribute.value.to_der().ok()?));
        }
    }
    Some(())
}

/// The value as text, if its type is one of texts. None outside if it says to be one and is not.
fn value(attribute: &AttributeTypeAndValue) -> Option<Option<String>> {
    let bytes = attribute.value.value();
    match attribute.value.tag() {
        Tag::Utf8String => String::from_utf8(bytes.to_vec()).ok().map(Some),
        Tag::PrintableString | Tag::Ia5String => {
            bytes.is_ascii().then(|| Some(String::from_utf8_lossy(bytes).into_owned()))
        }
        Tag::BmpString => {
            let (units, rest) = bytes.as_chunks::<2>();
            let text: Result<String, _> =
                char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))).collect();
            text.ok().filter(|_| rest.is_empty()).map(Some)
        }
        _ => Some(None),
    }
}

fn escape(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', character]),
            '#' if index == 0 => text.push_str("\\#"),
            ' ' if index == 0 || index == last => text.push_str("\\ "),
            // Writing to a string cannot fail.
            control if control.is_ascii_control() => {
                let _ = write!(text, "\\{:02X}", u32::from(control));
            }
            character => text.push(character),
        }
    }
}
