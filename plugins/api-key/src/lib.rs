//! Admits requests that carry a known API key, and tells the upstream who is asking.

use sluice_sdk::prelude::*;

/// Where keys are looked for, and what becomes of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Header that carries the key, or several that may.
    #[serde(default = "default_header")]
    header: OneOrMany<HeaderName>,
    /// Query parameter that may carry it instead, or several. Queries end up in logs and histories: prefer a header.
    #[serde(default)]
    query: OneOrMany<String>,
    /// Cookie that may carry it instead, or several.
    #[serde(default)]
    cookie: OneOrMany<String>,
    /// Whether the key is taken away before the request goes to the upstream.
    #[serde(default = "default_hide")]
    hide: bool,
    /// Consumer that a request without any key is let in as. Default: such a request is refused.
    #[serde(default)]
    anonymous: Option<String>,
    /// The realm that `WWW-Authenticate` names.
    #[serde(default)]
    realm: auth::Realm,
}

fn default_header() -> OneOrMany<HeaderName> {
    HeaderName::from_static("x-api-key").into()
}

fn default_hide() -> bool {
    true
}

/// The most places that a key may be in: each is looked at for every request.
const MAX_PLACES: usize = 16;

/// The policy.
pub struct ApiKey {
    config: Config,
    challenge: String,
}

/// What a request carries.
enum Credential {
    None,
    One(Vec<u8>),
    /// Different places, or one place twice: which of them counts must not be a guess.
    Several,
}

#[plugin(capabilities(consumers))]
impl Plugin for ApiKey {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let Config { header, query, cookie, realm, .. } = &config;
        let places = header.len() + query.len() + cookie.len();
        ensure!(places > 0, "there is no place to look for keys in: give `header`, `query` or `cookie`");
        ensure!(places <= MAX_PLACES, "a key may be in at most {MAX_PLACES} places");
        ensure!(query.iter().all(|name| !name.is_empty()), "`query` is empty: leave it out if there is none");
        ensure!(
            cookie.iter().all(|name| !name.is_empty()),
            "`cookie` is empty: leave it out if there is none"
        );
        let challenge = realm.challenge("Key", &[]);
        Ok(Self { config, challenge })
    }

    fn self_test(&self) -> Result<()> {
        self.config.anonymous.as_deref().map_or(Ok(()), auth::check_consumer)
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let key = match self.credential(request) {
            Credential::One(key) => key,
            Credential::None => return self.nobody(request, ctx),
            Credential::Several => {
                return Ok(self.refuse("api-key-ambiguous", "more than one API key was sent"));
            }
        };
        let Some(consumer) = consumers::identify_key(key)? else {
            return Ok(self.refuse("api-key-unknown", "the API key is not known"));
        };
        if self.config.hide {
            self.hide(request)?;
        }
        auth::admit(request, ctx, "api-key", Some(consumer))?;
        Ok(Verdict::Continue)
    }
}

impl ApiKey {
    fn credential(&self, request: &Request) -> Credential {
        let Config { header, query, cookie, .. } = &self.config;
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for name in header {
            keys.extend(request.headers().get_all(name).iter().map(|value| value.as_bytes().to_vec()));
        }
        if !query.is_empty() {
            let params = request.query_params().into_iter();
            keys.extend(
                params
                    .filter(|(name, _)| query.iter().any(|known| known == name))
                    .map(|(_, value)| value.into_bytes()),
            );
        }
        keys.extend(cookie.iter().flat_map(|name| request.cookies(name)));
        keys.retain(|key| !key.is_empty());
        match keys.len() {
            0 => Credential::None,
            1 => keys.pop().map_or(Credential::None, Credential::One),
            _ => Credential::Several,
        }
    }

    fn hide(&self, request: &mut Request) -> Result<()> {
        for name in &self.config.header {
            request.headers_mut().remove(name)?;
        }
        for name in &self.config.query {
            request.remove_query_param(name)?;
        }
        for name in &self.config.cookie {
            request.remove_cookie(name)?;
        }
        Ok(())
    }

    fn nobody(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        match &self.config.anonymous {
            Some(name) => {
                // Places that are there but empty go too.
                if self.config.hide {
                    self.hide(request)?;
                }
                auth::admit_anonymous(request, ctx, "api-key", name)?;
                Ok(Verdict::Continue)
            }
            None => Ok(self.refuse("api-key-missing", "an API key is required")),
        }
    }

    fn refuse(&self, kind: &str, detail: &str) -> Verdict {
        Verdict::respond(Problem::unauthorized(detail).kind(kind).header("www-authenticate", &self.challenge))
    }
}
