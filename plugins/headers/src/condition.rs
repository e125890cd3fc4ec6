//! When a set of rules applies.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use sluice_sdk::prelude::*;

use crate::matching::Match;

/// Conditions, all of which have to hold. Those on the request look at it as it came to this step.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhenConfig {
    /// The method is one of these.
    #[serde(default)]
    methods: Vec<Method>,
    /// Headers of the request: `true` or `false` for there or not, or one or several values.
    #[serde(default)]
    headers: BTreeMap<HeaderName, Match>,
    /// Parameters of the query, in the same way.
    #[serde(default)]
    query: BTreeMap<String, Match>,
    /// The consumer is one of these.
    #[serde(default)]
    consumers: Vec<String>,
    /// The consumer is in one of these groups.
    #[serde(default)]
    groups: Vec<String>,
    /// The response's status is one of these, or in one of these classes: `404`, `"5xx"`.
    #[serde(default)]
    status: OneOrMany<Status>,
    /// Headers of the response, as those of the request.
    #[serde(default)]
    response_headers: BTreeMap<HeaderName, Match>,
}

/// A status, or a class of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Status {
    /// One status, 200 to 599.
    One(#[schemars(range(min = 200, max = 599))] u16),
    /// A class such as `"5xx"`.
    Class(#[schemars(regex(pattern = "^[2-5]xx$"))] String),
}

/// Checked conditions.
pub(crate) struct When {
    config: WhenConfig,
    statuses: Vec<RangeInclusive<u16>>,
}

impl When {
    pub(crate) fn new(config: WhenConfig) -> Result<Self> {
        for (name, matching) in config.headers.iter().chain(&config.response_headers) {
            matching.check().context(name)?;
        }
        for (name, matching) in &config.query {
            matching.check().context(name)?;
        }
        let statuses = config.status.iter().map(range).collect::<Result<_>>().context("status")?;
        Ok(Self { config, statuses })
    }

    pub(crate) fn asks_request(&self) -> bool {
        let WhenConfig { methods, headers, query, consumers, groups, .. } = &self.config;
        !(methods.is_empty()
            && headers.is_empty()
            && query.is_empty()
            && consumers.is_empty()
            && groups.is_empty())
    }

    pub(crate) fn asks_response(&self) -> bool {
        !(self.statuses.is_empty() && self.config.response_headers.is_empty())
    }

    pub(crate) fn fits_request(&self, came: &AsCame<'_>) -> bool {
        let WhenConfig { methods, headers, query, consumers, groups, .. } = &self.config;
        let known = || {
            let Some(consumer) = came.consumer() else { return false };
            (consumers.is_empty() || consumers.contains(&consumer.name))
                && (groups.is_empty() || groups.iter().any(|group| consumer.is_in(group)))
        };
        (methods.is_empty() || methods.contains(came.method()))
            && headers.iter().all(|(name, wanted)| wanted.fits(&came.request.headers().get_all(name)))
            && query.iter().all(|(name, wanted)| wanted.fits(&came.parameters(name)))
            && ((consumers.is_empty() && groups.is_empty()) || known())
    }

    pub(crate) fn fits_response(&self, status: u16, headers: &Headers<'_>) -> bool {
        (self.statuses.is_empty() || self.statuses.iter().any(|range| range.contains(&status)))
            && self.config.response_headers.iter().all(|(name, wanted)| wanted.fits(&headers.get_all(name)))
    }
}

fn range(status: &Status) -> Result<RangeInclusive<u16>> {
    match status {
        Status::One(status) if (200..=599).contains(status) => Ok(*status..=*status),
        Status::Class(class) => match class.as_bytes() {
            [digit @ b'2'..=b'5', b'x', b'x'] => {
                let first = u16::from(digit - b'0') * 100;
                Ok(first..=first + 99)
            }
            _ => bail!("`{class}` is not a class such as `5xx`"),
        },
        Status::One(status) => bail!("`{status}` is not a status of a response: 200 to 599"),
    }
}

/// The request as it came. Each fact is read once, and only if a condition wants it.
pub(crate) struct AsCame<'a> {
    request: &'a Request,
    ctx: &'a Context,
    method: OnceCell<Method>,
    consumer: OnceCell<Option<Consumer>>,
    query: OnceCell<Vec<(String, String)>>,
}

impl<'a> AsCame<'a> {
    pub(crate) fn new(request: &'a Request, ctx: &'a Context) -> Self {
        let (method, consumer, query) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { request, ctx, method, consumer, query }
    }

    fn method(&self) -> &Method {
        self.method.get_or_init(|| self.request.method())
    }

    fn consumer(&self) -> Option<&Consumer> {
        self.consumer.get_or_init(|| self.ctx.consumer()).as_ref()
    }

    fn parameters(&self, name: &str) -> Vec<&str> {
        let all = self.query.get_or_init(|| self.request.query_params());
        all.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }
}
