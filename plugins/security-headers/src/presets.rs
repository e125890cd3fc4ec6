//! Where the defaults come from: the OWASP Secure Headers Project and the OWASP REST Security Cheat Sheet.

use sluice_sdk::prelude::*;

use crate::setting::TextOr;
use crate::{
    Csp, EmbedderPolicy, FrameOptions, Hsts, OpenerPolicy, Permissions, PermittedPolicies, ReferrerPolicy,
    ResourcePolicy,
};

/// A set of defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// For an API that answers with data: what the OWASP REST Security Cheat Sheet asks for.
    #[default]
    Api,
    /// For pages: what the OWASP Secure Headers Project proposes. Pages that load from elsewhere need a policy of their own.
    Web,
    /// Only what is written.
    None,
}

/// What a preset says of each key.
#[derive(Default)]
pub(crate) struct Defaults {
    pub(crate) hsts: Option<Hsts>,
    pub(crate) nosniff: bool,
    pub(crate) frame_options: Option<FrameOptions>,
    pub(crate) referrer_policy: Option<ReferrerPolicy>,
    pub(crate) csp: Option<Csp>,
    pub(crate) permissions_policy: Option<Permissions>,
    pub(crate) opener_policy: Option<OpenerPolicy>,
    pub(crate) embedder_policy: Option<EmbedderPolicy>,
    pub(crate) resource_policy: Option<ResourcePolicy>,
    pub(crate) permitted_policies: Option<PermittedPolicies>,
    pub(crate) remove: Vec<HeaderName>,
}

const API_CSP: &str = "default-src 'none'; frame-ancestors 'none'";

const WEB_CSP: &str = "default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; \
    frame-ancestors 'none'; upgrade-insecure-requests";

/// Devices, sensors and what asks users for something: off, until a page needs it.
const WEB_PERMISSIONS: &str = "camera=(), microphone=(), geolocation=(), display-capture=(), usb=(), serial=(), hid=(), \
    midi=(), payment=(), accelerometer=(), gyroscope=(), magnetometer=(), idle-detection=(), screen-wake-lock=(), \
    xr-spatial-tracking=(), clipboard-read=(), autoplay=(self), fullscreen=()";

/// Headers that tell what a server runs on, and what tracing systems write for themselves.
const REMOVED: &str = "server product powered-by x-powered-by x-powered-cms x-server-powered-by x-powered-by-plesk \
    x-cf-powered-by x-turbo-charged-by x-aspnet-version x-aspnetmvc-version x-php-version x-generator x-generated-by \
    x-framework x-cms x-redirect-by x-drupal-cache x-backend-server x-kong-request-id x-kong-proxy-latency x-kong-upstream-latency \
    x-kong-upstream-status x-envoy-upstream-service-time x-envoy-attempt-count x-varnish-server x-varnish-backend \
    x-litespeed-cache x-mod-pagespeed x-page-speed x-nextjs-cache x-nextjs-page x-b3-traceid x-b3-spanid x-b3-sampled \
    x-datadog-trace-id x-datadog-parent-id x-runtime sourcemap x-sourcemap";

impl Preset {
    pub(crate) fn defaults(self) -> Result<Defaults> {
        let both = match self {
            Self::None => return Ok(Defaults::default()),
            Self::Api | Self::Web => Defaults {
                hsts: Some(Hsts::default()),
                nosniff: true,
                frame_options: Some(FrameOptions::Deny),
                referrer_policy: Some(ReferrerPolicy::NoReferrer),
                csp: Some(TextOr::Text(API_CSP.to_owned())),
                resource_policy: Some(ResourcePolicy::SameOrigin),
                permitted_policies: Some(PermittedPolicies::None),
                remove: REMOVED.split(' ').map(|name| Ok(name.parse()?)).collect::<Result<_>>()?,
                ..Defaults::default()
            },
        };
        if self == Self::Api {
            return Ok(both);
        }
        Ok(Defaults {
            csp: Some(TextOr::Text(WEB_CSP.to_owned())),
            permissions_policy: Some(TextOr::Text(WEB_PERMISSIONS.to_owned())),
            opener_policy: Some(OpenerPolicy::SameOrigin),
            embedder_policy: Some(EmbedderPolicy::RequireCorp),
            ..both
        })
    }
}
