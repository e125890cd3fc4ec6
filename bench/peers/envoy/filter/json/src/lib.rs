//! A proxy-wasm filter that buffers a JSON body, of a request or of a response, removes one field and adds one.
//! A body of another type passes untouched; one that is not a JSON object passes as it came.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};
use serde_json::{Map, Value};

/// The field taken away.
const REMOVED: &str = "secret";
/// The field put in, with the value `1`.
const ADDED: &str = "bench";

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

/// Lives as long as the VM; there is nothing to configure.
struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Rewrite::default()))
    }
}

/// One per request: which of its two bodies are held back to be rewritten.
#[derive(Default)]
struct Rewrite {
    request: bool,
    response: bool,
}

impl Context for Rewrite {}

/// The headers wait for the body, since its new length is one of them (`allow_on_headers_stop_iteration` makes
/// Envoy go on to the body meanwhile).
impl HttpContext for Rewrite {
    fn on_http_request_headers(&mut self, _headers: usize, end: bool) -> Action {
        self.request = !end && is_json(self.get_http_request_header_bytes("content-type"));
        pause_if(self.request)
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        if self.request
            && end
            && let Some(body) = self.get_http_request_body(0, size).and_then(|b| rewrite(&b))
        {
            self.set_http_request_header("content-length", Some(&body.len().to_string()));
            self.set_http_request_body(0, size, &body);
        }
        pause_if(self.request && !end)
    }

    fn on_http_response_headers(&mut self, _headers: usize, end: bool) -> Action {
        self.response = !end && is_json(self.get_http_response_header_bytes("content-type"));
        pause_if(self.response)
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        if self.response
            && end
            && let Some(body) = self.get_http_response_body(0, size).and_then(|b| rewrite(&b))
        {
            self.set_http_response_header("content-length", Some(&body.len().to_string()));
            self.set_http_response_body(0, size, &body);
        }
        pause_if(self.response && !end)
    }
}

fn is_json(content_type: Option<Vec<u8>>) -> bool {
    content_type.is_some_and(|value| value.starts_with(b"application/json"))
}

fn pause_if(waiting: bool) -> Action {
    if waiting { Action::Pause } else { Action::Continue }
}

fn rewrite(body: &[u8]) -> Option<Vec<u8>> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
    fields.remove(REMOVED);
    fields.insert(ADDED.to_owned(), Value::from(1));
    serde_json::to_vec(&fields).ok()
}
