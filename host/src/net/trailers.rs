//! Which fields may follow a body.

use http::header::{self, HeaderMap, HeaderName};

/// What frames, routes, authenticates or redirects a message, or says what its body is, is read before the body: after it such a field
/// means nothing to one reader and something to another (RFC 9110 section 6.5.1).
const HEAD_ALONE: [HeaderName; 28] = [
    header::AGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::DATE,
    header::EXPECT,
    header::EXPIRES,
    header::HOST,
    header::LOCATION,
    header::MAX_FORWARDS,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::RETRY_AFTER,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::VARY,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Takes away what has its place in a head alone.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    // Mostly there are three of them, and the list has more.
    let misplaced: Vec<HeaderName> =
        trailers.keys().filter(|name| HEAD_ALONE.contains(name)).cloned().collect();
    for name in misplaced {
        trailers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_frames_or_routes_a_message_does_not_follow_its_body() {
        let fields = ["content-length", "set-cookie", "grpc-status", "x-sum", "host", "keep-alive"];
        let mut trailers: HeaderMap =
            fields.iter().map(|name| (HeaderName::from_static(name), "1".parse().unwrap())).collect();
        strip_trailers(&mut trailers);
        let mut left: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["grpc-status", "x-sum"]);
    }
}
