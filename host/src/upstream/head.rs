//! The head of a response: what it says, and how its body ends (RFC 9112, 6.3). Pure.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

/// The largest head that is taken from a target, in bytes and in fields.
pub(super) const MAX_HEAD: usize = 64 << 10;
const MAX_FIELDS: usize = 128;

/// Room in the map for the fields that the gateway adds, so that it need not grow.
const ADDED: usize = 4;

/// How the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    /// With the connection.
    Close,
}

/// A response head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    /// The connection may carry another exchange after this one.
    pub(super) persists: bool,
    /// Its bytes.
    pub(super) length: usize,
}

/// What came is not HTTP, or can be read in two ways.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub(super) struct Malformed(&'static str);

/// What is said of a head beyond the limits.
pub(super) const TOO_LARGE: Malformed = Malformed("its head is too large");

/// What is said of a head that speaks another protocol than was offered.
pub(super) const SWITCHES: Malformed = Malformed("it switches to a protocol that nobody offered");

/// What a response says about itself.
struct Said {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

/// The head that `bytes` begin with, interim responses left out; `None` while its end has not arrived. `to_head`: it answers HEAD;
/// `may_switch`: it answers an offer to speak another protocol; `told`: how many bytes are interim responses that `interim` has got.
///
/// # Errors
/// If it is not a head, or its framing is not one only: both kinds of it, several lengths, another coding than `chunked`.
pub(super) fn parse(
    bytes: &Bytes,
    to_head: bool,
    may_switch: bool,
    told: &mut usize,
    mut interim: impl FnMut(Response<()>),
) -> Result<Option<Head>, Malformed> {
    loop {
        let rest = bytes.slice(*told..);
        let Some(mut head) = parse_one(&rest, to_head)? else { return Ok(None) };
        head.length += *told;
        match head.response.status() {
            StatusCode::SWITCHING_PROTOCOLS if may_switch => {
                (head.framing, head.persists) = (Framing::Close, false);
                return Ok(Some(head));
            }
            StatusCode::SWITCHING_PROTOCOLS => {
                return Err(SWITCHES);
            }
            status if status.is_informational() => {
                *told = head.length;
                interim(head.response);
            }
            _ => return Ok(Some(head)),
        }
    }
}

fn parse_one(bytes: &Bytes, to_head: bool) -> Result<Option<Head>, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let status =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, bytes, &mut fields);
    let length = match status {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => return Err(TOO_LARGE),
        Err(_) => return Err(Malformed("it is not a response head")),
    };
    let (Some(minor), Some(code)) = (parsed.version, parsed.code) else { return Ok(None) };
    let code = StatusCode::from_u16(code).map_err(|_| Malformed("its status is not one"))?;
    let mut said = Said { length: None, chunked: false, close: false, keep_alive: false };
    let mut headers = HeaderMap::with_capacity(parsed.headers.len() + ADDED);
    for field in parsed.headers.iter() {
        look(field, &mut said)?;
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| Malformed("a field's name is not one"))?;
        // Shares the memory of the whole head.
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value))
            .map_err(|_| Malformed("a field's value has a control character"))?;
        headers.append(name, value);
    }
    let framing = framing(&said, code, minor, to_head)?;
    let persists = framing != Framing::Close && !said.close && (minor == 1 || said.keep_alive);
    let mut response = Response::new(());
    *response.status_mut() = code;
    *response.headers_mut() = headers;
    Ok(Some(Head { response, framing, persists, length }))
}

/// Notes what a field says about the message or the connection. The length tells almost every other name apart.
fn look(field: &httparse::Header<'_>, said: &mut Said) -> Result<(), Malformed> {
    match field.name.len() {
        10 if field.name.eq_ignore_ascii_case("connection") => {
            for token in field.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                said.close |= token.eq_ignore_ascii_case(b"close");
                said.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        14 if field.name.eq_ignore_ascii_case("content-length") => {
            // Some servers say it twice, or as a list; the same number is still one number.
            for value in field.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                let length = number(value).ok_or(Malformed("its length is not a number"))?;
                if said.length.replace(length).is_some_and(|before| before != length) {
                    return Err(Malformed("it has two lengths"));
                }
            }
        }
        17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
            if said.chunked || !field.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed("its transfer coding is another than `chunked`"));
            }
            said.chunked = true;
        }
        _ => {}
    }
    Ok(())
}

