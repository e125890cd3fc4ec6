//! Whether a response may be compressed, and what its head says then.

use sluice_sdk::prelude::*;
use sluice_sdk_coding::Coding;

/// The length that the response says it has.
pub(crate) fn length(headers: Headers<'_>) -> Option<u64> {
    headers.get("content-length")?.as_str()?.parse().ok()
}

/// Whether the response has, or stands for one with, a body of its own that no one has encoded yet and that may be changed.
pub(crate) fn may_change(response: &Response) -> bool {
    let headers = response.headers();
    // 206 is a piece of the encoded or the plain body, and cannot be turned into one of the other.
    !matches!(response.status(), 204..=206)
        && !FORBIDDING.iter().any(|name| headers.contains(name))
        && !forbids_transformation(headers)
}

/// Fields that speak of the body's bytes as they are.
const FORBIDDING: [&str; 6] =
    ["content-encoding", "content-range", "content-digest", "repr-digest", "digest", "content-md5"];

/// `Cache-Control: no-transform`, RFC 9111 section 5.2.2.6.
fn forbids_transformation(headers: Headers<'_>) -> bool {
    members(&headers.get_all("cache-control")).any(|directive| directive.eq_ignore_ascii_case("no-transform"))
}

/// The members of a list of tokens.
fn members(values: &[HeaderValue]) -> impl Iterator<Item = &str> {
    values.iter().filter_map(HeaderValue::as_str).flat_map(|value| value.split(',')).map(str::trim_ascii)
}

/// Tells caches that the response depends on what the client accepts.
pub(crate) fn vary(response: &mut Response) -> Result<()> {
    let values = response.headers().get_all("vary");
    let is_told = |member: &str| member == "*" || member.eq_ignore_ascii_case("accept-encoding");
    if members(&values).any(is_told) {
        return Ok(());
    }
    let mut list: Vec<&str> = members(&values).filter(|member| !member.is_empty()).collect();
    list.push("Accept-Encoding");
    response.headers_mut().set("vary", list.join(", "))
}

/// What changes with the body. `Content-Length` is the gateway's to take away.
pub(crate) fn encoded(response: &mut Response, coding: Coding) -> Result<()> {
    response.mark_rewritten()?;
    response.headers_mut().set("content-encoding", coding.name())
}

/// Whether a client that sent these `If-None-Match` has the plain response that this 304 stands for: it knows it by its strong tag, and
/// not by the weak one of the encoded.
pub(crate) fn is_known_plain(known: &[HeaderValue], response: &Response) -> bool {
    let Some(etag) = response.headers().get("etag") else { return false };
    let etag = etag.as_str().unwrap_or_default();
    let names = |tag: &str| members(known).any(|known| known == tag);
    names(etag) && !names(&format!("W/{etag}"))
}
