//! The policy as one proxy-wasm filter: API key, a token bucket per key, one header to the origin, one to the client.

mod keys;

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use keys::{Keys, Verdict};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// Lives as long as the VM; every request shares its keys.
#[derive(Default)]
struct Root {
    keys: Rc<Keys>,
}

impl Context for Root {}

impl RootContext for Root {
    /// The configuration is the keys, one a line; `false` makes Envoy refuse it.
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = String::from_utf8(self.get_plugin_configuration().unwrap_or_default());
        let keys: Keys = text.iter().flat_map(|text| text.split_whitespace()).collect();
        let usable = !keys.is_empty();
        self.keys = Rc::new(keys);
        usable
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Policy { keys: Rc::clone(&self.keys) }))
    }
}

/// One per request.
struct Policy {
    keys: Rc<Keys>,
}

impl Context for Policy {}

impl HttpContext for Policy {
    fn on_http_request_headers(&mut self, _headers: usize, _end: bool) -> Action {
        let verdict = match self.get_http_request_header_bytes("x-api-key") {
            // The clock is a call to the host, so only a known key pays for it.
            Some(key) => self.keys.take(&key, || self.get_current_time()),
            None => Verdict::UnknownKey,
        };
        match verdict {
            Verdict::Allowed => {
                self.set_http_request_header("x-bench", Some("1"));
                Action::Continue
            }
            Verdict::UnknownKey => self.refuse(401),
            Verdict::OutOfTokens => self.refuse(429),
        }
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end: bool) -> Action {
        self.set_http_response_header("x-served-by", Some("bench"));
        Action::Continue
    }
}

impl Policy {
    fn refuse(&self, status: u32) -> Action {
        self.send_http_response(status, Vec::new(), None);
        Action::Pause
    }
}
