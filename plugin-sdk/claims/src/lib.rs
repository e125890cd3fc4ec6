//! What policies that verify tokens have in common, however they verify them: where a token is, what it has to claim, what its
//! client is told if it does not, and how a request is let in by it.
//!
//! | A policy wants | It uses |
//! |---|---|
//! | to let requests in by tokens, from finding one to telling the upstream | [`Admission`] |
//! | tokens from a header, a query parameter or a cookie | [`PlacesConfig`], [`Places`] |
//! | to name a claim, or to compare one | [`ClaimPath`], [`Expected`] |
//! | to check audience, time or a key that the token is bound to | [`check_audience`], [`Leeway`], [`check_binding`] |
//! | scopes | [`scopes`], [`is_scope`] |
//! | consumers by a claim | [`ConsumerConfig`] |
//! | to refuse | [`Refusal`], [`Failure`] |
//!
//! What is left to a policy is how it finds out whether a token is good:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use sluice_sdk::prelude::*;
//! use sluice_sdk_claims::{Admission, AdmissionConfig, ClaimPath, Claims, Failure, Places, Refusal, check_audience};
//!
//! struct Vouched {
//!     audiences: Vec<String>,
//!     admission: Admission,
//! }
//!
//! impl Vouched {
//!     fn new(audiences: Vec<String>, realm: auth::Realm) -> Result<Self> {
//!         let admission = Admission::new(AdmissionConfig {
//!             method: "vouched",
//!             places: Places::in_header(HeaderName::from_static("authorization")),
//!             hide: true,
//!             scopes: vec![ClaimPath::named("scope")],
//!             required_scopes: vec!["read".to_owned()],
//!             claims_to_headers: BTreeMap::new(),
//!             consumer: None,
//!             anonymous: None,
//!             realm,
//!         })?;
//!         Ok(Self { audiences, admission })
//!     }
//!
//!     fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
//!         self.admission.decide(request, ctx, |token, _| self.claims(token))
//!     }
//!
//!     fn claims(&self, token: &[u8]) -> Result<Claims, Failure> {
//!         let claims = vouch_for(token)?.ok_or(Refusal::Inactive)?;
//!         check_audience(&claims, Some(&self.audiences))?;
//!         Ok(claims)
//!     }
//! }
//! # fn vouch_for(token: &[u8]) -> Result<Option<Claims>> { Ok(None) }
//! ```

mod admission;
mod answers;
mod audience;
mod binding;
mod consumer;
mod expected;
mod headers;
mod leeway;
mod path;
mod places;
mod refusal;
mod scopes;

use serde_json::{Map, Value as Json};

pub use admission::{Admission, AdmissionConfig};
pub use audience::check_audience;
pub use binding::check_binding;
pub use consumer::{By, ConsumerConfig};
pub use expected::Expected;
pub use leeway::Leeway;
pub use path::ClaimPath;
pub use places::{Places, PlacesConfig};
pub use refusal::{Failure, Refusal};
pub use scopes::{is_scope, scopes};

/// What a token says, once somebody who may has vouched for it: the claims of a JWT (RFC 7519 section 4), or the members of an
/// introspection response (RFC 7662 section 2.2).
pub type Claims = Map<String, Json>;
