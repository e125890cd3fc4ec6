//! Tests of plugins: natively against a fake gateway, and the same tests against the compiled module.
//!
//! ```
//! use sluice_sdk::prelude::*;
//! use sluice_sdk_testing::{Consumer, Harness, Request, json};
//!
//! # #[derive(Deserialize, JsonSchema)]
//! # struct Config {}
//! # struct Greeter;
//! #[plugin]
//! impl Plugin for Greeter {
//! #    type Config = Config;
//! #    fn new(_: Config) -> Result<Self> { Ok(Self) }
//!     // ...
//!     fn on_request(&self, request: &mut sluice_sdk::Request, ctx: &mut Context) -> Result<Verdict> {
//!         request.headers_mut().set("x-greeting", format!("hello {}", ctx.client_address()))?;
//!         Ok(Verdict::Continue)
//!     }
//! }
//!
//! let plugin = Harness::<Greeter>::new(json!({})).start().unwrap();
//! let exchange = plugin.send(Request::get("/orders").client("192.0.2.7"));
//! assert_eq!(exchange.forwarded().header("x-greeting"), Some("hello 192.0.2.7"));
//! ```
//!
//! With `SLUICE_TEST_WASM` naming a `.wasm` file (`sluice plugin test` and `cargo xtask test` set it) the
//! harness does not call the plugin in this process: it starts `$SLUICE_BIN plugin harness FILE` (`sluice`
//! on the `PATH` if that is not set) and holds the conversation of [`sluice_abi::harness`] with it. Nothing
//! in the test changes, and both have to give the same results. `SLUICE_CACHE` may name a directory in which the harness
//! keeps compiled code, so that not every test compiles the plugin anew.
//!
//! Natively the harness is stricter than the compiler: it takes turns between two instances of the plugin,
//! so that one which keeps an exchange's state in itself fails its tests, and it refuses a host call whose
//! capability `#[plugin(capabilities(...))]` does not name.

mod exchange;
mod harness;
mod message;
mod native;
mod process;

pub use exchange::Exchange;
pub use harness::{Consumer, Harness, Meter, Refused, TestPlugin};
pub use message::{Answer, Request, Response};
pub use serde_json::{Value, json};
pub use sluice_abi::harness as protocol;
pub use sluice_abi::{Aggregation, Measure, Recorded};
