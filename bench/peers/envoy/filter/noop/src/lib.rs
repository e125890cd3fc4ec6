//! A proxy-wasm filter that is called in both phases and does nothing.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

/// One per place in the chain.
struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(NoOp))
    }
}

/// One per request and place in the chain.
struct NoOp;

impl Context for NoOp {}

impl HttpContext for NoOp {
    fn on_http_request_headers(&mut self, _headers: usize, _end: bool) -> Action {
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end: bool) -> Action {
        Action::Continue
    }
}
