//! Answers preflights and tells browsers which origins may read responses (the CORS protocol of the Fetch standard).

mod names;
mod origin;
mod vary;

use sluice_sdk::prelude::*;

pub use names::Names;
use origin::Origins;

/// The longest that a browser keeps a preflight's answer (Firefox: a day, Chromium: two hours).
const MAX_AGE: Duration = Duration::from_secs(86_400);
const MAX_ORIGINS: usize = 1_000;

/// Who may read, and what it may send.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Origins that may read responses: `https://shop.example`, `https://*.shop.example`, `http://localhost:*`, `null`,
    /// or `*` alone for all.
    #[schemars(length(min = 1, max = MAX_ORIGINS))]
    origins: Vec<String>,
    /// Methods that they may use; browsers allow GET, HEAD and POST without asking. `*` is all, without credentials.
    #[serde(default = "default_methods")]
    methods: Names<Method>,
    /// Headers that they may send; `reflect` is those that they ask for, `*` all but `Authorization`, without credentials.
    #[serde(default)]
    headers: Names<HeaderName>,
    /// Headers of the response that scripts may read beside the plain ones; `*` is all, without credentials.
    #[serde(default)]
    expose: Names<HeaderName>,
    /// Whether requests may carry cookies, HTTP authentication and client certificates.
    #[serde(default)]
    credentials: bool,
    /// How long browsers may keep the answer to a preflight, up to a day. `0s` has them ask every time.
    #[serde(default = "default_max_age")]
    max_age: Duration,
    /// Whether sites of a public network may reach this API in a private one (Private Network Access).
    #[serde(default)]
    private_network: bool,
    /// Whether preflights go on to later steps and the upstream, which then have to answer them with a 2xx.
    #[serde(default)]
    pass_preflight: bool,
}

fn default_methods() -> Names<Method> {
    Names::List(vec![Method::Get, Method::Head, Method::Post])
}

fn default_max_age() -> Duration {
    Duration::from_secs(600)
}

/// What the response phase has to tell.
#[derive(Serialize, Deserialize)]
enum Standing {
    /// This step answered a preflight itself, with all that belongs to it.
    Answered,
    /// A preflight of an origin that may read went on; its answer gets these headers.
    Passed(Vec<(String, String)>),
    /// An origin that may read.
    Reads(String),
}

const STANDING: Value<Standing> = Value::step("standing");

/// The policy.
pub struct Cors {
    origins: Origins,
    methods: Option<String>,
    headers: Option<String>,
    reflect: bool,
    expose: Option<String>,
    credentials: bool,
    max_age: String,
    private_network: bool,
    pass_preflight: bool,
    /// What the answer to a preflight depends on.
    preflight_vary: Vec<&'static str>,
}

#[plugin]
impl Plugin for Cors {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        ensure!(!config.origins.is_empty(), "`origins` is empty: say who may read, or `[\"*\"]`");
        ensure!(config.origins.len() <= MAX_ORIGINS, "`origins` has more than {MAX_ORIGINS} entries");
        let origins = Origins::parse(&config.origins).context("`origins`")?;
        check_credentials(&config, &origins)?;
        if let Names::List(methods) = &config.methods {
            methods.iter().try_for_each(check_method)?;
        }
        ensure!(config.methods != Names::Reflect, "`methods`: name them, or `*`; `reflect` is for `headers`");
        ensure!(config.expose != Names::Reflect, "`expose`: name them, or `*`; `reflect` is for `headers`");
        ensure!(config.max_age <= MAX_AGE, "`max_age` is at most \"1d\": no browser keeps it longer");
        let reflect = config.headers == Names::Reflect;
        let mut preflight_vary = vec!["Origin", "Access-Control-Request-Method"];
        if reflect {
            preflight_vary.push("Access-Control-Request-Headers");
        }
        if config.private_network {
            preflight_vary.push("Access-Control-Request-Private-Network");
        }
        Ok(Self {
            origins,
            methods: config.methods.to_field(),
            headers: config.headers.to_field(),
            reflect,
            expose: config.expose.to_field(),
            credentials: config.credentials,
            max_age: config.max_age.as_secs().to_string(),
            private_network: config.private_network,
            pass_preflight: config.pass_preflight,
            preflight_vary,
        })
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let headers = request.headers();
        let sent = headers.get_all("origin");
        if sent.is_empty() {
            return Ok(Verdict::Continue);
        }
        let origin = match &sent[..] {
            [origin] => origin.as_str().filter(|origin| self.origins.allow(origin)).map(str::to_owned),
            // Of several it would be a guess whose request this is.
            _ => None,
        };
        if request.method() == Method::Options && headers.contains("access-control-request-method") {
            return self.on_preflight(&headers, origin.as_deref(), ctx);
        }
        if let Some(origin) = origin
            && !self.origins.is_any()
        {
            ctx.set(&STANDING, &Standing::Reads(origin))?;
        }
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let standing = ctx.get(&STANDING)?;
        if let Some(Standing::Answered) = standing {
            return Ok(Verdict::Continue);
        }
        let mut headers = response.headers_mut();
        // One voice: a browser refuses a response that says who may read twice.
        headers.remove_prefix("access-control-")?;
        match standing {
            Some(Standing::Passed(fields)) => {
                fields.iter().try_for_each(|(name, value)| headers.set(name, value))?;
                vary::add(&mut headers, &self.preflight_vary)?;
            }
            Some(Standing::Reads(origin)) => {
                let fields = self.permit(&origin);
                fields.iter().try_for_each(|(name, value)| headers.set(name, value))?;
            }
            // For everybody the same, asked or not: a cache may keep one response for all.
            _ if self.origins.is_any() => {
                let fields = self.permit("*");
                fields.iter().try_for_each(|(name, value)| headers.set(name, value))?;
            }
            _ => {}
        }
        if !self.origins.is_any() {
            vary::add(&mut headers, &["Origin"])?;
        }
        Ok(Verdict::Continue)
    }
}

