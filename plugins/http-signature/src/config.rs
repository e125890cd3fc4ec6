//! The configuration, and what it means once it has been checked.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;

use crate::algorithm::{self, Algorithm};
use crate::base;
use crate::compat::{self, Compat};
use crate::component::{Component, Form, Shape};
use crate::digest::{self, Accepted, Mode};
use crate::input;
use crate::refusal::Challenges;
use crate::structured::{Structure, Structured};

/// Which signatures are accepted, and what they have to cover.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Components that a signature has to cover, or what says as much as they do: `"@method"`, `"date"`,
    /// `"@query-param;name=\"id\""`. At most 32, of which 16 with `sf`, `key` or of `@query-param`.
    #[serde(default = "default_required")]
    #[schemars(length(max = MAX_REQUIRED))]
    required: Vec<String>,
    /// Algorithms that are accepted, as far as a key is for them.
    #[serde(default = "default_algorithms")]
    #[schemars(length(min = 1, max = 8))]
    algorithms: Vec<Algorithm>,
    /// How old a signature may be, 1 s to 1 d. It has to state when it was made.
    #[serde(default = "default_max_age")]
    max_age: Duration,
    /// How far a client's clock may be wrong, at most 5 m.
    #[serde(default = "default_leeway")]
    leeway: Duration,
    /// Whether a signature has to state when it ends.
    #[serde(default)]
    require_expires: bool,
    /// Whether a signature has to have a nonce.
    #[serde(default)]
    require_nonce: bool,
    /// Whether a signature is accepted once only. Wants the capability `store`.
    #[serde(default)]
    replay: bool,
    /// Tag that the signature has.
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    tag: Option<String>,
    /// Label of the signature that counts. Default: there may be only one, or one with the `tag`.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[a-z*][a-z0-9_.*-]{0,63}$"))]
    label: Option<String>,
    /// What is demanded of a body: that it has a digest which the signature covers, that a digest is right if there is one, or
    /// nothing.
    #[serde(default)]
    digest: Mode,
    /// Whether `Repr-Digest` is taken for a digest of the body too.
    #[serde(default)]
    repr_digest: bool,
    /// Further fields that are structured, so that `sf` and `key` can be used with them.
    #[serde(default)]
    structured: BTreeMap<HeaderName, Structure>,
    /// Older forms that are accepted too.
    #[serde(default)]
    compat: OneOrMany<Compat>,
    /// What a signature of an older form has to cover, beside when it was made: `(request-target)`, or names of fields.
    #[serde(default = "default_compat_required")]
    #[schemars(length(max = MAX_REQUIRED))]
    compat_required: Vec<String>,
    /// How far `Date`, `X-Date` or `(created)` may be from now, either way, in the older forms; 1 s to 1 d.
    #[serde(default = "default_clock_skew")]
    clock_skew: Duration,
    /// Whether the signature is taken away before the request goes to the upstream.
    #[serde(default)]
    hide: bool,
    /// Consumer that a request without any signature is let in as. Default: such a request is refused.
    #[serde(default)]
    anonymous: Option<String>,
    /// The realm that `WWW-Authenticate` names.
    #[serde(default)]
    realm: auth::Realm,
}

/// Each is looked for in every request.
const MAX_REQUIRED: usize = 32;

fn default_required() -> Vec<String> {
    ["@method", "@authority", "@path", "@query"].map(str::to_owned).to_vec()
}

fn default_algorithms() -> Vec<Algorithm> {
    algorithm::DEFAULT.to_vec()
}

fn default_max_age() -> Duration {
    Duration::from_secs(300)
}

fn default_leeway() -> Duration {
    Duration::from_secs(30)
}

fn default_compat_required() -> Vec<String> {
    ["(request-target)", "host"].map(str::to_owned).to_vec()
}

fn default_clock_skew() -> Duration {
    Duration::from_secs(300)
}

/// The configuration, checked.
pub(crate) struct Policy {
    pub(crate) required: Vec<Component>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) max_age: Duration,
    pub(crate) leeway: Duration,
    pub(crate) require_expires: bool,
    pub(crate) require_nonce: bool,
    pub(crate) replay: bool,
    pub(crate) tag: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) digest: Mode,
    pub(crate) repr_digest: bool,
    pub(crate) structured: Structured,
    pub(crate) compat: Vec<Compat>,
    pub(crate) compat_required: Vec<String>,
    pub(crate) clock_skew: Duration,
    pub(crate) hide: bool,
    pub(crate) anonymous: Option<String>,
    pub(crate) challenges: Challenges,
}

