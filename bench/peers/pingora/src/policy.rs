//! The policy: API key, a token bucket per key, one header to the origin and one to the client.

use async_trait::async_trait;
use pingora_core::Result;
use pingora_core::modules::http::HttpModules;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{ProxyHttp, Session};

use crate::forwarded;
use crate::keys::{Keys, Verdict};

/// Knows the origin and the keys.
pub(crate) struct Policy {
    origin: HttpPeer,
    keys: Keys,
}

impl Policy {
    pub(crate) fn new(origin: HttpPeer, keys: Keys) -> Self {
        Self { origin, keys }
    }
}

#[async_trait]
impl ProxyHttp for Policy {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    /// No modules: the default adds the compressor, though switched off.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    /// `true` says that the client has its answer already.
    async fn request_filter(&self, session: &mut Session, _ctx: &mut ()) -> Result<bool> {
        let verdict = match session.req_header().headers.get("x-api-key") {
            Some(key) => self.keys.take(key.as_bytes()),
            None => Verdict::UnknownKey,
        };
        match verdict {
            Verdict::Allowed => Ok(false),
            Verdict::UnknownKey => refuse(session, 401).await,
            Verdict::OutOfTokens => refuse(session, 429).await,
        }
    }

    async fn upstream_peer(&self, _session: &mut Session, _ctx: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(self.origin.clone()))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _ctx: &mut (),
    ) -> Result<()> {
        forwarded::tell(session, request)?;
        request.insert_header("x-bench", "1")
    }

    async fn response_filter(
        &self,
        _session: &mut Session,
        response: &mut ResponseHeader,
        _ctx: &mut (),
    ) -> Result<()> {
        response.insert_header("x-served-by", "bench")
    }
}

/// Not `respond_error`: that one closes the client's connection.
async fn refuse(session: &mut Session, status: u16) -> Result<bool> {
    let mut answer = ResponseHeader::build(status, Some(1))?;
    answer.insert_header("content-length", "0")?;
    session.write_response_header(Box::new(answer), true).await?;
    Ok(true)
}
