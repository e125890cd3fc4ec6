//! What the gateway says of itself: `/metrics`, `/snapshot`, `/reload`.

use serde_json::Value;

use super::client::{Connection, Response};
use super::{Gateway, wait};

/// A scrape of `/metrics`.
pub(crate) struct Metrics(String);

impl Metrics {
    /// The sum of every sample of a family whose labels have all of these values.
    pub(crate) fn sum(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(family, labels).sum()
    }

    fn samples<'a>(&'a self, family: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = f64> + 'a {
        self.0.lines().filter(|line| !line.starts_with('#')).filter_map(move |line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, have) = series.split_once('{').unwrap_or((series, ""));
            let matches =
                labels.iter().all(|(label, wanted)| have.contains(&format!("{label}=\"{wanted}\"")));
            (name == family && matches).then(|| value.parse().ok())?
        })
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl Gateway {
    /// `GET` on the admin listener.
    #[track_caller]
    pub(crate) fn admin_get(&self, path: &str) -> Response {
        Connection::open(self.admin).get(path)
    }

    #[track_caller]
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics(self.admin_get("/metrics").expect(200).text())
    }

    #[track_caller]
    pub(crate) fn snapshot(&self) -> Value {
        self.admin_get("/snapshot").expect(200).json()
    }

    /// The generation that serves.
    #[track_caller]
    pub(crate) fn generation(&self) -> u64 {
        let snapshot = self.snapshot();
        snapshot["generation"].as_u64().unwrap_or_else(|| panic!("no generation in {snapshot}"))
    }

    /// Waits until a later generation than this one serves.
    #[track_caller]
    pub(crate) fn wait_for_generation_after(&self, generation: u64) -> u64 {
        wait::until_some(&format!("a generation after {generation} serves"), || {
            let now = self.generation();
            (now > generation).then_some(now)
        })
    }

    /// Asks for a reload, which answers when it is done.
    #[track_caller]
    pub(crate) fn reload(&self) -> Response {
        Connection::open(self.admin).request("POST", "/reload", &[], b"")
    }
}