impl Policy {
    pub(crate) fn new(config: Config) -> Result<Self> {
        check(&config)?;
        let structured = Structured::new(config.structured);
        let required = required(&config.required, &structured)?;
        let compat_required: Vec<String> =
            config.compat_required.iter().map(|name| name.to_ascii_lowercase()).collect();
        let wrong = compat_required.iter().find(|name| !compat::is_coverable(name));
        if let Some(name) = wrong {
            bail!("`compat_required`: `{name}` is neither `(request-target)` nor the name of a field");
        }
        let mut policy = Self {
            required,
            algorithms: config.algorithms,
            max_age: config.max_age,
            leeway: config.leeway,
            require_expires: config.require_expires,
            require_nonce: config.require_nonce,
            replay: config.replay,
            tag: config.tag,
            label: config.label,
            digest: config.digest,
            repr_digest: config.repr_digest,
            structured,
            compat: config.compat.into_vec(),
            compat_required,
            clock_skew: config.clock_skew,
            hide: config.hide,
            anonymous: config.anonymous,
            challenges: Challenges {
                authenticate: Vec::new(),
                accept: String::new(),
                accept_with_body: String::new(),
            },
        };
        policy.challenges = policy.challenges(&config.realm)?;
        Ok(policy)
    }

    /// Which digests count in a signature of an older form, or of RFC 9421's.
    pub(crate) fn digests(&self, old: bool) -> Accepted {
        Accepted { mode: self.digest, representation: self.repr_digest, old }
    }

    fn challenges(&self, realm: &auth::Realm) -> Result<Challenges> {
        let names = self.compat_required.join(" ");
        let mut authenticate = vec![realm.challenge("Signature", &[])];
        if self.compat.contains(&Compat::Cavage) {
            let names = format!("{names} date");
            authenticate = vec![realm.challenge("Signature", &[("headers", &names)])];
        }
        if self.compat.contains(&Compat::KongHmac) {
            authenticate.push(realm.challenge("hmac", &[]));
        }
        let digest = Component::configured(digest::CONTENT).map_err(Error::new)?;
        let label = self.label.as_deref().unwrap_or("sig");
        let only = match self.algorithms.as_slice() {
            [only] => only.registered(),
            _ => None,
        };
        let wanted = |components: &[&Component]| {
            let wanted = base::wanted(components, self.tag.as_deref(), self.require_expires, only);
            format!("{label}={wanted}")
        };
        let mut components: Vec<&Component> = self.required.iter().collect();
        let accept = wanted(&components);
        if self.digest == Mode::Required && !digest.is_covered_by(&self.required) {
            components.push(&digest);
        }
        Ok(Challenges { authenticate, accept, accept_with_body: wanted(&components) })
    }
}

fn check(config: &Config) -> Result<()> {
    ensure!(!config.algorithms.is_empty(), "`algorithms` is empty: give at least one");
    for (key, duration) in [("max_age", config.max_age), ("clock_skew", config.clock_skew)] {
        let fits = (1..=86_400).contains(&duration.as_secs());
        ensure!(fits, "`{key}` is {duration}: it is at least 1s and at most 1d");
    }
    ensure!(config.leeway <= Duration::from_secs(300), "`leeway` is more than 5m");
    if let Some(label) = &config.label {
        ensure!(
            label.len() <= 64 && sfv::KeyRef::from_str(label).is_ok(),
            "`label` is `{label}`: a label has up to 64 of a-z, 0-9, `_`, `-`, `.` and `*`, and begins with a letter or `*`"
        );
    }
    if let Some(tag) = &config.tag {
        let fits = (1..=256).contains(&tag.len()) && sfv::StringRef::from_str(tag).is_ok();
        ensure!(fits, "`tag` has 1 to 256 visible ASCII characters and spaces");
    }
    let counts = config.required.len().max(config.compat_required.len());
    ensure!(
        counts <= MAX_REQUIRED,
        "`required` and `compat_required` have at most {MAX_REQUIRED} entries each"
    );
    let is_for_9421 = config.algorithms.iter().any(|known| known.registered().is_some());
    ensure!(
        is_for_9421 || !config.compat.is_empty(),
        "`algorithms` has none that RFC 9421 has: hmac-sha384 and hmac-sha512 are for `compat`"
    );
    let mut forms = config.compat.iter().collect::<Vec<_>>();
    forms.dedup();
    ensure!(forms.len() == config.compat.len() && forms.len() <= 2, "`compat` has a form twice");
    Ok(())
}

fn required(names: &[String], structured: &Structured) -> Result<Vec<Component>> {
    let mut required: Vec<Component> = Vec::new();
    for name in names {
        let component =
            Component::configured(name).map_err(|why| Error::new(format!("`required`: `{name}`: {why}")))?;
        if let Shape::Field(field, form @ (Form::Strict | Form::Member(_))) = &component.shape {
            let known = structured.of(field);
            let fits =
                if *form == Form::Strict { known.is_some() } else { known == Some(Structure::Dictionary) };
            ensure!(
                fits,
                "`required`: `{name}`: `{field}` is not in `structured` as what it would have to be"
            );
        }
        let is_new = required.iter().all(|known| known.shape != component.shape);
        ensure!(is_new, "`required`: `{name}` is there twice");
        required.push(component);
    }
    ensure!(
        required.iter().filter(|component| component.is_parsed()).count() <= input::MAX_PARSED_COMPONENTS,
        "`required` has more than {} components with `sf`, `key` or of `@query-param`",
        input::MAX_PARSED_COMPONENTS
    );
    Ok(required)
}
