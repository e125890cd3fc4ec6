//! A view on the exchange's response on its way to the client.

use sluice_abi::{HeaderMap, Number};

use crate::host::{self, raw};
use crate::{Headers, HeadersMut, Result};

/// The response's head, from the upstream or from a step that answered.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response;

impl Response {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        u16::try_from(raw::number_get(Number::ResponseStatus)).unwrap_or_default()
    }

    /// Changes the status code: 200 to 599.
    pub fn set_status(&mut self, status: u16) -> Result<()> {
        host::done("set the status", raw::number_set(Number::ResponseStatus, i64::from(status)))
    }

    /// The headers, to read.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers::of(HeaderMap::Response)
    }

    /// The headers, to change.
    pub fn headers_mut(&mut self) -> HeadersMut<'_> {
        HeadersMut::of(HeaderMap::Response)
    }
}
