//! The plain proxy: forwards to the one origin.

use async_trait::async_trait;
use pingora_core::Result;
use pingora_core::modules::http::HttpModules;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use pingora_proxy::{ProxyHttp, Session};

use crate::forwarded;

/// Knows the origin, nothing else.
pub(crate) struct Plain {
    origin: HttpPeer,
}

impl Plain {
    pub(crate) fn new(origin: HttpPeer) -> Self {
        Self { origin }
    }
}

#[async_trait]
impl ProxyHttp for Plain {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    /// No modules: the default adds the compressor, though switched off.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn upstream_peer(&self, _session: &mut Session, _ctx: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(self.origin.clone()))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        _ctx: &mut (),
    ) -> Result<()> {
        forwarded::tell(session, request)
    }
}
