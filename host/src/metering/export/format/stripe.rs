//! Stripe's meter events, `POST /v1/billing/meter_events`: a form, one in a request.
//!
//! <https://docs.stripe.com/api/billing/meter-event/create>,
//! <https://docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api>. Values are whole numbers, so a meter with decimals is
//! told in its smallest units. An identifier has at most 100 characters, and a time is of the past 35 days.

use data_encoding::HEXLOWER;
use jiff::SignedDuration;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::metering::export::record::Record;

/// How old an event may be.
pub(in super::super) const OLDEST: SignedDuration = SignedDuration::from_hours(35 * 24);

/// Of an identifier, in characters.
const LONGEST: usize = 100;

/// What Stripe knows the event by: its id, or a digest of it if that is too long.
pub(in super::super) fn identifier(id: &str) -> String {
    if id.chars().count() <= LONGEST {
        return id.to_owned();
    }
    format!("sha256-{}", HEXLOWER.encode(&Sha256::digest(id)))
}

/// One event.
pub(in super::super) fn form(record: &Record<'_>) -> String {
    let seconds = record.event.at.as_second();
    let fields = [
        ("event_name", record.event.meter.to_string()),
        ("timestamp", seconds.to_string()),
        ("identifier", identifier(&record.id)),
        ("payload[stripe_customer_id]", record.customer.to_string()),
        ("payload[value]", record.value.units.to_string()),
    ];
    let pairs = fields.map(|(name, value)| format!("{}={}", encoded(name), encoded(&value)));
    pairs.join("&")
}

/// As `application/x-www-form-urlencoded` has it.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[derive(Deserialize)]
struct Answer {
    error: Complaint,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// Whether the body of a 400 says that Stripe has this event: it refuses a second one rather than to pass over it.
pub(in super::super) fn is_known(body: &[u8]) -> bool {
    let Ok(Answer { error }) = serde_json::from_slice(body) else { return false };
    error.code.as_deref() == Some("duplicate_meter_event")
        || error.message.is_some_and(|message| message.starts_with("An event already exists with identifier"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{directory, tokens};
    use super::*;

    #[test]
    fn an_event_is_written_to_the_letter() {
        let (directory, mut tokens) = (directory(), tokens());
        let expected = "event_name=tokens&timestamp=1795454517&identifier=edge-1%2F0190-a%2Ftokens&\
                        payload%5Bstripe_customer_id%5D=cus_42&payload%5Bvalue%5D=1500";
        assert_eq!(form(&directory.record(&tokens).unwrap()), expected);
        tokens.consumer = "a b&c=ü".into();
        let expected = "payload%5Bstripe_customer_id%5D=a+b%26c%3D%C3%BC&";
        assert!(form(&directory.record(&tokens).unwrap()).contains(expected));
    }

    #[test]
    fn a_long_id_becomes_a_digest() {
        assert_eq!(identifier(&"x".repeat(100)), "x".repeat(100));
        let digest = "c675a2e604b0cd1229c036e3ce0c87422980a245e295bbc605a507a2299752db";
        assert_eq!(identifier(&"x".repeat(101)), format!("sha256-{digest}"));
        assert_ne!(identifier(&"x".repeat(101)), identifier(&"x".repeat(102)));
        assert!(identifier(&"x".repeat(101)).len() <= LONGEST);
    }

    #[test]
    fn a_second_event_is_known_by_what_is_said() {
        let known = r#"{"error":{"type":"invalid_request_error","message":"An event already exists with identifier a/b/c."}}"#;
        assert!(is_known(known.as_bytes()));
        assert!(is_known(br#"{"error":{"code":"duplicate_meter_event"}}"#));
        for other in ["", "{}", r#"{"error":{"message":"No meter found with event name x."}}"#] {
            assert!(!is_known(other.as_bytes()), "{other}");
        }
    }
}