/// Digits and nothing else.
fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn framing(said: &Said, status: StatusCode, minor: u8, to_head: bool) -> Result<Framing, Malformed> {
    if said.chunked && said.length.is_some() {
        return Err(Malformed("it has a length and a transfer coding"));
    }
    if said.chunked && minor == 0 {
        return Err(Malformed("HTTP/1.0 has no transfer coding"));
    }
    let bodiless = to_head
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(match said.length {
        _ if bodiless => Framing::Length(0),
        _ if said.chunked => Framing::Chunked,
        Some(length) => Framing::Length(length),
        None => Framing::Close,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn head(text: &str) -> Result<Option<Head>, Malformed> {
        parse(&Bytes::copy_from_slice(text.as_bytes()), false, false, &mut 0, drop)
    }

    fn framed(fields: &str) -> (Framing, bool) {
        let head = head(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).unwrap().unwrap();
        (head.framing, head.persists)
    }

    #[test]
    fn one_framing_and_whether_the_connection_persists() {
        assert_eq!(framed("content-length: 7\r\n"), (Framing::Length(7), true));
        assert_eq!(framed("Content-Length: 7\r\nConnection: x, Close\r\n"), (Framing::Length(7), false));
        assert_eq!(framed("Content-Length: 7, 7\r\nContent-Length: 7\r\n"), (Framing::Length(7), true));
        assert_eq!(framed("Transfer-Encoding: CHUNKED\r\n"), (Framing::Chunked, true));
        assert_eq!(framed(""), (Framing::Close, false));
        let old = |fields: &str| head(&format!("HTTP/1.0 200 OK\r\n{fields}\r\n")).unwrap().unwrap();
        assert!(!old("content-length: 7\r\n").persists);
        assert!(old("content-length: 7\r\nconnection: keep-alive\r\n").persists);
    }

    #[test]
    fn what_has_no_body_has_none_whatever_it_says() {
        for status in ["204 No Content", "304 Not Modified"] {
            let head = head(&format!("HTTP/1.1 {status}\r\ncontent-length: 7\r\n\r\n")).unwrap().unwrap();
            assert_eq!((head.framing, head.persists), (Framing::Length(0), true));
        }
        let bytes = Bytes::from_static(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let head = parse(&bytes, true, false, &mut 0, drop).unwrap().unwrap();
        assert_eq!((head.framing, head.length), (Framing::Length(0), bytes.len()));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for fields in [
            "content-length: 1\r\ncontent-length: 2\r\n",
            "content-length: 1, 2\r\n",
            "content-length: +1\r\n",
            "content-length: \r\n",
            "content-length: 18446744073709551616\r\n",
            "content-length: 1\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: identity\r\n",
            "x : 1\r\n",
            "x: 1\r\n folded\r\n",
        ] {
            assert!(head(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).is_err(), "{fields:?}");
        }
        for text in [
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "SSH-2.0-x\r\n\r\n",
        ] {
            assert!(head(text).is_err(), "{text:?}");
        }
        assert!(head("HTTP/1.1 101 Switching Protocols\r\n\r\n").is_err());
        assert!(head(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1))).is_err());
        assert!(head(&format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_HEAD))).is_err());
    }

    #[test]
    fn interim_responses_are_passed_over() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        let found = head(text).unwrap().unwrap();
        assert_eq!((found.response.status(), found.length), (StatusCode::OK, text.len() - 2));
        assert!(!found.response.headers().contains_key("link"));
        assert!(head("HTTP/1.1 100 Continue\r\n\r\n").unwrap().is_none());
    }

    #[test]
    fn each_interim_response_is_told_of_once() {
        let text =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        let (mut told, mut heard) = (0, Vec::new());
        for end in 0..=text.len() {
            let bytes = Bytes::copy_from_slice(&text.as_bytes()[..end]);
            let found =
                parse(&bytes, false, false, &mut told, |interim| heard.push(interim.status().as_u16()));
            assert_eq!(found.unwrap().is_some(), end == text.len());
        }
        assert_eq!(heard, [100, 103]);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_a_part_is_no_head(bytes in prop::collection::vec(any::<u8>(), 0..80), cut in 0usize..60) {
            let _ = parse(&Bytes::from(bytes), false, false, &mut 0, drop);
            let text = "HTTP/1.1 200 OK\r\nset-cookie: a\r\nset-cookie: b\r\ncontent-length: 0\r\n\r\n";
            let part = &text[..cut.min(text.len() - 1)];
            assert!(head(part).unwrap().is_none());
            assert_eq!(head(text).unwrap().unwrap().response.headers().get_all("set-cookie").iter().count(), 2);
        }
    }
}
