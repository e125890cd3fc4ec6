//! Whatever comes, from either side, is a call, an answer or a refusal.

mod common;

use proptest::prelude::*;
use sluice_sdk_testing::{Request, TestPlugin};

use common::{books, frames, get, grpc, refused};

thread_local! {
    // Compiled, it takes its time to start.
    static PLUGIN: &'static TestPlugin = Box::leak(Box::new(books()));
}

proptest! {
    #[test]
    fn any_request_is_a_call_or_a_refusal(
        path in "/v1(/[a-z*%:=]{0,6}|/books|/shelves|/echo|/chat|/upload){0,4}(:[a-z]{1,7})?",
        query in "([a-zA-Z_.]{0,8}|nested[.]text|anInt32|duration|value)=[a-zA-Z0-9%+.,:-]{0,6}(&[a-zA-Z_.%=]{0,9})?",
        body in r#"[\[\]{}:,"a-c\\0-9. \n]{0,30}"#,
        method in "GET|POST|PUT",
        size in 1_usize..40,
    ) {
        let plugin = PLUGIN.with(|plugin| *plugin);
        let request = Request::new(&method, &format!("{path}?{query}")).with_chunks(body.as_bytes().chunks(size));
        let exchange = plugin.send(request);
        prop_assert_eq!((exchange.failure(), exchange.fault()), (None, None));
        if !exchange.is_forwarded() {
            prop_assert!((400..500).contains(&refused(&exchange).0));
        } else {
            frames(&exchange.forwarded().body());
        }
    }

    #[test]
    fn any_response_is_answered(
        body in proptest::collection::vec(prop_oneof![Just(0_u8), 0_u8..12, any::<u8>()], 0..40),
        status in prop_oneof![Just("0"), Just("5"), Just("x"), Just("")],
        stream: bool,
        size in 1_usize..40,
    ) {
        let plugin = PLUGIN.with(|plugin| *plugin);
        let mut exchange = plugin.send(get(if stream { "/v1/shelves/1/books:watch" } else { "/v1/books/x" }));
        let response = grpc().with_chunks(body.chunks(size)).with_trailer("grpc-status", status);
        let response = exchange.respond(response);
        prop_assert_eq!((exchange.failure(), exchange.fault()), (None, None));
        if stream && response.status() == 200 {
            for line in response.text().lines() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{}", line);
            }
        }
    }
}
