//! Admits requests that carry a known API key, and tells the upstream who is asking.

use sluice_sdk::prelude::*;

/// Where keys are looked for, and what becomes of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Header that carries the key.
    #[serde(default = "default_header")]
    header: HeaderName,
    /// Query parameter that may carry it instead. Queries end up in logs and histories: prefer the header.
    #[serde(default)]
    query: Option<String>,
    /// Cookie that may carry it instead.
    #[serde(default)]
    cookie: Option<String>,
    /// Whether the key is taken away before the request goes to the upstream.
    #[serde(default = "default_hide")]
    hide: bool,
    /// The realm that `WWW-Authenticate` names.
    #[serde(default = "default_realm")]
    #[schemars(regex(pattern = r#"^[^"\\\x00-\x1f\x7f]+$"#))]
    realm: String,
}

fn default_header() -> HeaderName {
    HeaderName::from_static("x-api-key")
}

fn default_hide() -> bool {
    true
}

fn default_realm() -> String {
    "api".to_owned()
}

/// The policy.
pub struct ApiKey {
    config: Config,
    challenge: HeaderValue,
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
        ensure!(config.query.as_deref() != Some(""), "`query` is empty: leave it out if there is none");
        ensure!(config.cookie.as_deref() != Some(""), "`cookie` is empty: leave it out if there is none");
        ensure!(!config.realm.contains(['"', '\\']), "`realm` has a quote or a backslash in it");
        let challenge = format!("Key realm=\"{}\"", config.realm).parse().context("`realm`")?;
        Ok(Self { config, challenge })
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let key = match self.credential(request) {
            Credential::One(key) => key,
            Credential::None => return Ok(self.refuse("api-key-missing", "an API key is required")),
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
        auth::admit(request, ctx, Some(consumer))?;
        Ok(Verdict::Continue)
    }
}

impl ApiKey {
    fn credential(&self, request: &Request) -> Credential {
        let mut keys: Vec<Vec<u8>> = request
            .headers()
            .get_all(&self.config.header)
            .iter()
            .map(|value| value.as_bytes().to_vec())
            .collect();
        let query = self.config.query.as_deref().and_then(|name| request.query_param(name));
        let cookie = self.config.cookie.as_deref().and_then(|name| request.cookie(name));
        keys.extend(query.into_iter().chain(cookie).map(String::into_bytes));
        keys.retain(|key| !key.is_empty());
        match keys.len() {
            0 => Credential::None,
            1 => keys.pop().map_or(Credential::None, Credential::One),
            _ => Credential::Several,
        }
    }

    fn hide(&self, request: &mut Request) -> Result<()> {
        request.headers_mut().remove(&self.config.header)?;
        if let Some(name) = &self.config.query {
            request.remove_query_param(name)?;
        }
        if let Some(name) = &self.config.cookie {
            request.remove_cookie(name)?;
        }
        Ok(())
    }

    fn refuse(&self, kind: &str, detail: &str) -> Verdict {
        Verdict::respond(Problem::unauthorized(detail).kind(kind).header("www-authenticate", &self.challenge))
    }
}
