//! What surrounds the request and the response: who, where, and values that live from phase to phase.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_abi::{BodyMode, HeaderMap, Number, Scope, Text};

use crate::consumers::Consumer;
use crate::host::{self, raw};
use crate::request::read;
use crate::{ErrorContext, Method, Result};

/// The exchange around a phase.
#[derive(Debug)]
#[non_exhaustive]
pub struct Context;

/// The key of a value of type `T` that lives as long as the exchange.
///
/// ```
/// # use sluice_sdk::prelude::*;
/// const STARTED_AT: Value<u64> = Value::step("started-at");
/// # fn phase(ctx: &mut Context) -> Result<()> {
/// ctx.set(&STARTED_AT, &17)?;
/// assert_eq!(ctx.get(&STARTED_AT)?, Some(17));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Value<T> {
    scope: Scope,
    key: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> Value<T> {
    /// A value that the phases of this step share.
    #[must_use]
    pub const fn step(key: &'static str) -> Self {
        Self { scope: Scope::Step, key, of: PhantomData }
    }

    /// A value that every step of the exchange shares. Name it after the plugin: `"jwt.claims"`.
    #[must_use]
    pub const fn exchange(key: &'static str) -> Self {
        Self { scope: Scope::Exchange, key, of: PhantomData }
    }
}

impl Context {
    /// A value left by an earlier phase.
    pub fn get<T: DeserializeOwned>(&self, value: &Value<T>) -> Result<Option<T>> {
        let found = host::look(
            |out| raw::context_get(value.scope, value.key.as_bytes(), out),
            |json| serde_json::from_slice(json),
        );
        host::optional("read a context value", found)?.transpose().context(value.key)
    }

    /// Leaves a value for later phases.
    pub fn set<T: Serialize>(&mut self, value: &Value<T>, content: &T) -> Result<()> {
        let content = serde_json::to_vec(content).context(value.key)?;
        let set = raw::context_set(value.scope, value.key.as_bytes(), &content);
        host::done("write a context value", set)
    }

    /// Takes a value away.
    pub fn remove<T>(&mut self, value: &Value<T>) -> Result<()> {
        let removed =
            host::done("remove a context value", raw::context_remove(value.scope, value.key.as_bytes()));
        match removed {
            Err(error) if error.code() == Some(crate::Code::None) => Ok(()),
            other => other,
        }
    }

    /// The consumer, once an authentication step has found it.
    #[must_use]
    pub fn consumer(&self) -> Option<Consumer> {
        host::look(raw::consumer, Consumer::decode).ok()?.ok()
    }

    /// The consumer's name alone, which is cheaper.
    #[must_use]
    pub fn consumer_name(&self) -> Option<String> {
        host::text(|out| raw::text_get(Text::Consumer, out)).ok()
    }

    /// Makes this the exchange's consumer. Wants the capability `consumers`.
    ///
    /// # Panics
    /// If the host refuses. A panic fails the exchange; an error here could be overlooked and let a request
    /// through that nobody answers for.
    #[expect(clippy::needless_pass_by_value, reason = "a consumer that was identified has one use")]
    pub fn set_consumer(&mut self, consumer: Consumer) {
        let credential = consumer.credential.as_deref().unwrap_or_default();
        let set = raw::set_consumer(consumer.name.as_bytes(), credential.as_bytes());
        let set = host::done("set the consumer", set);
        set.unwrap_or_else(|error| panic!("{error}"));
    }

    /// In [`on_request`](crate::Plugin::on_request): this step does not want the request's body, so that its later body or chunk
    /// phases are not called for this exchange and the body passes as it is. In [`on_response`](crate::Plugin::on_response) the
    /// same of the response.
    ///
    /// # Panics
    /// In any other phase.
    pub fn skip_body(&mut self) {
        self.body_mode(BodyMode::Skip);
    }

    /// How this step takes the body: of the request in [`on_request`](crate::Plugin::on_request), of the response in
    /// [`on_response`](crate::Plugin::on_response). A plugin that has both a body and a chunk phase for it chooses so for each
    /// exchange; where it says nothing, the body comes in chunks.
    ///
    /// # Panics
    /// In any other phase, and if the plugin does not have the phase, or skips it.
    pub fn body_mode(&mut self, mode: BodyMode) {
        let map = if raw::number_get(Number::ResponseStatus) < 0 {
            HeaderMap::Request
        } else {
            HeaderMap::Response
        };
        let told = host::done("say how the body is taken", raw::body_mode(map, mode));
        told.unwrap_or_else(|error| panic!("{error}"));
    }

    /// The client's certificate in DER, if it has shown one over TLS to a trusted proxy, which vouches for it with `Client-Cert`
    /// (RFC 9440).
    #[must_use]
    pub fn client_certificate(&self) -> Option<Vec<u8>> {
        host::bytes(raw::certificate).ok()
    }

    /// The id of this exchange, as in logs and `X-Request-Id`.
    #[must_use]
    pub fn request_id(&self) -> String {
        read(Text::RequestId)
    }

    /// The name of the matched route.
    #[must_use]
    pub fn route(&self) -> String {
        read(Text::Route)
    }

    /// What stands in the path where the route's pattern has `{name}`, undecoded.
    #[must_use]
    pub fn path_param(&self, name: &str) -> Option<String> {
        host::text(|out| raw::path_param(name.as_bytes(), out)).ok()
    }

    /// The name of this step.
    #[must_use]
    pub fn step(&self) -> String {
        read(Text::Step)
    }

    /// The client's address without port: the peer's, or what a trusted proxy vouched for.
    #[must_use]
    pub fn client_address(&self) -> String {
        read(Text::ClientAddress)
    }

    /// The request's method, in any phase.
    #[must_use]
    pub fn method(&self) -> Method {
        Method::from(read(Text::Method).as_str())
    }

    /// The request's path, in any phase.
    #[must_use]
    pub fn path(&self) -> String {
        read(Text::Path)
    }

    /// The request's query without its `?`, in any phase.
    #[must_use]
    pub fn query(&self) -> Option<String> {
        host::text(|out| raw::text_get(Text::Query, out)).ok()
    }

    /// The authority that the client asked for, in any phase.
    #[must_use]
    pub fn authority(&self) -> String {
        read(Text::Authority)
    }

    /// The authority without its port, in any phase.
    #[must_use]
    pub fn host(&self) -> String {
        let mut authority = self.authority();
        authority.truncate(crate::types::host_length(&authority));
        authority
    }

    /// `http` or `https`, in any phase.
    #[must_use]
    pub fn scheme(&self) -> String {
        read(Text::Scheme)
    }
}
