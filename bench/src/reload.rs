//! The reload soak: a plugin alternates between two versions and the configuration changes, under load.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::harness::{Gateway, Origin, Setup, config, guests, wait};
use crate::load::Load;
use crate::report::Report;

/// Plugin versions put in place, and configurations, within the run.
const PLUGINS: u64 = 1000;
const CONFIGS: u64 = 200;

/// Reloads after which memory has to have settled.
const WARM_UP: u64 = 100;

pub(crate) fn run(seconds: u64) -> Result<()> {
    let origin = Origin::echo().to_string();
    let gateway = Setup::new().plugin("tag", guests::tag(0)).start(&text(&origin, 0));

    // The same load without reloads, to compare.
    let quiet = Load::start(gateway.public, 4, 2);
    wait::pause(Duration::from_secs(seconds.div_ceil(6)));
    let mut quiet = quiet.finish();

    let start = Instant::now();
    let load = Load::start(gateway.public, 4, 2);
    let mut settled = 0;
    let mut most = 0;
    let mut generation = gateway.generation();
    let mut reloads = 0;
    for round in 1..=PLUGINS {
        gateway.install_plugin("tag", guests::tag(u32::try_from(round % 2)?));
        generation = gateway.wait_for_generation_after(generation);
        reloads += 1;
        if round % (PLUGINS / CONFIGS) == 0 {
            gateway.configure(&text(&origin, round));
            generation = gateway.wait_for_generation_after(generation);
            reloads += 1;
        }
        let memory = gateway.memory();
        most = most.max(memory);
        if round == WARM_UP {
            settled = memory;
        }
        // Spreads the reloads over the time; where they take longer, the run does.
        let due = Duration::from_secs(seconds) * u32::try_from(round)? / u32::try_from(PLUGINS)?;
        wait::pause(due.saturating_sub(start.elapsed()));
    }
    let took = start.elapsed();
    let mut seen = load.finish();
    let memory = gateway.memory();

    let mut report = Report::new("reload", "Reloads under load");
    report.row("time under reloads", format!("{:.1} s", took.as_secs_f64()));
    report.row("reloads", format!("{PLUGINS} of the plugin, {CONFIGS} of the configuration"));
    report.row("generations published", generation - 1);
    report.row("requests (HTTP/1.1 and HTTP/2)", seen.requests);
    report.row("**failed requests**", format!("**{}**", seen.failed.len()));
    report.row("**responses of more than one version**", format!("**{}**", seen.mixed.len()));
    report.row(
        "median, 99 % without reloads",
        format!("{}, {}", quiet.percentile(50.0), quiet.percentile(99.0)),
    );
    report
        .row("median, 99 % beside reloads", format!("{}, {}", seen.percentile(50.0), seen.percentile(99.0)));
    report.row(format!("resident memory after {WARM_UP} reloads"), mebibytes(settled));
    report.row("resident memory at the end", mebibytes(memory));
    report.row("resident memory at most", mebibytes(most));
    report.finish()?;

    ensure!(reloads == PLUGINS + CONFIGS, "{reloads} reloads");
    ensure!(seen.failed.is_empty(), "the first failure: {}", seen.failed[0]);
    ensure!(seen.mixed.is_empty(), "the first mixed response: {}", seen.mixed[0]);
    ensure!(is_flat(settled, memory), "memory grew from {} to {}", mebibytes(settled), mebibytes(memory));
    check_end(&gateway);
    Ok(())
}

fn text(origin: &str, label: u64) -> String {
    config::plugin("tag", &format!("config = {{ label = \"c{label}\" }}"))
        + &config::service(origin, &["tag"])
        + "[reload]\ndebounce = \"10ms\"\n[telemetry]\nlog = \"warn\"\naccess_log = \"off\"\n"
}

/// A tenth and a little for what the allocator keeps.
fn is_flat(before: u64, after: u64) -> bool {
    after <= before + before / 10 + (8 << 20)
}

fn check_end(gateway: &Gateway) {
    let instances = gateway.metrics().sum("sluice_plugin_instances", &[("plugin", "tag")]);
    assert!(instances < 64.0, "{instances} instances are left, so old snapshots are");
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
