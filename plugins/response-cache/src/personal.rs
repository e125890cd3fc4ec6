//! Whose response it is: what answers one person is not for everyone (RFC 9111 section 3.5).

use sluice_sdk::prelude::*;

use crate::config::{Part, Settings};

/// Whether the request comes from a person whom the key does not name. Each of those who may be known has to be in the key: the
/// consumer is often an application, and `Authorization` its user.
pub(crate) fn is_personal(request: &Request, ctx: &Context, settings: &Settings) -> Result<bool> {
    let is_keyed = |part: &Part| settings.key.contains(part);
    let has_consumer = ctx.consumer_name().is_some();
    let authorization = HeaderName::from_static("authorization");
    let is_authorized = request.headers().contains(&authorization);
    Ok(has_consumer && !is_keyed(&Part::Consumer)
        || is_authorized && !is_keyed(&Part::Header(authorization))
        || is_known_otherwise(has_consumer, ctx)?)
}

/// Whether a step has recognised somebody whom no consumer stands for, and who may have taken the credential away since.
fn is_known_otherwise(has_consumer: bool, ctx: &Context) -> Result<bool> {
    let method = ctx.get(&auth::METHOD)?;
    Ok(method.is_some_and(|method| method.others || (!has_consumer && !method.anonymous)))
}
