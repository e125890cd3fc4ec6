//! Admits requests that carry a known user name and password (RFC 7617), and tells the upstream who is asking.

use data_encoding::BASE64;
use sluice_sdk::prelude::*;

/// What becomes of the credentials.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether `Authorization` is taken away before the request goes to the upstream.
    #[serde(default = "default_hide")]
    hide: bool,
    /// Consumer that a request without credentials is let in as. Default: such a request is refused.
    #[serde(default)]
    anonymous: Option<String>,
    /// The realm that `WWW-Authenticate` names; browsers show it.
    #[serde(default)]
    realm: auth::Realm,
}

fn default_hide() -> bool {
    true
}

/// The longest encoded credentials, in bytes: far more than anybody types.
const MAX_ENCODED: usize = 4096;

/// The policy.
pub struct BasicAuth {
    config: Config,
    challenge: String,
}

#[plugin(capabilities(consumers))]
impl Plugin for BasicAuth {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self { challenge: config.realm.challenge("Basic", &[("charset", "UTF-8")]), config })
    }

    fn self_test(&self) -> Result<()> {
        self.config.anonymous.as_deref().map_or(Ok(()), auth::check_consumer)
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let shown = match auth::authorization(request, "Basic") {
            Ok(Some(shown)) => shown,
            Ok(None) => return self.nobody(request, ctx),
            Err(why) => return Ok(self.refuse("basic-auth-malformed", why)),
        };
        let Some((user, password)) = decode(&shown) else {
            return Ok(self.refuse("basic-auth-malformed", "the credentials cannot be read"));
        };
        // One answer for a wrong name and a wrong password: neither is confirmed.
        let Some(consumer) = consumers::identify_password(user, password)? else {
            return Ok(self.refuse("basic-auth-unknown", "the user name or the password is wrong"));
        };
        if self.config.hide {
            request.headers_mut().remove("authorization")?;
        }
        auth::admit(request, ctx, "basic-auth", Some(consumer))?;
        Ok(Verdict::Continue)
    }
}

/// User name and password: whole, canonical Base64 of UTF-8 without control characters, divided at the first colon.
fn decode(shown: &str) -> Option<(String, String)> {
    if shown.len() > MAX_ENCODED {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(shown.as_bytes()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    let is_plain = !decoded.chars().any(char::is_control);
    is_plain.then(|| (user.to_owned(), password.to_owned()))
}

impl BasicAuth {
    fn nobody(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        match &self.config.anonymous {
            Some(name) => {
                auth::admit_anonymous(request, ctx, "basic-auth", name)?;
                Ok(Verdict::Continue)
            }
            None => Ok(self.refuse("basic-auth-missing", "a user name and a password are required")),
        }
    }

    fn refuse(&self, kind: &str, detail: &str) -> Verdict {
        Verdict::respond(Problem::unauthorized(detail).kind(kind).header("www-authenticate", &self.challenge))
    }
}
