//! A plugin of the usual size, cut short at every length and with single bits flipped, offered to a gateway under load.

use std::time::Instant;

use anyhow::Result;

use crate::harness::damage::{flipped, offer, scattered};
use crate::harness::guests;
use crate::report::Report;

pub(crate) fn run(flips: u64) -> Result<()> {
    let good = guests::tag(1);
    let config = "config = { label = \"a\" }\n[telemetry]\nlog = \"off\"\naccess_log = \"off\"";
    let start = Instant::now();
    let beside_cuts = offer(&good, config, (0..good.len()).map(|length| good[..length].to_vec()));
    let flips = usize::try_from(flips)?;
    let beside_flips = offer(&good, config, scattered(flips, good.len() * 8).map(|bit| flipped(&good, bit)));

    let mut report = Report::new("damage", "Damaged plugin files under load");
    report.row("time", format!("{:.0} s", start.elapsed().as_secs_f64()));
    report.row("truncations offered, one of every length", good.len());
    report.row("files with one bit flipped offered", flips);
    report.row("**activated**", "**0**");
    report.row("requests beside", beside_cuts + beside_flips);
    report.row("**failed requests**", "**0**");
    report.finish()
}
