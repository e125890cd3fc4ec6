//! Tells the origin who asked, as every other peer does; Pingora leaves that to its user.

use pingora_core::Result;
use pingora_http::RequestHeader;
use pingora_proxy::Session;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Adds the client's address to those that are there already.
pub(crate) fn tell(session: &Session, request: &mut RequestHeader) -> Result<()> {
    if let Some(client) = session.client_addr().and_then(|address| address.as_inet()) {
        let client = client.ip();
        let addresses = match request.headers.get(FORWARDED_FOR).and_then(|value| value.to_str().ok()) {
            Some(before) => format!("{before}, {client}"),
            None => client.to_string(),
        };
        request.insert_header(FORWARDED_FOR, addresses)?;
    }
    request.insert_header("x-forwarded-proto", "http")
}
