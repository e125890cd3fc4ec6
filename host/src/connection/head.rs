//! One pass over an HTTP/1 request head: its grammar, the count of its fields, and a framing that can be read in one way
//! only. hyper parses what passes, and has no reason left to refuse it with an answer of its own.

use super::refuse::Refusal;
use crate::net::alphanumeric_and;

/// How much a head may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    /// Of the request target.
    pub(super) uri: usize,
    pub(super) fields: usize,
}

/// How the body of a request is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    /// There is no body, and the request offers to speak another protocol: what follows may be of that one.
    Offer,
    Length(u64),
    Chunked,
}

#[derive(Default)]
struct Seen {
    length: Option<u64>,
    chunked: bool,
    host: bool,
    upgrade: bool,
    fields: usize,
}

/// The longest method, in bytes. Those that are registered have up to 17.
const METHOD: usize = 32;

/// The length of the head that `bytes` begin with and what follows it, or `None` while its end has not arrived.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<Option<(usize, Framing)>, Refusal> {
    let Some((line, mut at)) = line(bytes)? else {
        // Wherever the bytes are cut, a line that passes as a whole is not refused before its end.
        let endless = limits.uri < limits.bytes && bytes.len() > METHOD + limits.uri + "  HTTP/1.1\r".len();
        return if endless { Err(Refusal::UriTooLong) } else { incomplete(bytes, limits) };
    };
    let minor = version(line, limits.uri)?;
    let mut seen = Seen::default();
    loop {
        let Some((line, length)) = self::line(&bytes[at..])? else { return incomplete(bytes, limits) };
        at += length;
        if at > limits.bytes {
            return Err(Refusal::HeadTooLarge);
        }
        if line.is_empty() {
            return Ok(Some((at, framing(&seen, minor)?)));
        }
        field(line, &mut seen)?;
        if seen.fields > limits.fields {
            return Err(Refusal::HeadTooLarge);
        }
    }
}

fn incomplete(bytes: &[u8], limits: &Limits) -> Result<Option<(usize, Framing)>, Refusal> {
    if bytes.len() >= limits.bytes { Err(Refusal::HeadTooLarge) } else { Ok(None) }
}

/// The first line without its end, and its length with it.
fn line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Refusal> {
    let Some(feed) = memchr::memchr(b'\n', bytes) else { return Ok(None) };
    match bytes[..feed].strip_suffix(b"\r") {
        Some(line) => Ok(Some((line, feed + 1))),
        None => Err(Refusal::Malformed("a line of the head does not end in CR LF")),
    }
}

/// The bytes of a method and of a field name (RFC 9110, 5.6.2).
const TOKEN: [bool; 256] = alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// The bytes of a path and a query that nobody reads in two ways (RFC 3986, 3.3).
const PLAIN: [bool; 256] = alphanumeric_and(b"-._~!$&'()*+,;=:@/?%");

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TOKEN[*byte as usize])
}

/// No controls but the tab. Without an early end, so that it is done for many bytes at once.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |bad, byte| bad | (*byte < b' ' && *byte != b'\t') | (*byte == 0x7f))
}

/// The minor version of HTTP/1 that a request line ends in.
fn version(line: &[u8], longest: usize) -> Result<u8, Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(target), Some(_), None) if target.len() > longest => Err(Refusal::UriTooLong),
        (Some(method), Some(_), Some(_), None) if method.len() > METHOD => {
            Err(Refusal::Malformed("the method is longer than any that there is"))
        }
        (Some(method), Some(target), Some(version), None) if is_token(method) && is_target(target)? => {
            match version {
                b"HTTP/1.1" => Ok(1),
                b"HTTP/1.0" => Ok(0),
                [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                    if major.is_ascii_digit() && minor.is_ascii_digit() =>
                {
                    Err(Refusal::Version)
                }
                _ => Err(Refusal::Malformed("the request line does not end in a version")),
            }
        }
        _ => Err(Refusal::Malformed("the request line is not a method, a target and a version")),
    }
}

/// What `http::Uri` takes and does not quietly shorten.
fn is_target(target: &[u8]) -> Result<bool, Refusal> {
    // Almost every target, and not worth the copy that parsing it makes.
    if target.first() == Some(&b'/') && target.iter().all(|byte| PLAIN[*byte as usize]) {
        return Ok(true);
    }
    if target.contains(&b'#') {
        return Err(Refusal::Malformed("the request target has a fragment"));
    }
    if !is_text(target) || http::Uri::try_from(target).is_err() {
        return Err(Refusal::Malformed("the request target is neither a path nor a URL"));
    }
    Ok(true)
}

fn field(line: &[u8], seen: &mut Seen) -> Result<(), Refusal> {
    seen.fields += 1;
    if matches!(line[0], b' ' | b'\t') {
        return Err(Refusal::Malformed("a field is folded over several lines"));
    }
    let colon = line.iter().position(|byte| !TOKEN[*byte as usize]).unwrap_or(line.len());
    match line.get(colon) {
        Some(b':') if colon > 0 => {}
        Some(b' ' | b'\t') => {
            return Err(Refusal::Malformed("white space stands between a field's name and its colon"));
        }
        _ => return Err(Refusal::Malformed("a line of the head is not a field")),
    }
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_text(value) {
        return Err(Refusal::Malformed("a field's value has a control character"));
    }
    // The length tells almost every other name apart.
    match name.len() {
        4 if name.eq_ignore_ascii_case(b"host") => {
            once(std::mem::replace(&mut seen.host, true), "`Host` is given more than once")
        }
        7 if name.eq_ignore_ascii_case(b"upgrade") => {
            seen.upgrade = true;
            Ok(())
        }
        14 if name.eq_ignore_ascii_case(b"content-length") => {
            let before = seen.length.replace(length(trim(value))?);
            once(before.is_some(), "`Content-Length` is given more than once")
        }
        17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
            once(std::mem::replace(&mut seen.chunked, true), "`Transfer-Encoding` is given more than once")?;
            let chunked = trim(value).eq_ignore_ascii_case(b"chunked");
            if chunked { Ok(()) } else { Err(Refusal::TransferEncoding) }
        }
        _ => Ok(()),
    }
}

