//! The trait that a plugin implements and what the `#[plugin]` macro adds to it.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use sluice_abi::{ABI_VERSION, Descriptor, Isolation, Outcome, Phase};

use crate::{Body, Chunk, Context, Request, Response, Result, Verdict};

/// A policy. Put [`#[plugin]`](crate::plugin) on the `impl`: it sees which phases are written and declares those.
///
/// Phases take `&self`: instances are interchangeable, and nothing in them may belong to one exchange. Where that is not possible,
/// as with a compressor that sees a body pass, `#[plugin(isolation = "exchange")]` gives each exchange an instance of its own.
/// There are only so many: one that would rather be left out of an exchange than fail it says `dispensable` beside it. It is never left out
/// where its configuration has a phase for request bodies, since steps behind it may rely on what it makes of them.
pub trait Plugin: Sized + 'static {
    /// The step's configuration. Its JSON Schema is checked by `sluice check`; its doc comments become descriptions.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds the plugin from a configuration that satisfies the schema. What the schema cannot say is refused here.
    fn new(config: Self::Config) -> Result<Self>;

    /// Checks the plugin once at load, before it serves.
    fn self_test(&self) -> Result<()> {
        Ok(())
    }

    /// Whether this configuration leaves a phase that is written nothing to do. Asked once at load, and for native tests;
    /// a phase that is skipped is never called and costs nothing.
    fn skips(&self, phase: Phase) -> bool {
        let _ = phase;
        false
    }

    /// The request's head.
    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let _ = (request, ctx);
        Ok(Verdict::Continue)
    }

    /// The whole request body, bounded by the plugin's `body` limit. The head can still be changed.
    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        let _ = (request, body, ctx);
        Ok(Verdict::Continue)
    }

    /// One chunk of the request body as it passes. Beside `on_request_body` it is for exchanges in which that was not chosen with
    /// [`body_mode`](Context::body_mode).
    ///
    /// The last one has nothing new in it and comes after all others, for what was held back. The head has been sent: an answer ends what the
    /// upstream receives, and reaches the client unless the upstream has answered already; an `Err` ends the exchange as the
    /// operator's `on_error` says.
    fn on_request_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<Verdict> {
        let _ = (chunk, ctx);
        Ok(Verdict::Continue)
    }

    /// The response's head. [`Verdict::Respond`] replaces the response, whose body this plugin is not shown then.
    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let _ = (response, ctx);
        Ok(Verdict::Continue)
    }

    /// The whole response body, bounded by the plugin's `body` limit. The head can still be changed.
    fn on_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let _ = (response, body, ctx);
        Ok(Verdict::Continue)
    }

    /// One chunk of the response body as it passes. Beside `on_response_body` it is for exchanges in which that was not chosen with
    /// [`body_mode`](Context::body_mode).
    ///
    /// The last one has nothing new in it and comes after all others. The head has been sent: an `Err` can only cut the
    /// response off.
    fn on_response_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<()> {
        let _ = (chunk, ctx);
        Ok(())
    }

    /// After the last byte: what became of the exchange.
    fn on_complete(&self, outcome: &Outcome, ctx: &mut Context) -> Result<()> {
        let _ = (outcome, ctx);
        Ok(())
    }
}

/// What `#[plugin]` finds out about a [`Plugin`].
pub trait Described: Plugin {
    /// The plugin's name: the crate's, unless given.
    const NAME: &'static str;
    /// The crate's version.
    const VERSION: &'static str;
    /// One sentence for people.
    const DESCRIPTION: &'static str;
    /// The phases that are written.
    const PHASES: &'static [Phase];
    /// The capabilities that are wanted.
    const CAPABILITIES: &'static [&'static str];
    /// The capabilities that it can do without.
    const OPTIONAL: &'static [&'static str];
    /// Whether exchanges may share an instance.
    const ISOLATION: Isolation;
    /// Whether an exchange may go on without it.
    const DISPENSABLE: bool;

    /// What the plugin says of itself.
    #[must_use]
    fn descriptor() -> Descriptor {
        Descriptor {
            abi: ABI_VERSION,
            name: Self::NAME.to_owned(),
            version: Self::VERSION.to_owned(),
            description: Self::DESCRIPTION.to_owned(),
            phases: Self::PHASES.to_vec(),
            capabilities: Self::CAPABILITIES.iter().map(|&kind| kind.to_owned()).collect(),
            optional: Self::OPTIONAL.iter().map(|&kind| kind.to_owned()).collect(),
            isolation: Self::ISOLATION,
            dispensable: Self::DISPENSABLE,
            config_schema: schemars::schema_for!(Self::Config).to_value(),
        }
    }
}
