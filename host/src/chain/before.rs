//! What a step may have changed of an exchange before it is undone.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, Uri};

use crate::consumers::Consumer;
use crate::wasm::{ContextValues, ExchangeView};

/// An exchange as it was before a call that may have to be undone: its heads, who is asking, and what steps tell each other.
#[derive(Clone)]
pub(super) struct Before {
    request: Option<(Method, Uri, HeaderMap)>,
    response: Option<(StatusCode, HeaderMap)>,
    trailers: Option<HeaderMap>,
    consumer: Option<Arc<Consumer>>,
    context: ContextValues,
}

impl Before {
    pub(super) fn of(view: &ExchangeView) -> Self {
        let request = view.request.as_ref();
        Self {
            request: request.map(|head| (head.method.clone(), head.uri.clone(), head.headers.clone())),
            response: view.response.as_ref().map(|head| (head.status, head.headers.clone())),
            trailers: view.trailers.clone(),
            consumer: view.consumer.clone(),
            context: view.context.clone(),
        }
    }

    /// Undoes everything but what a step keeps for itself, which it may need when the exchange is complete.
    pub(super) fn restore(self, view: &mut ExchangeView) {
        if let (Some(head), Some((method, uri, headers))) = (&mut view.request, self.request) {
            (head.method, head.uri, head.headers) = (method, uri, headers);
        }
        if let (Some(head), Some((status, headers))) = (&mut view.response, self.response) {
            (head.status, head.headers) = (status, headers);
        }
        view.consumer = self.consumer;
        view.context.restore_shared(self.context);
        view.trailers = self.trailers;
        (view.written, view.hold) = (None, None);
        view.reply = None;
    }

    /// Whether somebody else is known to be asking since.
    pub(super) fn knows_less_than(&self, view: &ExchangeView) -> bool {
        let name =
            |consumer: &Option<Arc<Consumer>>| consumer.as_ref().map(|consumer| Arc::clone(&consumer.name));
        view.consumer.is_some() && name(&view.consumer) != name(&self.consumer)
    }
}
