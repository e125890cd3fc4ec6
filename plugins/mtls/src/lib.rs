//! Admits clients by the certificate that they have shown over TLS, and tells the upstream who is asking.

mod certificate;
mod glob;
mod names;
mod subject;

use sluice_sdk::prelude::*;

pub use names::{AllowConfig, Kind};

use certificate::Certificate;
use names::{Allow, Shown};

/// Headers by which the upstream learns what the certificate says. Nobody else may send them.
const HEADERS: &str = "x-client-cert-";

/// RFC 9440: what a proxy in front says of the certificate, and the gateway has read.
const CLIENT_CERT: [&str; 2] = ["client-cert", "client-cert-chain"];

const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// Who may pass, and what the upstream is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// By which names in a certificate its consumer is looked up, in this order.
    #[serde(default = "default_by")]
    by: Vec<Kind>,
    /// Whether a certificate that belongs to no consumer is refused.
    #[serde(default = "yes")]
    required: bool,
    /// One name of the certificate has to be as one of these patterns; any if not given.
    #[serde(default)]
    allow: Option<AllowConfig>,
    /// How far clocks may be apart, at most `5m`.
    #[serde(default = "default_leeway")]
    leeway: Duration,
    /// What the upstream is told, each in a header `x-client-cert-...`. The client's own of these names are always taken away.
    #[serde(default)]
    headers: Vec<Told>,
    /// Whether `Client-Cert` and `Client-Cert-Chain` of a proxy in front are taken away before the request goes to the upstream.
    #[serde(default = "yes")]
    hide: bool,
    /// Consumer as whom a request without a certificate is let in. One that is not accepted is refused all the same.
    #[serde(default)]
    anonymous: Option<String>,
    /// The realm that `WWW-Authenticate` names.
    #[serde(default)]
    realm: auth::Realm,
}

/// What the upstream is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// `x-client-cert-subject`: RFC 4514.
    Subject,
    /// `x-client-cert-san`: `URI:...`, `DNS:...` and `email:...`, with commas between.
    San,
    /// `x-client-cert-fingerprint`: `sha256:` and hexadecimal digits.
    Fingerprint,
    /// `x-client-cert-serial`: hexadecimal digits.
    Serial,
}

fn default_by() -> Vec<Kind> {
    vec![Kind::Uri, Kind::Dns, Kind::Email, Kind::Subject, Kind::Fingerprint]
}

fn default_leeway() -> Duration {
    Duration::from_secs(30)
}

fn yes() -> bool {
    true
}

/// The policy.
pub struct Mtls {
    config: Config,
    allow: Option<Allow>,
    challenge: String,
}

#[plugin(capabilities(consumers, crypto, clock))]
impl Plugin for Mtls {
    type Config = Config;

    fn new(mut config: Config) -> Result<Self> {
        let allow = config.allow.take().map(Allow::new).transpose()?;
        let Config { by, required, leeway, realm, anonymous, .. } = &config;
        let is_twice = by.iter().enumerate().any(|(index, kind)| by[..index].contains(kind));
        ensure!(!is_twice, "`by` names a kind twice");
        ensure!(
            !by.is_empty() || !required,
            "`by` is empty, so that no consumer could be found: set `required` to false"
        );
        ensure!(*leeway <= MAX_LEEWAY, "`leeway` is at most 5m");
        ensure!(anonymous.as_deref() != Some(""), "`anonymous` is empty: leave it out if there is nobody");
        let challenge = realm.challenge("Certificate", &[]);
        Ok(Self { config, allow, challenge })
    }

    fn self_test(&self) -> Result<()> {
        match &self.config.anonymous {
            Some(name) => auth::check_consumer(name).context("`anonymous`"),
            None => Ok(()),
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let Some(der) = ctx.client_certificate() else { return self.nobody(request, ctx) };
        let Some(certificate) = Certificate::read(&der) else {
            return Ok(refuse("certificate-malformed", "the certificate cannot be understood"));
        };
        let (now, leeway) = (clock::since_epoch(), self.config.leeway.get());
        // Those that a proxy vouches for, and those of long connections, were verified some time ago.
        if now > certificate.not_after + leeway {
            return Ok(refuse("certificate-expired", "the certificate has expired"));
        }
        if now + leeway < certificate.not_before {
            return Ok(refuse("certificate-not-yet-valid", "the certificate is not valid yet"));
        }
        let shown = Shown::new(certificate, &der)?;
        if self.allow.as_ref().is_some_and(|allow| !allow.permits(&shown)) {
            return Ok(refuse("certificate-not-allowed", "the certificate does not permit this"));
        }
        let consumer = shown.consumer(&self.config.by)?;
        if consumer.is_none() && self.config.required {
            return Ok(refuse("certificate-unknown", "the certificate belongs to nobody who is known here"));
        }
        self.clean(request)?;
        for told in &self.config.headers {
            let (name, value) = told.header(&shown);
            if !value.is_empty() {
                request.headers_mut().set(format!("{HEADERS}{name}"), value)?;
            }
        }
        auth::admit(request, ctx, "mtls", consumer)?;
        Ok(Verdict::Continue)
    }
}

impl Mtls {
    /// Takes away what only this step may say.
    fn clean(&self, request: &mut Request) -> Result<()> {
        let mut headers = request.headers_mut();
        headers.remove_prefix(HEADERS)?;
        if self.config.hide {
            for name in CLIENT_CERT {
                headers.remove(name)?;
            }
        }
        Ok(())
    }

    fn nobody(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let Some(name) = &self.config.anonymous else {
            let problem =
                Problem::unauthorized("a client certificate is required").kind("certificate-missing");
            return Ok(Verdict::respond(problem.header("www-authenticate", &self.challenge)));
        };
        self.clean(request)?;
        auth::admit_anonymous(request, ctx, "mtls", name)?;
        Ok(Verdict::Continue)
    }
}

impl Told {
    fn header(self, shown: &Shown) -> (&'static str, String) {
        let Certificate { serial, subject, uris, dns, emails, .. } = &shown.certificate;
        match self {
            Self::Subject => ("subject", subject.clone()),
            Self::Fingerprint => ("fingerprint", shown.fingerprint.clone()),
            Self::Serial => ("serial", serial.clone()),
            Self::San => {
                let of = |kind: &'static str, list: &[String]| {
                    // A comma in a name must not begin another.
                    list.iter()
                        .map(move |name| format!("{kind}:{}", name.replace(',', "%2C")))
                        .collect::<Vec<_>>()
                };
                ("san", [of("URI", uris), of("DNS", dns), of("email", emails)].concat().join(","))
            }
        }
    }
}

fn refuse(kind: &str, detail: &str) -> Verdict {
    Verdict::respond(Problem::forbidden(detail).kind(kind))
}
