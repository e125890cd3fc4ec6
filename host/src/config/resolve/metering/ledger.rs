//! The ledger: where what is metered is kept.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::at::At;
use super::super::{Input, Resolver};
use crate::config::model::{Durability, Ledger, LedgerLocation, OnLedgerFailure, Secret};
use crate::config::problem::Place;
use crate::config::raw::{RawDurability, RawLedger, RawOnLedgerFailure};

const SYNC: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
const DAY: u64 = 24 * 3600;
/// What a month is billed from has to be there when it is over, and for some days more.
const RETENTION: RangeInclusive<Duration> = Duration::from_secs(35 * DAY)..=Duration::from_secs(36_500 * DAY);
const EXPECTED: &str = "a URL such as \"sqlite:data/ledger.db\"";

impl Resolver<'_> {
    /// The ledger, if there is one; second, whether one was meant.
    pub(in crate::config::resolve) fn ledger(
        &mut self,
        inputs: &[Input<'_>],
        gateway: bool,
    ) -> (Option<Ledger>, bool) {
        let store = self.single(inputs, "store", |raw| &raw.store);
        let settings = self.single(inputs, "ledger", |raw| &raw.ledger);
        let (mut location, mut meant) = (None, self.damaged);
        if let Some((at, raw)) = &store {
            let url_at = at.key("ledger");
            meant |= url_at.is_written() || self.is_lost(&url_at);
            if let Some(url) = self.given(&url_at, &raw.ledger) {
                location = self.ledger_location(&url_at, url).map(|location| (url_at, location));
            }
        }
        let server = location.as_ref().map(|(_, location)| matches!(location, LedgerLocation::Postgres(_)));
        if let Some((at, raw)) = &settings {
            self.check_ledger(at, raw, server);
        }
        let place = location.as_ref().and_then(|(url_at, _)| url_at.place());
        if server == Some(true) && !gateway {
            self.needs_gateway_id(place.clone());
        }
        let found = place.zip(location.map(|(_, location)| location));
        let found = self.ledger_with(found, settings);
        (found, meant)
    }

    /// Reads all settings, whether or not there is anything that they are of.
    fn ledger_with(
        &mut self,
        found: Option<(Place, LedgerLocation)>,
        settings: Option<(At<'_>, &RawLedger)>,
    ) -> Option<Ledger> {
        let (mut durability, mut on_failure) = (Durability::Group, OnLedgerFailure::Deny);
        let (mut sync_interval, mut timeout) = (Duration::from_millis(100), Duration::from_secs(5));
        let (mut queue, mut retention) = (100_000, Duration::from_secs(400 * DAY));
        let mut ca = None;
        if let Some((at, raw)) = settings {
            if let Some(RawDurability::Sync) = self.given(&at.key("durability"), &raw.durability) {
                durability = Durability::Sync;
            }
            if let Some(RawOnLedgerFailure::Allow) = self.given(&at.key("on_failure"), &raw.on_failure) {
                on_failure = OnLedgerFailure::Allow;
            }
            // Written beside `sync` it is refused, whatever it is.
            if durability == Durability::Group {
                sync_interval = self.duration(&at, "sync_interval", &raw.sync_interval, sync_interval, SYNC);
            }
            timeout = self.duration(&at, "timeout", &raw.timeout, timeout, TIMEOUT);
            queue = self.number(&at, "queue", &raw.queue, queue);
            retention = self.duration(&at, "retention", &raw.retention, retention, RETENTION);
            ca = self.given(&at.key("ca"), &raw.ca).cloned();
        }
        let (place, location) = found?;
        Some(Ledger { place, location, durability, sync_interval, on_failure, timeout, queue, retention, ca })
    }

    /// Settings that say nothing of the ledger there is. `server`: whether it is on one, if that is known.
    fn check_ledger(&mut self, at: &At<'_>, raw: &RawLedger, server: Option<bool>) {
        let (sync_at, ca_at) = (at.key("sync_interval"), at.key("ca"));
        if matches!(self.given(&at.key("durability"), &raw.durability), Some(RawDurability::Sync))
            && sync_at.is_written()
        {
            let message = "with `durability = \"sync\"` every event is on disk at once";
            self.problems.push(sync_at.problem(message).hint("leave `sync_interval` out"));
        }
        let Some(pem) = self.given(&ca_at, &raw.ca) else { return };
        if server == Some(false) {
            self.problems.push(ca_at.problem("this is for a ledger on a server, and this one is a file"));
        } else if !pem.contains("-----BEGIN CERTIFICATE-----") {
            let expected = "certificates in PEM, such as \"${file:ca.pem}\"";
            self.invalid(&ca_at, expected, &format!("expected {expected}"), None);
        }
    }

    /// What it says of a wrong URL never repeats what is behind the scheme.
    fn ledger_location(&mut self, at: &At<'_>, url: &str) -> Option<LedgerLocation> {
        let (scheme, rest) = match url.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            _ => {
                let hint = "write \"sqlite:FILE\", or \"postgres://USER:PASSWORD@HOST/DATABASE\"";
                self.invalid(at, EXPECTED, &format!("expected {EXPECTED}"), Some(hint.to_owned()));
                return None;
            }
        };
        let (message, hint) = match scheme {
            "sqlite" if rest.starts_with("//") => {
                let path = rest.trim_start_matches('/').escape_debug();
                let slash = if rest.starts_with("///") { "/" } else { "" };
                ("the path follows the colon".to_owned(), format!("write \"sqlite:{slash}{path}\""))
            }
            "sqlite" if matches!(rest, "" | ":memory:") => {
                let message = "a ledger needs a file: what is in memory is lost with the process";
                (message.to_owned(), "write \"sqlite:data/ledger.db\"".to_owned())
            }
            "sqlite" if rest.contains('?') || rest.ends_with('/') => (
                "behind `sqlite:` is the path of a file and nothing else".to_owned(),
                "write \"sqlite:data/ledger.db\"".to_owned(),
            ),
            "sqlite" => return Some(LedgerLocation::Sqlite(at.resolve_path(rest))),
            "postgres" | "postgresql" if rest.len() > 2 && rest.starts_with("//") => {
                return Some(LedgerLocation::Postgres(Secret::new(url)));
            }
            "postgres" | "postgresql" => (
                "a server's name is missing".to_owned(),
                "write \"postgres://USER:PASSWORD@HOST/DATABASE\"".to_owned(),
            ),
            _ => (
                format!("there is no ledger of the kind `{scheme}`"),
                "known kinds: `sqlite`, `postgres`".to_owned(),
            ),
        };
        self.invalid(at, EXPECTED, &message, Some(hint));
        None
    }
}

/// Whether this may be the beginning of a URL, and not a part of a secret.
fn is_scheme(text: &str) -> bool {
    (2..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'+' | b'-'))
}
