//! Write policies for the Sluice API gateway in Rust.
//!
//! A plugin is a type with a configuration and the phases it cares about:
//!
//! ```
//! use sluice_sdk::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     /// Header that carries the key.
//!     #[serde(default = "default_header")]
//!     header: HeaderName,
//! }
//!
//! fn default_header() -> HeaderName {
//!     HeaderName::from_static("x-api-key")
//! }
//!
//! struct ApiKey {
//!     config: Config,
//! }
//!
//! #[plugin(capabilities(consumers))]
//! impl Plugin for ApiKey {
//!     type Config = Config;
//!
//!     fn new(config: Config) -> Result<Self> {
//!         Ok(Self { config })
//!     }
//!
//!     fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
//!         let Some(key) = request.headers().get(&self.config.header) else {
//!             return Ok(Verdict::respond(Problem::unauthorized("an API key is required")));
//!         };
//!         match consumers::identify_key(key)? {
//!             Some(consumer) => {
//!                 ctx.set_consumer(consumer);
//!                 Ok(Verdict::Continue)
//!             }
//!             None => Ok(Verdict::respond(Problem::unauthorized("unknown API key"))),
//!         }
//!     }
//! }
//! ```
//!
//! Its crate is a `cdylib` for `wasm32-wasip1` that depends on `sluice-sdk` and `serde`. Tests run
//! natively with `sluice-sdk-testing`, and the same tests run against the compiled module.
//!
//! # What holds
//! - Values cross from the host when they are asked for: a header that nobody reads is never copied.
//! - Instances are interchangeable. What one phase leaves for the next goes into a [`Value`],
//!   what one exchange leaves for the next goes into the [`store`].
//! - `Err` from a phase is the plugin's failure: the gateway's `on_error` decides what the client sees,
//!   and the message goes to the log, never to the client. What the client should see is a [`Reply`].
//! - A capability that is used must be named in `#[plugin(capabilities(...))]` and granted by the operator.
//!
//! [`Value`]: prelude::Value
//! [`Reply`]: prelude::Reply

mod body;
mod context;
mod error;
mod headers;
mod plugin;
mod problem;
mod reply;
mod request;
mod response;
mod types;
mod verdict;

pub mod auth;
pub mod clock;
pub mod consumers;
pub mod crypto;
pub mod fetch;
pub mod host;
pub mod jwks;
pub mod log;
pub mod meter;
pub mod path;
pub mod prelude;
pub mod random;
pub mod store;

#[doc(hidden)]
pub mod export;

pub use body::{Body, Chunk};
pub use context::{Context, Value};
pub use error::{Error, ErrorContext, Result};
pub use headers::{Headers, HeadersMut};
pub use plugin::{Described, Plugin};
pub use problem::Problem;
pub use reply::Reply;
pub use request::Request;
pub use response::{Origin, Response};
pub use sluice_abi::{BodyMode, Code, Descriptor, Isolation, Outcome, Phase, RESERVED_HEADERS};
pub use sluice_sdk_macros::plugin;
pub use types::{Asset, Duration, HeaderName, HeaderValue, InvalidValue, Method, OneOrMany, Size};
pub use verdict::Verdict;

pub use {schemars, serde, serde_json};
