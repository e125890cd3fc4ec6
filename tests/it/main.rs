//! The gateway as its users meet it: a process, a configuration, sockets. One file per subject.
#![allow(clippy::unwrap_used, reason = "tests")]

mod admin;
mod authorization;
mod caching;
mod capabilities;
mod check;
mod commands;
mod consumers;
mod contract;
mod counters;
mod damage;
mod deadlines;
mod documents;
mod drain;
mod edge;
mod examples;
mod exports;
mod faults;
mod groups;
mod grpc;
#[path = "../harness/mod.rs"]
mod harness;
mod headers;
mod identity_provider;
mod ledger;
mod limits;
mod logging;
mod messages;
mod metering;
mod monetization;
mod phases;
mod policies;
mod pooling;
mod postgres;
mod protocols;
mod proxying;
mod refused;
mod reload;
mod routing;
mod stock_clients;
mod tokens;
mod transforms;
mod translation;
mod usage;
mod vectors;
mod zoo;
