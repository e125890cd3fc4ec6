//! Key sets.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::at::At;
use super::{Entry, Input, Names, Resolver};
use crate::config::model::{KeySet, KeySource};
use crate::config::raw::RawKeySet;

const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
const COOLDOWN: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
const REFRESH: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
const STALE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(30 * 24 * 3600);

impl Resolver<'_> {
    pub(super) fn key_sets(&mut self, inputs: &[Input<'_>]) -> (BTreeMap<Arc<str>, KeySet>, Names) {
        let mut sets = BTreeMap::new();
        let mut names = Names::new();
        for entry in self.named(inputs, "jwks", |raw| &raw.jwks) {
            names.extend(entry.at.head().map(|place| (entry.name.clone(), place)));
            if let Some(set) = self.key_set(&entry) {
                sets.insert(entry.name, set);
            }
        }
        (sets, names)
    }

    fn key_set(&mut self, entry: &Entry<'_, RawKeySet>) -> Option<KeySet> {
        let (at, raw) = (&entry.at, entry.raw?);
        let refresh = self.duration(at, "refresh", &raw.refresh, Duration::from_secs(600), REFRESH);
        let cooldown = self.duration(at, "cooldown", &raw.cooldown, Duration::from_secs(30), COOLDOWN);
        let timeout = self.duration(at, "timeout", &raw.timeout, Duration::from_secs(5), TIMEOUT);
        let max_stale = self.duration(at, "max_stale", &raw.max_stale, Duration::from_secs(86_400), STALE);
        let ca_at = at.key("ca");
        let ca = self.given(&ca_at, &raw.ca).cloned();
        if ca.as_ref().is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----")) {
            let expected = "certificates in PEM, such as \"${file:ca.pem}\"";
            self.invalid(&ca_at, expected, &format!("expected {expected}"), None);
        }
        let source = self.key_source(at, raw)?;
        Some(KeySet {
            place: at.head()?,
            source,
            ca,
            refresh: refresh.max(cooldown),
            cooldown,
            timeout,
            max_stale,
        })
    }

    fn key_source(&mut self, at: &At<'_>, raw: &RawKeySet) -> Option<KeySource> {
        let (issuer_at, url_at, keys_at) = (at.key("issuer"), at.key("url"), at.key("keys"));
        let issuer = self.given(&issuer_at, &raw.issuer);
        let url = self.given(&url_at, &raw.url);
        let keys = self.given(&keys_at, &raw.keys);
        match (issuer, url, keys) {
            (Some(issuer), None, None) => {
                self.check_url(&issuer_at, issuer)?;
                Some(KeySource::Issuer(issuer.clone()))
            }
            (None, Some(url), None) => {
                self.check_url(&url_at, url)?;
                Some(KeySource::Url(url.clone()))
            }
            (None, None, Some(keys)) => {
                let set = serde_json::from_str::<serde_json::Value>(keys).ok();
                if set.as_ref().is_none_or(|set| !set["keys"].is_array()) {
                    let expected = "a key set as JSON: { \"keys\": [ ... ] }";
                    self.invalid(&keys_at, expected, &format!("expected {expected}"), None);
                    return None;
                }
                Some(KeySource::Keys(keys.clone()))
            }
            (None, None, None) => {
                let lost = [&issuer_at, &url_at, &keys_at].into_iter().any(|at| self.is_lost(at));
                if !lost {
                    let hint =
                        "add `issuer = \"https://...\"`, `url = \"https://...\"` or `keys = \"${file:...}\"`";
                    self.problems.push(at.problem("where the keys come from is missing").hint(hint));
                }
                None
            }
            _ => {
                let second = if url.is_some() && issuer.is_some() { url_at } else { keys_at };
                let message = "a key set comes from one place: `issuer`, `url` or `keys`";
                self.problems.push(second.problem(message));
                None
            }
        }
    }

    fn check_url(&mut self, at: &At<'_>, text: &str) -> Option<()> {
        let uri = text.parse::<Uri>().ok();
        let is_web = uri.as_ref().is_some_and(|uri| {
            let scheme = uri.scheme_str();
            let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
            matches!(scheme, Some("http" | "https"))
                && plain
                && uri.host().is_some_and(|host| !host.is_empty())
        });
        if !is_web || text.contains('#') {
            let expected = "a URL such as \"https://login.example\"";
            self.invalid(at, expected, &format!("expected {expected}, found {}", at.written()), None);
            return None;
        }
        Some(())
    }
}