fn once(before: bool, otherwise: &'static str) -> Result<(), Refusal> {
    if before { Err(Refusal::Malformed(otherwise)) } else { Ok(()) }
}

/// Digits and nothing else: no sign, no list, no overflow.
fn length(value: &[u8]) -> Result<u64, Refusal> {
    const WRONG: Refusal = Refusal::Malformed("`Content-Length` is not a number");
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(WRONG);
    }
    let text = std::str::from_utf8(value).map_err(|_| WRONG)?;
    // The topmost values mean something else to hyper.
    text.parse().ok().filter(|length| *length < u64::MAX - 2).ok_or(WRONG)
}

fn framing(seen: &Seen, minor: u8) -> Result<Framing, Refusal> {
    match (seen.length, seen.chunked) {
        // Only HTTP/1.1 has it (RFC 9110, 7.8).
        (None | Some(0), false) if seen.upgrade && minor == 1 => Ok(Framing::Offer),
        (None | Some(0), false) => Ok(Framing::None),
        (Some(length), false) => Ok(Framing::Length(length)),
        (Some(_), true) => Err(Refusal::Malformed("`Content-Length` and `Transfer-Encoding` are both given")),
        (None, true) if minor == 0 => Err(Refusal::Malformed("HTTP/1.0 has no `Transfer-Encoding`")),
        (None, true) => Ok(Framing::Chunked),
    }
}

/// Without spaces and tabs around it; no other white space is allowed there.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(head: &str) -> Result<Option<(usize, Framing)>, Refusal> {
        check(head.as_bytes(), &Limits { bytes: 256, uri: 1024, fields: 5 })
    }

    fn framing_of(fields: &str) -> Result<Framing, Refusal> {
        verdict(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).map(|found| found.unwrap().1)
    }

    #[test]
    fn legal_heads_have_one_framing() {
        assert_eq!(framing_of(""), Ok(Framing::None));
        assert_eq!(framing_of("Content-Length:\t 12 \r\n"), Ok(Framing::Length(12)));
        assert_eq!(framing_of("content-length: 0\r\n"), Ok(Framing::None));
        assert_eq!(framing_of("TRANSFER-ENCODING: CHUNKED\r\n"), Ok(Framing::Chunked));
        assert_eq!(framing_of("X-Empty:\r\n"), Ok(Framing::None));
    }

    #[test]
    fn two_readings_are_refused() {
        for fields in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 0x1\r\n",
            "Content-Length: \r\n",
            "Content-Length: 18446744073709551616\r\n",
            "Content-Length: 18446744073709551615\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length : 1\r\n",
            "X: 1\r\n folded\r\n",
            "X: 1\n",
            "X: a\rb\r\n",
            ": 1\r\n",
            "nonsense\r\n",
            "a(b: 1\r\n",
            "X: \u{0}\r\n",
            "X: \u{7f}\r\n",
            "Host: b\r\n",
        ] {
            assert!(matches!(framing_of(fields), Err(Refusal::Malformed(_))), "{fields:?}");
        }
        for fields in [
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: \r\n",
        ] {
            assert_eq!(framing_of(fields), Err(Refusal::TransferEncoding), "{fields:?}");
        }
        let old = verdict("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(matches!(old, Err(Refusal::Malformed(_))));
    }

    #[test]
    fn request_lines_have_three_parts() {
        for line in [
            "GET /",
            "GET  / HTTP/1.1",
            "GET / x HTTP/1.1",
            " GET / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET / http/1.1",
            "GET /a#b HTTP/1.1",
        ] {
            assert!(
                matches!(verdict(&format!("{line}\r\nHost: a\r\n\r\n")), Err(Refusal::Malformed(_))),
                "{line:?}"
            );
        }
        for line in ["GET / HTTP/2.0", "GET / HTTP/1.2", "PRI * HTTP/2.0"] {
            assert_eq!(verdict(&format!("{line}\r\n\r\n")), Err(Refusal::Version), "{line:?}");
        }
    }

    #[test]
    fn a_long_request_line_is_taken_or_refused_wherever_it_is_cut() {
        let limits = Limits { bytes: 1024, uri: 100, fields: 5 };
        for (method, target, taken) in [(32, 100, true), (33, 1, false), (300, 1, false), (1, 101, false)] {
            let (method, target) = ("M".repeat(method), "a".repeat(target - 1));
            let head = format!("{method} /{target} HTTP/1.1\r\n\r\n");
            assert_eq!(check(head.as_bytes(), &limits).is_ok(), taken, "{head:?}");
            let cut = (0..head.len()).all(|end| check(&head.as_bytes()[..end], &limits) == Ok(None));
            assert!(!taken || cut, "{head:?}");
        }
    }

    #[test]
    fn a_head_is_bounded_in_bytes_and_fields() {
        assert_eq!(verdict("GET / HTTP/1.1\r\nHost: a\r\n"), Ok(None));
        assert_eq!(verdict(&format!("GET /{}", "a".repeat(300))), Err(Refusal::HeadTooLarge));
        assert_eq!(
            verdict(&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(240))),
            Err(Refusal::HeadTooLarge)
        );
        assert_eq!(
            verdict(&format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(6))),
            Err(Refusal::HeadTooLarge)
        );
    }
}
