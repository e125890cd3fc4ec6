//! Everything a plugin's file usually needs: `use sluice_sdk::prelude::*;`.

pub use crate::consumers::{self, Consumer};
pub use crate::fetch::{Fetch, Fetched, fetch, fetch_all};
pub use crate::meter::{Aggregation, Measure, Meter};
pub use crate::store::{self, Limit, Take, Taken};
pub use crate::{
    Asset, Body, BodyMode, Chunk, Context, Described, Duration, Error, ErrorContext, HeaderName, HeaderValue,
    Headers, HeadersMut, Method, OneOrMany, Origin, Outcome, Phase, Plugin, Problem, Reply, Request,
    Response, Result, Size, Value, Verdict, auth, bail, clock, crypto, debug, ensure, error, info, plugin,
    random, warn,
};
// `schemars` by its name because its derive refers to it so.
pub use schemars::{self, JsonSchema};
pub use serde::{Deserialize, Serialize};
