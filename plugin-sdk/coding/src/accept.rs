//! Which coding a client wants: `Accept-Encoding`, RFC 9110 section 12.5.3.

use crate::Coding;

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The body in this coding.
    Encode(Coding),
    /// The body as it is.
    Identity,
    /// The client takes neither the body as it is nor any coding that is offered.
    NotAcceptable,
}

/// A weight in thousandths.
type Quality = u16;

/// What the field says of each thing that can be sent.
#[derive(Default)]
struct Wishes {
    codings: [Option<Quality>; 4],
    identity: Option<Quality>,
    others: Option<Quality>,
}

/// Chooses among `offered`, best first, by the values of the request's `Accept-Encoding` fields.
///
/// The client's weights decide, the order of `offered` decides between equal ones. Without the field the body
/// goes as it is: such a client accepts anything (RFC 9110), but has not said that it can decode it. Members
/// that are not well-formed count as not said; of two members for the same coding the first counts.
pub fn negotiate<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>, offered: &[Coding]) -> Choice {
    let mut wishes = Wishes::default();
    for value in values {
        // Members are ASCII; one that is not belongs to no known coding.
        String::from_utf8_lossy(value.as_ref()).split(',').for_each(|member| wishes.note(member));
    }
    let mut best: Option<(Coding, Quality)> = None;
    for &coding in offered {
        let quality = wishes.codings[coding as usize].or(wishes.others).unwrap_or(0);
        if quality > best.map_or(0, |(_, best)| best) {
            best = Some((coding, quality));
        }
    }
    // Identity is acceptable unless it is excluded, but only a weight of its own makes it better than a coding.
    let identity = wishes.identity.or(wishes.others);
    match best {
        Some((coding, quality)) if quality >= identity.unwrap_or(0) => Choice::Encode(coding),
        _ if identity == Some(0) => Choice::NotAcceptable,
        _ => Choice::Identity,
    }
}

impl Wishes {
    fn note(&mut self, member: &str) {
        let mut parts = member.split(';').map(|part| part.trim_matches([' ', '\t']));
        let name = parts.next().unwrap_or_default();
        let quality = match (parts.next(), parts.next()) {
            (None, _) => Some(1000),
            (Some(weight), None) => quality(weight),
            // Nothing but a weight may follow.
            (Some(_), Some(_)) => None,
        };
        let Some(quality) = quality else { return };
        let place = if name == "*" {
            &mut self.others
        } else if name.eq_ignore_ascii_case("identity") {
            &mut self.identity
        } else if let Some(coding) = Coding::from_name(name) {
            &mut self.codings[coding as usize]
        } else {
            return;
        };
        place.get_or_insert(quality);
    }
}

/// `q=` and a `qvalue`, RFC 9110 section 12.4.2.
fn quality(weight: &str) -> Option<Quality> {
    let value = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: Quality = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Choice::{Encode, Identity, NotAcceptable};
    use Coding::{Brotli, Gzip, Zstd};

    fn choose(value: &str) -> Choice {
        negotiate([value], &[Zstd, Brotli, Gzip])
    }

    #[test]
    fn the_examples_of_rfc_9110() {
        for (value, choice) in [
            ("compress, gzip", Encode(Gzip)),
            ("", Identity),
            ("*", Encode(Zstd)),
            ("compress;q=0.5, gzip;q=1.0", Encode(Gzip)),
            ("gzip;q=1.0, identity; q=0.5, *;q=0", Encode(Gzip)),
        ] {
            assert_eq!(choose(value), choice, "{value:?}");
        }
        assert_eq!(negotiate::<&str>([], &[Gzip]), Identity);
    }

    #[test]
    fn weights_decide_before_the_order() {
        for (value, choice) in [
            ("gzip, deflate, br, zstd", Encode(Zstd)),
            ("gzip, deflate, br", Encode(Brotli)),
            ("gzip;q=1, br;q=0.999", Encode(Gzip)),
            ("br;q=0.001", Encode(Brotli)),
            ("br;q=0", Identity),
            ("*;q=0.5, zstd;q=0", Encode(Brotli)),
            ("*;q=0.5, gzip", Encode(Gzip)),
            ("GZIP ; Q=0.3 ,, ", Encode(Gzip)),
            ("x-gzip", Encode(Gzip)),
            ("gzip;q=0, gzip", Identity),
        ] {
            assert_eq!(choose(value), choice, "{value:?}");
        }
        assert_eq!(negotiate(["br;q=0.5", "gzip"], &[Brotli, Gzip]), Encode(Gzip), "two fields are one list");
    }

    #[test]
    fn identity_has_its_say() {
        for (value, choice) in [
            ("identity;q=1, gzip;q=0.5", Identity),
            ("identity, gzip", Encode(Gzip)),
            ("identity;q=0", NotAcceptable),
            ("identity;q=0, compress", NotAcceptable),
            ("identity;q=0, gzip", Encode(Gzip)),
            ("*;q=0", NotAcceptable),
            ("*;q=0, identity;q=0.1", Identity),
            ("*;q=0, br", Encode(Brotli)),
            ("compress", Identity),
        ] {
            assert_eq!(choose(value), choice, "{value:?}");
        }
        assert_eq!(negotiate(["*"], &[]), Identity);
    }

    #[test]
    fn what_is_not_well_formed_counts_as_not_said() {
        for value in
            ["gzip;q=", "gzip;q=2", "gzip;q=1.001", "gzip;q=0.5555", "gzip;q=-1", "gzip;q=+1", "gzip;x=1"]
        {
            assert_eq!(choose(value), Identity, "{value:?}");
        }
        for value in ["gzip;q=0.5;q=1", "gz ip", "\"gzip\"", "gzip;q=0.é", "gzip;;"] {
            assert_eq!(choose(value), Identity, "{value:?}");
        }
    }
}
