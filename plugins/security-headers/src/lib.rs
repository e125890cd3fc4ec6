//! Writes the headers by which browsers protect users, and removes those that tell on servers.

mod csp;
mod permissions;
mod presets;
mod setting;
mod words;

use sluice_sdk::prelude::*;

pub use csp::CspTable;
pub use permissions::PermissionsTable;
pub use presets::Preset;
pub use setting::{Setting, TextOr};
pub use words::{
    EmbedderPolicy, FrameOptions, Hsts, OpenerPolicy, PermittedPolicies, ReferrerPolicy, ResourcePolicy,
};

/// A `Content-Security-Policy`.
pub type Csp = TextOr<CspTable>;
/// A `Permissions-Policy`.
pub type Permissions = TextOr<PermissionsTable>;

const MAX_REMOVED: usize = 200;

const HSTS: &str = "strict-transport-security";

/// Whether the client came by https.
const SECURE: Value<bool> = Value::step("secure");

/// Which headers responses get. A key that is not written is the preset's; `false` leaves its header out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where keys that are not written get their value.
    #[serde(default)]
    preset: Preset,
    /// Whether headers that the upstream set are replaced.
    #[serde(default, rename = "override")]
    replaces: bool,
    /// `Strict-Transport-Security`, on responses over https only.
    #[serde(default)]
    hsts: Setting<Hsts>,
    /// `X-Content-Type-Options: nosniff`.
    #[serde(default)]
    nosniff: Option<bool>,
    /// `X-Frame-Options`. Browsers follow `frame-ancestors` of `csp` instead, where there is one.
    #[serde(default)]
    frame_options: Setting<FrameOptions>,
    /// `Referrer-Policy`.
    #[serde(default)]
    referrer_policy: Setting<ReferrerPolicy>,
    /// `Content-Security-Policy`: its text, or directives with their values.
    #[serde(default)]
    csp: Setting<Csp>,
    /// `Content-Security-Policy-Report-Only`: violations are reported, not prevented.
    #[serde(default)]
    csp_report_only: Setting<Csp>,
    /// `Permissions-Policy`: its text, or features with who may use them.
    #[serde(default)]
    permissions_policy: Setting<Permissions>,
    /// `Cross-Origin-Opener-Policy`.
    #[serde(default)]
    cross_origin_opener_policy: Setting<OpenerPolicy>,
    /// `Cross-Origin-Embedder-Policy`.
    #[serde(default)]
    cross_origin_embedder_policy: Setting<EmbedderPolicy>,
    /// `Cross-Origin-Resource-Policy`.
    #[serde(default)]
    cross_origin_resource_policy: Setting<ResourcePolicy>,
    /// `X-Permitted-Cross-Domain-Policies`.
    #[serde(default)]
    permitted_cross_domain_policies: Setting<PermittedPolicies>,
    /// Headers to take away, in place of the preset's list.
    #[serde(default)]
    #[schemars(length(max = MAX_REMOVED))]
    remove: Option<Vec<HeaderName>>,
}

/// The policy.
pub struct SecurityHeaders {
    replaces: bool,
    hsts: Option<String>,
    written: Vec<(&'static str, String)>,
    /// In their order, to be searched.
    removed: Vec<HeaderName>,
}

#[plugin]
impl Plugin for SecurityHeaders {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let defaults = config.preset.defaults()?;
        let hsts = config.hsts.or(defaults.hsts).map(|hsts| hsts.render()).transpose().context("`hsts`")?;
        let mut written = Vec::new();
        let mut write = |name, value: Option<String>| written.extend(value.map(|value| (name, value)));
        let word = |word: &'static str| word.to_owned();
        write("x-content-type-options", config.nosniff.unwrap_or(defaults.nosniff).then(|| word("nosniff")));
        write("x-frame-options", config.frame_options.or(defaults.frame_options).map(|it| word(it.word())));
        write(
            "referrer-policy",
            config.referrer_policy.or(defaults.referrer_policy).map(|it| word(it.word())),
        );
        let csp = config.csp.or(defaults.csp);
        write("content-security-policy", csp.as_ref().map(csp::render).transpose().context("`csp`")?);
        let csp = config.csp_report_only.or(None);
        let csp = csp.as_ref().map(csp::render).transpose().context("`csp_report_only`")?;
        write("content-security-policy-report-only", csp);
        let permissions = config.permissions_policy.or(defaults.permissions_policy);
        let permissions = permissions.as_ref().map(permissions::render).transpose();
        write("permissions-policy", permissions.context("`permissions_policy`")?);
        let opener = config.cross_origin_opener_policy.or(defaults.opener_policy);
        write("cross-origin-opener-policy", opener.map(|it| word(it.word())));
        let embedder = config.cross_origin_embedder_policy.or(defaults.embedder_policy);
        write("cross-origin-embedder-policy", embedder.map(|it| word(it.word())));
        let resource = config.cross_origin_resource_policy.or(defaults.resource_policy);
        write("cross-origin-resource-policy", resource.map(|it| word(it.word())));
        let permitted = config.permitted_cross_domain_policies.or(defaults.permitted_policies);
        write("x-permitted-cross-domain-policies", permitted.map(|it| word(it.word())));
        let removed = sorted(config.remove.unwrap_or(defaults.remove))?;
        ensure!(
            hsts.is_some() || !written.is_empty() || !removed.is_empty(),
            "there is nothing to do: give a header, or a `preset` other than `none`"
        );
        Ok(Self { replaces: config.replaces, hsts, written, removed })
    }

    fn skips(&self, phase: Phase) -> bool {
        phase == Phase::Request && self.hsts.is_none()
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        // The gateway's word: it replaces the header unless a trusted proxy, which may be where TLS ends, sent it.
        let proto = request.headers().get("x-forwarded-proto");
        let proto = proto.as_ref().and_then(|proto| proto.as_str()).map(|proto| {
            // The first of several is the one by which the client came.
            proto.split(',').next().unwrap_or_default().trim_matches([' ', '\t']).to_ascii_lowercase()
        });
        ctx.set(&SECURE, &(proto.unwrap_or_else(|| request.scheme()) == "https"))?;
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let mut headers = response.headers_mut();
        if !self.removed.is_empty() {
            let is_removed =
                |name: &str| self.removed.binary_search_by(|known| known.as_str().cmp(name)).is_ok();
            headers.retain(|name| !is_removed(name))?;
        }
        for (name, value) in &self.written {
            self.write(&mut headers, name, value)?;
        }
        if let Some(hsts) = &self.hsts {
            if ctx.get(&SECURE)? == Some(true) {
                self.write(&mut headers, HSTS, hsts)?;
            } else {
                // RFC 6797 section 7.2: never over plain http, where anybody could have put it in.
                headers.remove(HSTS)?;
            }
        }
        Ok(Verdict::Continue)
    }
}

impl SecurityHeaders {
    fn write(&self, headers: &mut HeadersMut<'_>, name: &str, value: &str) -> Result<()> {
        if self.replaces || !headers.contains(name) { headers.set(name, value) } else { Ok(()) }
    }
}

fn sorted(mut names: Vec<HeaderName>) -> Result<Vec<HeaderName>> {
    ensure!(names.len() <= MAX_REMOVED, "`remove` has more than {MAX_REMOVED} entries");
    for name in &names {
        ensure!(!name.is_reserved() && name != "host", "`remove`: `{name}` belongs to the gateway");
    }
    names.sort();
    names.dedup();
    Ok(names)
}
