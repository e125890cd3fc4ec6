//! The conversation between a plugin's tests and `sluice plugin harness FILE.wasm`.
//!
//! The harness runs one step in the real runtime, with a world that the test has made up around it.
//! It reads one [`Ask`] per line from its standard input and writes exactly one [`Answer`] per line, in
//! order, to its standard output; each is a JSON object on one line. It ends when its input does.
//! Standard error is free for the harness's own words.
//!
//! `sluice-sdk-testing` holds the same conversation with itself when a test runs natively, so what is
//! said here is also what its fake host does:
//!
//! - The first ask is [`Ask::Start`]. Until it is answered with [`Answer::Started`] nothing else is.
//! - Time stands still: `clock` gives [`World::now_ms`] until [`Ask::Advance`]; the monotonic clock begins at 0.
//! - `random` gives the numbers of [`Random`].
//! - Fetches are answered by [`Fetches`], without delay.
//! - The plugin is granted what its descriptor wants, every upstream of [`World::fetches`], every secret
//!   of [`World::secrets`] and every key set of [`World::jwks`]. A fault takes the instance, as in the gateway; the next call gets a fresh one.
//! - The meters are those of [`World::meters`]. Nothing is reserved, and no quota is held: [`Called::recorded`] tells what the plugin said.
//! - A phase that the plugin does not have is not called: the answer to such a [`Call`] is an [`Answer::Error`].
//! - The store is new at each start and lasts until the end.

mod bytes;
mod world;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{BodyMode, Descriptor, Hold, Outcome, Phase, Problem, Recorded};

pub use bytes::Bytes;
pub use world::{
    CannedAnswer, CannedFetch, Fetches, Key, KnownConsumer, Limits, Password, Random, SignatureKey, World,
};

/// Header name and value, in order.
pub type HeaderList = Vec<(String, Bytes)>;

/// What a test asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Load the plugin, check the configuration against its schema, configure it, run its self-test.
    Start(Box<Start>),
    /// Begin an exchange.
    Open(Box<Open>),
    /// Run one phase of an open exchange.
    Call(Box<Call>),
    /// Forget an exchange.
    Close {
        /// Which.
        exchange: u32,
    },
    /// Let time pass.
    Advance {
        /// So many milliseconds.
        ms: u64,
    },
}

/// What the harness answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Ask::Start`]: the plugin is ready.
    Started(Box<Descriptor>),
    /// To [`Ask::Start`]: it is not.
    Refused {
        /// How far it came.
        stage: Stage,
        /// Why: every problem, one per line.
        message: String,
    },
    /// To [`Ask::Open`], [`Ask::Close`] and [`Ask::Advance`].
    Done,
    /// To [`Ask::Call`].
    Called(Box<Called>),
    /// The ask makes no sense here: a mistake of the test, not of the plugin.
    Error {
        /// What is wrong with it.
        message: String,
    },
}

/// How far a plugin came that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The module is not a plugin, or wants what it cannot have.
    Load,
    /// The configuration does not satisfy the schema, or `new` refused it.
    Config,
    /// The self-test failed.
    SelfTest,
}

/// How to begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The step's configuration.
    pub config: serde_json::Value,
    /// What surrounds the plugin.
    pub world: World,
}

/// An exchange that begins, as the step finds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// The test's number for it.
    pub exchange: u32,
    /// The request.
    pub request: RequestHead,
    /// `http` or `https`.
    pub scheme: String,
    /// `HTTP/1.1` or `HTTP/2`.
    #[serde(default = "http_1_1")]
    pub protocol: String,
    /// Host and, if given, port.
    pub authority: String,
    /// The client's address.
    pub client_address: String,
    /// The exchange's id.
    pub request_id: String,
    /// The matched route's name.
    pub route: String,
    /// The step's name.
    pub step: String,
    /// The path segments that the route names, with their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path_params: Vec<(String, String)>,
    /// Whether it comes with a body.
    #[serde(default)]
    pub has_body: bool,
    /// The client's certificate in DER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Bytes>,
    /// A consumer of the world whom an earlier step has found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Context values of exchange scope that earlier steps have left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: HeaderList,
}

fn http_1_1() -> String {
    "HTTP/1.1".into()
}

/// A request's head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestHead {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query without its `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The headers, in order, `Host` included.
    pub headers: HeaderList,
}

/// A response's head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// The headers, in order.
    pub headers: HeaderList,
}

/// One phase to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Which exchange.
    pub exchange: u32,
    /// Which phase.
    pub phase: Phase,
    /// The body or chunk, in the phases that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Bytes>,
    /// Whether this chunk is the last.
    #[serde(default)]
    pub last: bool,
    /// The trailers after it, in the phases that have the end of a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailers: Option<HeaderList>,
    /// The response's head, in the first response phase that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<ResponseHead>,
    /// Whose that response is: an [`Origin`](crate::Origin).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<i32>,
    /// How the exchange ended, in the complete phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What a phase did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// What it decided.
    pub decision: Decision,
    /// The request's head as it now stands, in the request phases before the head is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestHead>,
    /// The response's head as it now stands, in the response phases before the head is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<ResponseHead>,
    /// The body or chunk as it now stands, in the phases that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Bytes>,
    /// The name of the exchange's consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// How it takes the body of the message at hand, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_mode: Option<BodyMode>,
    /// What it keeps of the chunk for another call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The trailers as they now stand, in the phases that have the end of a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailers: Option<HeaderList>,
    /// What it logged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
    /// What it fetched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetched: Vec<Sent>,
    /// What the exchange has recorded so far, this phase included, by the meter's name. A meter of which nothing was recorded, or
    /// of which everything was cancelled, is not in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recorded: BTreeMap<String, Recorded>,
}

/// What a phase decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Go on with the next step.
    Continue,
    /// Answer the client with this.
    Respond(Box<Answered>),
    /// It returned an error, with this message.
    Failed {
        /// The message, as `fail` was given it.
        message: String,
    },
    /// It panicked, ran out of something, or answered nonsense.
    Fault {
        /// What happened. If it panicked, the panic's message is in it.
        message: String,
    },
}

/// An answer as the plugin gave it, before the gateway completes a problem document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The status code.
    pub status: u16,
    /// The headers that the plugin gave.
    pub headers: HeaderList,
    /// The body of an answer that is no problem document.
    pub body: Bytes,
    /// The problem document, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// A line that the plugin logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// `error`, `warn`, `info` or `debug`.
    pub level: String,
    /// The line.
    pub message: String,
}

/// A request that the plugin sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Through which upstream.
    pub upstream: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers that the plugin gave.
    pub headers: HeaderList,
    /// The body.
    pub body: Bytes,
}
