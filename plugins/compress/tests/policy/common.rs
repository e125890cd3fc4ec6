//! The plugin, and bodies to compress.

use compress::Compress;
use sluice_sdk_coding::decode;
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, Value};

const LARGE: usize = 64 << 20;

pub(crate) fn plugin(config: Value) -> TestPlugin {
    Harness::<Compress>::new(config).start().expect("the configuration is good")
}

pub(crate) fn accepting(value: &str) -> Request {
    Request::get("/").with_header("accept-encoding", value)
}

/// Text that compresses, and not only into one long match.
pub(crate) fn text(length: usize) -> Vec<u8> {
    let lines = (0_u64..).flat_map(|number| {
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        format!("{{\"id\":{number},\"hash\":\"{hash:016x}\",\"state\":\"open\"}}\n").into_bytes()
    });
    lines.take(length).collect()
}

/// As an upstream that knows its length sends it.
pub(crate) fn json_response(body: &[u8]) -> Response {
    Response::new(200)
        .with_header("content-type", "application/json; charset=utf-8")
        .with_header("content-length", body.len().to_string())
        .with_chunks(body.chunks(4096))
}

pub(crate) fn decoded(response: &Response) -> Vec<u8> {
    decode(response.header("content-encoding"), &response.body(), LARGE)
        .expect("it is well-formed")
        .into_owned()
}
