//! What an answer means for the events of its request. Pure.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use jiff::Timestamp;

use crate::metering::export::format::{lago, stripe};
use crate::metering::export::outcome::{Outcome, Trouble, shorten};
use crate::metering::export::settings::HttpFormat;

/// The longest that a sink may ask to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Reads the answer to a request with so many events.
///
/// Refused is only what a server says of what the request holds. An answer that may as well be about the operator's token or URL never
/// costs an event: it is tried again until somebody mends it.
pub(super) fn of(format: HttpFormat, answer: &Response<Bytes>, events: usize, now: Timestamp) -> Outcome {
    let status = answer.status();
    if status.is_success() {
        return Outcome::Accepted;
    }
    let reason = reason(status, answer.body());
    let trouble = Trouble { reason: reason.clone(), after: retry_after(answer.headers(), now) };
    match status {
        StatusCode::BAD_REQUEST if format == HttpFormat::Stripe && stripe::is_known(answer.body()) => {
            Outcome::Accepted
        }
        // Stripe: a request with this idempotency key is still under way.
        StatusCode::CONFLICT if format == HttpFormat::Stripe => Outcome::Later(trouble),
        StatusCode::UNPROCESSABLE_ENTITY if format == HttpFormat::Lago => {
            match lago::fates(answer.body(), events) {
                Some(fates) => Outcome::Each(fates, None),
                None => Outcome::Refused(reason),
            }
        }
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Outcome::Refused(reason),
        _ => Outcome::Later(trouble),
    }
}

fn reason(status: StatusCode, body: &[u8]) -> String {
    let said = shorten(&String::from_utf8_lossy(&body[..body.len().min(2000)]));
    let code = status.as_u16();
    if status.is_redirection() {
        return format!("it answers {code}; redirects are not followed");
    }
    if said.is_empty() { format!("it answers {code}") } else { format!("it answers {code}: {said}") }
}

/// Seconds, or a date (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            let date = Timestamp::try_from(date).ok()?;
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metering::export::outcome::Fate;

    fn now() -> Timestamp {
        "2026-11-23T17:00:00Z".parse().unwrap()
    }

    fn verdict(format: HttpFormat, status: u16, body: &'static str) -> Outcome {
        let answer = Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap();
        of(format, &answer, 2, now())
    }

    #[test]
    fn only_what_is_said_of_the_content_refuses_it() {
        let all = [HttpFormat::CloudEvents, HttpFormat::Lago, HttpFormat::Stripe];
        for format in all {
            for status in [200, 201, 202, 204] {
                assert_eq!(verdict(format, status, ""), Outcome::Accepted, "{status}");
            }
            for status in [301, 401, 402, 403, 404, 405, 408, 415, 429, 500, 502, 503, 504] {
                assert!(matches!(verdict(format, status, ""), Outcome::Later(_)), "{status}");
            }
            for status in [400, 413, 422] {
                assert!(matches!(verdict(format, status, "{}"), Outcome::Refused(_)), "{status}");
            }
        }
        assert!(matches!(verdict(HttpFormat::CloudEvents, 409, ""), Outcome::Refused(_)));
        assert!(matches!(verdict(HttpFormat::Stripe, 409, ""), Outcome::Later(_)));
    }

    #[test]
    fn what_a_sink_has_already_is_accepted() {
        let known = r#"{"error":{"message":"An event already exists with identifier x."}}"#;
        assert_eq!(verdict(HttpFormat::Stripe, 400, known), Outcome::Accepted);
        assert!(matches!(verdict(HttpFormat::CloudEvents, 400, known), Outcome::Refused(_)));
        let known = r#"{"error_details":{"1":{"transaction_id":["value_already_exist"]}}}"#;
        let Outcome::Each(fates, _) = verdict(HttpFormat::Lago, 422, known) else { panic!() };
        assert_eq!(fates, [Fate::Later, Fate::Accepted]);
    }

    #[test]
    fn the_reason_is_one_short_line() {
        assert_eq!(reason(StatusCode::BAD_REQUEST, b""), "it answers 400");
        assert_eq!(reason(StatusCode::BAD_REQUEST, b"a\nb\0"), "it answers 400: a b");
        assert!(reason(StatusCode::FOUND, b"").contains("redirects"));
        assert!(reason(StatusCode::BAD_REQUEST, "ü".repeat(5000).as_bytes()).chars().count() < 400);
    }

    #[test]
    fn a_sink_says_when_it_wants_more() {
        let after = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, http::HeaderValue::from_static(text));
            retry_after(&headers, now())
        };
        assert_eq!(retry_after(&HeaderMap::new(), now()), None);
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Mon, 23 Nov 2026 17:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(after("Mon, 23 Nov 2026 16:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("86400"), Some(LONGEST_PAUSE));
        assert_eq!(after("soon"), None);
    }
}