impl Cors {
    fn on_preflight(
        &self,
        request: &Headers<'_>,
        origin: Option<&str>,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let vary = self.preflight_vary.join(", ");
        let refuse = |problem: Problem, ctx: &mut Context| {
            ctx.set(&STANDING, &Standing::Answered)?;
            Ok(Verdict::respond(problem.header("vary", &vary)))
        };
        let Some(origin) = origin else {
            if self.pass_preflight {
                return Ok(Verdict::Continue);
            }
            let detail = "this origin may not read responses of this API";
            return refuse(Problem::forbidden(detail).kind("origin-denied"), ctx);
        };
        let Some(asked) = names::asked(&request.get_all("access-control-request-headers")) else {
            let detail = "`Access-Control-Request-Headers` is no list of header names, or too long";
            return refuse(Problem::bad_request(detail).kind("preflight-malformed"), ctx);
        };
        let private =
            request.get("access-control-request-private-network").is_some_and(|asks| asks == "true");
        let fields = self.answer(origin, &asked, private);
        if self.pass_preflight {
            let owned = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            ctx.set(&STANDING, &Standing::Passed(owned.collect()))?;
            return Ok(Verdict::Continue);
        }
        ctx.set(&STANDING, &Standing::Answered)?;
        let reply = Reply::new(204).header("vary", &vary);
        Ok(fields.into_iter().fold(reply, |reply, (name, value)| reply.header(name, value)).into())
    }

    /// What a preflight of an origin that may read is told. Whether method and headers are among them, the browser finds.
    fn answer<'a>(&'a self, origin: &'a str, asked: &'a str, private: bool) -> Vec<(&'static str, &'a str)> {
        let mut fields = self.reader(origin);
        fields.extend(self.methods.as_deref().map(|methods| ("access-control-allow-methods", methods)));
        let asked = Some(asked).filter(|asked| self.reflect && !asked.is_empty());
        let headers = self.headers.as_deref().or(asked);
        fields.extend(headers.map(|headers| ("access-control-allow-headers", headers)));
        fields.push(("access-control-max-age", &self.max_age));
        if self.private_network && private {
            fields.push(("access-control-allow-private-network", "true"));
        }
        fields
    }

    /// What any other response tells.
    fn permit<'a>(&'a self, origin: &'a str) -> Vec<(&'static str, &'a str)> {
        let mut fields = self.reader(origin);
        fields.extend(self.expose.as_deref().map(|names| ("access-control-expose-headers", names)));
        fields
    }

    fn reader<'a>(&self, origin: &'a str) -> Vec<(&'static str, &'a str)> {
        let origin = if self.origins.is_any() { "*" } else { origin };
        let mut fields = vec![("access-control-allow-origin", origin)];
        if self.credentials {
            fields.push(("access-control-allow-credentials", "true"));
        }
        fields
    }
}

/// Fetch, "CORS protocol and credentials": `*` is no wildcard where credentials are allowed. What would open them to everybody is refused.
fn check_credentials(config: &Config, origins: &Origins) -> Result<()> {
    if !config.credentials {
        return Ok(());
    }
    ensure!(
        !origins.is_any(),
        "`origins` is `*` and `credentials` is true: any site could act as its visitors; name them"
    );
    // A sandboxed frame of any site has this origin.
    ensure!(
        !origins.names_null(),
        "`origins` has `null` and `credentials` is true: any site can send `null`"
    );
    for (key, any) in [
        ("methods", config.methods == Names::Any),
        ("headers", config.headers == Names::Any),
        ("expose", config.expose == Names::Any),
    ] {
        ensure!(
            !any,
            "`{key}` is `*` and `credentials` is true: browsers then take `*` for a name; list them"
        );
    }
    Ok(())
}

fn check_method(method: &Method) -> Result<()> {
    let capitals = method.as_str().to_ascii_uppercase();
    ensure!(
        !matches!(capitals.as_str(), "CONNECT" | "TRACE" | "TRACK"),
        "`methods`: browsers never send `{capitals}`"
    );
    let known = !matches!(Method::from(capitals.as_str()), Method::Other(_));
    ensure!(!known || method.as_str() == capitals, "`methods`: `{method}` is not `{capitals}`: case matters");
    Ok(())
}
