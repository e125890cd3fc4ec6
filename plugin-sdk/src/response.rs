//! A view on the exchange's response on its way to the client.

pub use sluice_abi::Origin;
use sluice_abi::{HeaderMap, Number};

use crate::host::{self, raw};
use crate::{Context, Headers, HeadersMut, Method, Result};

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

    /// Whose it is.
    ///
    /// Of the gateway's own answer to a failure, steps see the head and nothing else. A step with a body or chunk phase may put a
    /// response of its own in its place ([`Verdict::Respond`](crate::Verdict)); what else it does to that head is undone.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let number = i32::try_from(raw::number_get(Number::ResponseOrigin)).ok();
        number.and_then(Origin::from_number).unwrap_or(Origin::Upstream)
    }

    /// Whether it says why there is no response: the gateway's own answer, or a problem document of a step. A policy for the
    /// upstream's responses has nothing to say to it, but has to the other answers of steps, one of which may be a cache.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let is_problem = |content_type: &str| {
            let essence = content_type.split(';').next().unwrap_or_default().trim_ascii();
            essence.eq_ignore_ascii_case("application/problem+json")
        };
        match self.origin() {
            Origin::Upstream => false,
            Origin::Step => {
                self.headers().get("content-type").is_some_and(|value| is_problem(&value.to_string()))
            }
            Origin::Gateway => true,
        }
    }

    /// Makes the head fit a body that is rewritten: what holds of the bytes as they came, which are content codings, digests and
    /// ranges, is taken away, and `ETag` becomes weak. `Content-Type` stays.
    ///
    /// The response to a `HEAD`, and a 304, speak of a body that no phase will see: they want the same in
    /// [`on_response`](crate::Plugin::on_response) (RFC 9110 sections 9.3.2 and 15.4.5).
    pub fn mark_rewritten(&mut self) -> Result<()> {
        let mut headers = self.headers_mut();
        headers.mark_rewritten()?;
        headers.remove("accept-ranges")?;
        headers.weaken_etag()
    }

    /// Whether it tells of a body that does not come with it: it answers a `HEAD`, or is a 304.
    #[must_use]
    pub fn describes_absent_body(&self, ctx: &Context) -> bool {
        self.status() == 304 || ctx.method() == Method::Head
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
