//! One rule: conditions all of which have to hold.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk_claims::{ClaimPath, Claims, Expected, is_scope};

/// Conditions, all of which have to hold.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// The consumer is one of these.
    #[serde(default)]
    consumers: Vec<String>,
    /// The consumer is in one of these groups.
    #[serde(default)]
    groups: Vec<String>,
    /// The credential permits all of these.
    #[serde(default)]
    scopes: Vec<String>,
    /// The verified token says these: by name, or by JSON pointer (RFC 6901) where it begins with `/`; one of the values.
    #[serde(default)]
    claims: BTreeMap<ClaimPath, Expected>,
    /// The request's method is one of these.
    #[serde(default)]
    methods: Vec<Method>,
}

/// A rule that makes sense.
pub(crate) struct Rule(RuleConfig);

/// Who is asking. Each fact is read once, and only if a rule wants it.
pub(crate) struct Asker<'a> {
    ctx: &'a Context,
    consumer: OnceCell<Option<Consumer>>,
    scopes: OnceCell<Vec<String>>,
    claims: OnceCell<Claims>,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(ctx: &'a Context) -> Self {
        Self { ctx, consumer: OnceCell::new(), scopes: OnceCell::new(), claims: OnceCell::new() }
    }

    fn consumer(&self) -> Option<&Consumer> {
        self.consumer.get_or_init(|| self.ctx.consumer()).as_ref()
    }

    fn scopes(&self) -> Result<&[String]> {
        if self.scopes.get().is_none() {
            let _ = self.scopes.set(self.ctx.get(&auth::SCOPES)?.unwrap_or_default());
        }
        Ok(self.scopes.get().map_or(&[], Vec::as_slice))
    }

    fn claims(&self) -> Result<Option<&Claims>> {
        if self.claims.get().is_none() {
            let _ = self.claims.set(self.ctx.get(&auth::CLAIMS)?.unwrap_or_default());
        }
        Ok(self.claims.get())
    }
}

impl Rule {
    pub(crate) fn new(config: RuleConfig) -> Result<Self> {
        let RuleConfig { consumers, groups, scopes, claims, methods } = &config;
        let empty = consumers.is_empty() && groups.is_empty() && scopes.is_empty() && claims.is_empty();
        ensure!(
            !(empty && methods.is_empty()),
            "a rule without conditions fits everyone: give `consumers`, `groups`, `scopes`, `claims` or `methods`"
        );
        for scope in scopes {
            ensure!(is_scope(scope), "`{scope}` is no scope");
        }
        Ok(Self(config))
    }

    /// The scopes that it asks for.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes.iter().map(String::as_str)
    }

    /// Whether all its conditions hold.
    pub(crate) fn fits(&self, asker: &Asker<'_>) -> Result<bool> {
        let RuleConfig { consumers, groups, scopes, claims, methods } = &self.0;
        if !methods.is_empty() && !methods.contains(&asker.ctx.method()) {
            return Ok(false);
        }
        if !consumers.is_empty() || !groups.is_empty() {
            let Some(consumer) = asker.consumer() else { return Ok(false) };
            let named = consumers.is_empty() || consumers.contains(&consumer.name);
            let grouped = groups.is_empty() || groups.iter().any(|group| consumer.is_in(group));
            if !(named && grouped) {
                return Ok(false);
            }
        }
        if !scopes.is_empty() {
            let permitted = asker.scopes()?;
            if !scopes.iter().all(|scope| permitted.contains(scope)) {
                return Ok(false);
            }
        }
        if claims.is_empty() {
            return Ok(true);
        }
        let Some(said) = asker.claims()? else { return Ok(false) };
        Ok(claims.iter().all(|(path, expected)| path.of(said).is_some_and(|claim| expected.fits(claim))))
    }
}
