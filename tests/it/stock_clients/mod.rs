//! Clients that others have written for each protocol, through a gateway, to servers that others have written. What a client
//! saw it prints as JSON; see `tests/protocol-peers`.

mod browser;
mod connect;
mod graphql;
mod grpc;
mod grpc_web;
pub(crate) mod soap;
