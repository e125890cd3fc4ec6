//! Content codings: what a body is once they are undone.

use std::borrow::Cow;

/// Why a body is not known.
#[derive(Debug, PartialEq)]
pub(crate) enum Undecodable {
    /// This plugin does not know the coding.
    Unsupported,
}

/// Undoes `Content-Encoding`; `limit` bounds what comes out.
pub(crate) fn decode<'b>(
    codings: Option<&str>,
    bytes: &'b [u8],
    limit: usize,
) -> Result<Cow<'b, [u8]>, Undecodable> {
    let _ = limit;
    let codings = codings.unwrap_or_default().split(',').map(str::trim);
    let mut unknown = codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
    if unknown.next().is_some() { Err(Undecodable::Unsupported) } else { Ok(Cow::Borrowed(bytes)) }
}
