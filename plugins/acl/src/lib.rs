//! Permits or refuses by who is asking: consumer, group, scope and claim. Stands behind an authentication step.

mod rule;

use sluice_sdk::prelude::*;

pub use rule::RuleConfig;
use rule::{Asker, Rule};

/// Who may.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whoever satisfies one of these may. Default: everyone whom `deny` does not name.
    #[serde(default)]
    #[schemars(length(max = MAX_RULES))]
    allow: Vec<RuleConfig>,
    /// Whoever satisfies one of these may not, whatever `allow` says.
    #[serde(default)]
    #[schemars(length(max = MAX_RULES))]
    deny: Vec<RuleConfig>,
}

/// Each rule is work for every request.
const MAX_RULES: usize = 64;

/// The policy.
pub struct Acl {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
    /// `WWW-Authenticate` where a scope would help (RFC 6750 section 3.1).
    challenge: Option<String>,
}

#[plugin]
impl Plugin for Acl {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let Config { allow, deny } = config;
        ensure!(
            !(allow.is_empty() && deny.is_empty()),
            "there is nothing to decide by: give `allow` or `deny`"
        );
        ensure!(allow.len() <= MAX_RULES && deny.len() <= MAX_RULES, "there are more than {MAX_RULES} rules");
        let compile = |rules: Vec<RuleConfig>, name: &str| -> Result<Vec<Rule>> {
            let rules = rules.into_iter().enumerate();
            rules.map(|(at, rule)| Rule::new(rule).context(format!("`{name}[{at}]`"))).collect()
        };
        let allow: Vec<Rule> = compile(allow, "allow")?;
        let scopes: Vec<&str> = allow.iter().flat_map(Rule::scopes).collect();
        let challenge = (!scopes.is_empty()).then(|| {
            let scopes = scopes.join(" ");
            auth::challenge("Bearer", &[("error", "insufficient_scope"), ("scope", &scopes)])
        });
        Ok(Self { allow, deny: compile(deny, "deny")?, challenge })
    }

    fn on_request(&self, _: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let asker = Asker::new(ctx);
        let mut permitted = self.allow.is_empty();
        for rule in &self.deny {
            if rule.fits(&asker)? {
                return Ok(Self::refuse(None));
            }
        }
        for rule in &self.allow {
            permitted = permitted || rule.fits(&asker)?;
        }
        Ok(if permitted { Verdict::Continue } else { Self::refuse(self.challenge.as_deref()) })
    }
}

impl Acl {
    /// 403, without a word on what would have been needed but for the scopes, which clients ask for by name.
    fn refuse(challenge: Option<&str>) -> Verdict {
        let problem = Problem::forbidden("you may not do this").kind("not-permitted");
        Verdict::respond(match challenge {
            Some(challenge) => problem.header("www-authenticate", challenge),
            None => problem,
        })
    }
}
