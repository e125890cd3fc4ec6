//! What has to be seen of a policy before its figures are believed.

use anyhow::{Context as _, Result, ensure};

use super::site::Around;
use crate::compare::launch::Proxy;
use crate::compare::load::Request;
use crate::compare::template;
use crate::compare::verify::{ask, describe};
use crate::harness::Connection;

/// One thing to see; they are looked at in their order.
pub(crate) enum Expect {
    /// The request is answered with this status.
    Status(Request, u16),
    /// What the origin got of the request, in lower case, holds this text.
    Sent(Request, &'static str),
    /// Or does not.
    NotSent(Request, &'static str),
    /// The answer's header holds this text.
    Header(Request, &'static str, &'static str),
    /// So many questions have gone to the service since the last time.
    Asked(&'static str),
}

impl Around<'_> {
    /// An error says what came instead.
    pub(crate) fn verify(&self, expects: &[Expect]) -> Result<()> {
        for expect in expects {
            self.see(expect)?;
        }
        self.see_counters()
    }

    fn see(&self, expect: &Expect) -> Result<()> {
        let address = self.proxy.address;
        match expect {
            Expect::Status(request, status) => {
                let answer = ask(address, request)?;
                let path = &request.path;
                ensure!(answer.status == *status, "{path} is answered {}, not {status}", describe(&answer));
            }
            Expect::Sent(request, text) => {
                let sent = ask(address, request)?;
                ensure!(sent.text().to_lowercase().contains(text), "no `{text}` in: {}", describe(&sent));
            }
            Expect::NotSent(request, text) => {
                let sent = ask(address, request)?;
                let without = sent.status == 200 && !sent.text().to_lowercase().contains(text);
                ensure!(without, "`{text}` in: {}", describe(&sent));
            }
            Expect::Header(request, name, text) => {
                let answer = ask(address, request)?;
                let value = answer.header(name).unwrap_or_default();
                ensure!(value.contains(text), "`{name}: {value}`, not {text}: {}", describe(&answer));
            }
            Expect::Asked(count) => {
                let asked = Connection::try_open(self.service)?.try_get("/questions")?.text();
                ensure!(asked == *count, "the service was asked {asked} times, not {count}");
            }
        }
        Ok(())
    }

    /// Where counters are on Redis they have to be there.
    fn see_counters(&self) -> Result<()> {
        let Some(redis) = self.redis else { return Ok(()) };
        ensure!(is_connected(self.proxy)?, "Redis is not asked");
        ensure!(redis.keys()? > 0, "Redis counts nothing");
        Ok(())
    }
}

/// How much a gateway asked its store, and how often it got no answer.
pub(crate) fn questions(proxy: &Proxy) -> Result<String> {
    let admin = template::admin(&proxy.directory).context("the configuration names the admin listener")?;
    let metrics = Connection::try_open(admin)?.try_get("/metrics")?.text();
    let sum = |name: &str| -> f64 {
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .fold(0.0, |sum, more| sum + more)
    };
    let [asked, leased, failed] =
        ["operations", "leased", "errors"].map(|what| sum(&format!("sluice_store_{what}_total")));
    Ok(format!("{asked} operations of the store, {leased} of them from leases, {failed} failed"))
}

/// Whether a gateway reaches its store, by its own word.
pub(crate) fn is_connected(proxy: &Proxy) -> Result<bool> {
    let admin = template::admin(&proxy.directory).context("the configuration names the admin listener")?;
    let snapshot = Connection::try_open(admin)?.try_get("/snapshot")?.body;
    let snapshot: serde_json::Value = serde_json::from_slice(&snapshot)?;
    Ok(snapshot["store"]["connected"] == true)
}
