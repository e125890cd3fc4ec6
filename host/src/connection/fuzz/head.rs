//! Heads of HTTP/1: what passes is read in one way only, by `httparse` and by a reader that knows nothing of ours.

use super::super::head::{Framing, Limits, check};
use super::super::refuse::Refusal;

/// Small, so that short inputs reach them.
pub(super) const LIMITS: Limits = Limits { bytes: 512, uri: 96, fields: 8 };

/// Any bytes as the beginning of a connection.
pub(crate) fn head(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(2 * LIMITS.bytes)];
    let whole = check(bytes, &LIMITS);
    if let Ok(Some((length, framing))) = whole {
        accepted(&bytes[..length], framing);
    }
    for end in 0..bytes.len() {
        match check(&bytes[..end], &LIMITS) {
            // More of it is needed.
            Ok(None) => {
                assert!(whole.is_err() || end < whole.ok().flatten().map_or(usize::MAX, |found| found.0));
            }
            Ok(found) => assert_eq!(Ok(found), whole, "{end}"),
            Err(refusal) => assert!(is_same(Err(refusal), whole), "{end}: {refusal:?} and then {whole:?}"),
        }
    }
}

/// Whether two looks at the same bytes, cut differently, came to the same. What is both too long and wrong may be refused as either.
pub(super) fn is_same<T: PartialEq>(one: Result<T, Refusal>, other: Result<T, Refusal>) -> bool {
    let is_size = |refusal| matches!(refusal, Refusal::HeadTooLarge | Refusal::UriTooLong);
    match (one, other) {
        (Err(one), Err(other)) => one == other || is_size(one) || is_size(other),
        (one, other) => one == other,
    }
}

fn accepted(head: &[u8], framing: Framing) {
    assert!(head.len() <= LIMITS.bytes);
    let (expected, length) = read(head);
    assert_eq!((framing, head.len()), (expected, length));

    let text = head.strip_suffix(b"\r\n\r\n").expect("a head ends in an empty line");
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let words: Vec<&[u8]> =
        lines.next().into_iter().flat_map(|line| line.split(|byte| *byte == b' ')).collect();
    let [method, target, version] = words[..] else { panic!("{words:?}") };
    let fields: Vec<(&[u8], &[u8])> = lines
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').expect("a field has a colon");
            (&line[..colon], line[colon + 1..].trim_ascii())
        })
        .collect();
    assert!(target.len() <= LIMITS.uri && fields.len() <= LIMITS.fields);

    let mut room = [httparse::EMPTY_HEADER; LIMITS.fields];
    let mut request = httparse::Request::new(&mut room);
    assert_eq!(request.parse(head), Ok(httparse::Status::Complete(head.len())));
    assert_eq!(request.method.map(str::as_bytes), Some(method));
    assert_eq!(request.path.map(str::as_bytes), Some(target));
    assert_eq!(request.version.map(|minor| format!("HTTP/1.{minor}").into_bytes()).as_deref(), Some(version));
    let seen: Vec<(&[u8], &[u8])> =
        request.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
    assert_eq!(seen, fields);

    // hyper makes these of it, and keeps all of it.
    http::Method::from_bytes(method).expect("a method");
    let uri = http::Uri::try_from(target).expect("a target").to_string();
    assert!(!target.starts_with(b"/") || uri.as_bytes() == target, "{uri}");
    for (name, value) in fields {
        http::HeaderName::from_bytes(name).expect("a field's name");
        http::HeaderValue::from_bytes(value).expect("a field's value");
    }
}

/// The framing and the length of a whole head, as `httparse` finds its fields.
pub(super) fn read(head: &[u8]) -> (Framing, usize) {
    let mut room = [httparse::EMPTY_HEADER; LIMITS.fields];
    let mut request = httparse::Request::new(&mut room);
    let length = match request.parse(head) {
        Ok(httparse::Status::Complete(length)) => length,
        other => panic!("{other:?}"),
    };
    let values = |name: &str| -> Vec<&[u8]> {
        let named = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value).collect()
    };
    assert!(values("host").len() <= 1);
    let is_new = request.version == Some(1);
    let framing = match (&values("content-length")[..], &values("transfer-encoding")[..]) {
        ([] | [b"0"], []) if is_new && !values("upgrade").is_empty() => Framing::Offer,
        ([], []) => Framing::None,
        ([length], []) => {
            assert!(length.iter().all(u8::is_ascii_digit));
            let length: u64 = std::str::from_utf8(length).expect("digits").parse().expect("a length");
            match length {
                0 if is_new && !values("upgrade").is_empty() => Framing::Offer,
                0 => Framing::None,
                length => Framing::Length(length),
            }
        }
        ([], [coding]) => {
            assert!(is_new && coding.eq_ignore_ascii_case(b"chunked"));
            Framing::Chunked
        }
        two => panic!("two framings: {two:?}"),
    };
    (framing, length)
}
