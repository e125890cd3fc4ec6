//! Headers whose value is one of a few words, and HSTS.

use sluice_sdk::prelude::*;

/// Words of configuration that are the header's value as they are.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// Who may put the response into a frame (`X-Frame-Options`, RFC 7034).
    FrameOptions {
        /// Nobody.
        Deny = "deny",
        /// Pages of the same origin.
        SameOrigin = "sameorigin",
    }
}

words! {
    /// What `Referer` tells where a link leads (Referrer Policy).
    ReferrerPolicy {
        /// Nothing.
        NoReferrer = "no-referrer",
        /// The address, but nothing from `https` to `http`.
        NoReferrerWhenDowngrade = "no-referrer-when-downgrade",
        /// The origin.
        Origin = "origin",
        /// The origin, and the address within it.
        OriginWhenCrossOrigin = "origin-when-cross-origin",
        /// The address within the origin, else nothing.
        SameOrigin = "same-origin",
        /// The origin, but nothing from `https` to `http`.
        StrictOrigin = "strict-origin",
        /// The origin, the address within it, but nothing from `https` to `http`.
        StrictOriginWhenCrossOrigin = "strict-origin-when-cross-origin",
        /// The address.
        UnsafeUrl = "unsafe-url",
    }
}

words! {
    /// Which pages share a browsing context (`Cross-Origin-Opener-Policy`).
    OpenerPolicy {
        /// Those of the same origin.
        SameOrigin = "same-origin",
        /// Those, and windows that the page opens.
        SameOriginAllowPopups = "same-origin-allow-popups",
        /// Whoever opened the page has no hold of it.
        NoopenerAllowPopups = "noopener-allow-popups",
        /// All.
        UnsafeNone = "unsafe-none",
    }
}

words! {
    /// What a page may load (`Cross-Origin-Embedder-Policy`).
    EmbedderPolicy {
        /// What allows it by CORS or `Cross-Origin-Resource-Policy`.
        RequireCorp = "require-corp",
        /// That, and other things without credentials.
        Credentialless = "credentialless",
        /// All.
        UnsafeNone = "unsafe-none",
    }
}

words! {
    /// Who may load the response without CORS (`Cross-Origin-Resource-Policy`).
    ResourcePolicy {
        /// Pages of the same origin.
        SameOrigin = "same-origin",
        /// Pages of the same site.
        SameSite = "same-site",
        /// All.
        CrossOrigin = "cross-origin",
    }
}

words! {
    /// Which policy files Adobe's clients may use (`X-Permitted-Cross-Domain-Policies`).
    PermittedPolicies {
        /// None.
        None = "none",
        /// The master file.
        MasterOnly = "master-only",
        /// Those of the right content type.
        ByContentType = "by-content-type",
        /// All.
        All = "all",
    }
}

/// HTTP Strict Transport Security (RFC 6797).
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hsts {
    /// How long browsers come by https alone; at most 10 years. `0s` has them forget it.
    #[serde(default = "default_max_age")]
    max_age: Duration,
    /// Whether that holds for every host below this one too.
    #[serde(default = "default_include_subdomains")]
    include_subdomains: bool,
    /// Whether the host asks to be built into browsers. That is slow to undo.
    #[serde(default)]
    preload: bool,
}

const DAY: u64 = 86_400;

/// What the preload list asks for: https://hstspreload.org.
const PRELOAD_AGE: u64 = 365 * DAY;

fn default_max_age() -> Duration {
    Duration::from_secs(730 * DAY)
}

fn default_include_subdomains() -> bool {
    true
}

impl Default for Hsts {
    fn default() -> Self {
        Self { max_age: default_max_age(), include_subdomains: default_include_subdomains(), preload: false }
    }
}

impl Hsts {
    pub(crate) fn render(&self) -> Result<String> {
        let seconds = self.max_age.as_secs();
        ensure!(seconds <= 3_650 * DAY, "`max_age` is at most \"3650d\"");
        ensure!(
            seconds > 0 || self.max_age.is_zero(),
            "`max_age` is less than a second, which would be 0: to forget"
        );
        if self.preload {
            ensure!(seconds >= PRELOAD_AGE, "`preload` asks for a `max_age` of at least \"365d\"");
            ensure!(self.include_subdomains, "`preload` asks for `include_subdomains`");
        }
        let mut value = format!("max-age={seconds}");
        if self.include_subdomains {
            value.push_str("; includeSubDomains");
        }
        if self.preload {
            value.push_str("; preload");
        }
        Ok(value)
    }
}
