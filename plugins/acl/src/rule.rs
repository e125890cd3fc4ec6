//! One rule: conditions all of which have to hold.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk::serde_json::{Map, Value as Json};

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
    claims: BTreeMap<String, OneOrMany<Scalar>>,
    /// The request's method is one of these.
    #[serde(default)]
    methods: Vec<Method>,
}

/// What a claim may be compared with.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Scalar {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

impl Scalar {
    fn is(&self, value: &Json) -> bool {
        match (self, value) {
            (_, Json::Array(values)) => values.iter().any(|value| !value.is_array() && self.is(value)),
            (Self::Flag(flag), Json::Bool(value)) => flag == value,
            (Self::Number(number), Json::Number(value)) => value.as_i64() == Some(*number),
            (Self::Text(text), Json::String(value)) => text == value,
            _ => false,
        }
    }
}

/// A rule that makes sense.
pub(crate) struct Rule(RuleConfig);

/// Who is asking. Each fact is read once, and only if a rule wants it.
pub(crate) struct Asker<'a> {
    ctx: &'a Context,
    consumer: OnceCell<Option<Consumer>>,
    scopes: OnceCell<Vec<String>>,
    claims: OnceCell<Map<String, Json>>,
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

    fn claim(&self, name: &str) -> Result<Option<&Json>> {
        if self.claims.get().is_none() {
            let _ = self.claims.set(self.ctx.get(&auth::CLAIMS)?.unwrap_or_default());
        }
        let Some(claims) = self.claims.get() else { return Ok(None) };
        let Some(pointer) = name.strip_prefix('/') else { return Ok(claims.get(name)) };
        let (first, rest) =
            pointer.split_once('/').map_or((pointer, None), |(first, rest)| (first, Some(rest)));
        let found = claims.get(&first.replace("~1", "/").replace("~0", "~"));
        Ok(match rest {
            Some(rest) => found.and_then(|value| value.pointer(&format!("/{rest}"))),
            None => found,
        })
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
            // RFC 6749 section 3.3
            let is_token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            ensure!(!scope.is_empty() && scope.bytes().all(is_token), "`{scope}` is no scope");
        }
        for (name, values) in claims {
            ensure!(!values.is_empty(), "the claim `{name}` has no value to be compared with");
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
        for (name, values) in claims {
            let Some(claim) = asker.claim(name)? else { return Ok(false) };
            if !values.iter().any(|value| value.is(claim)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
