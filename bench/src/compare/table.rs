//! The outcome of a scenario as a table.

use std::fmt::Write as _;

use super::figures::{Spread, mebibytes};
use super::load::paced::Latencies;
use super::peer::Peer;
use super::rounds::{Measured, Outcome};

/// Less of its core in use, and something else was the bottleneck.
const SATURATED: f64 = 0.95;

/// A table in Markdown, a row a peer.
pub(crate) fn render(outcomes: &[Outcome], base: &str) -> String {
    let mut text = format!(
        "| case | peer | CPU µs a request | ratio to {base} | requests a second | ratio | p50 ms | p99 ms | memory MiB | core used | remarks |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|\n"
    );
    for outcome in outcomes {
        let base = outcome.peers.iter().find(|measured| measured.peer.name() == base);
        let of_base =
            |figure: fn(&Measured) -> Option<Spread>| base.and_then(figure).map(|spread| spread.median);
        let (cost, speed) = (of_base(cost), of_base(speed));
        for measured in &outcome.peers {
            let _ = writeln!(text, "{}", row(outcome, measured, cost, speed));
        }
    }
    text
}

fn row(outcome: &Outcome, measured: &Measured, base_cost: Option<f64>, base_speed: Option<f64>) -> String {
    let name = match measured.peer {
        Peer::Sluice => format!("**{}**", measured.peer.name()),
        peer => peer.name().to_owned(),
    };
    let shown = |figure: Option<Spread>| figure.map_or_else(|| "–".to_owned(), |spread| spread.to_string());
    let ratio = |figure: Option<Spread>, base: Option<f64>| match (figure, base) {
        (Some(figure), Some(base)) if base > 0.0 => format!("{:.2}", figure.median / base),
        _ => "–".to_owned(),
    };
    let latency = |percent: f64| {
        let times = measured.paced.iter().map(|run| run.percentile(percent).as_secs_f64() * 1000.0);
        shown(Spread::of(times))
    };
    let used = Spread::of(measured.samples.iter().map(|sample| sample.used * 100.0));
    let (cost, speed) = (cost(measured), speed(measured));
    format!(
        "| {} | {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        outcome.case,
        shown(cost),
        ratio(cost, base_cost),
        shown(speed),
        ratio(speed, base_speed),
        latency(50.0),
        latency(99.0),
        Some(measured.memory).filter(|bytes| *bytes > 0).map_or_else(|| "–".to_owned(), mebibytes),
        used.map_or_else(|| "–".to_owned(), |used| format!("{:.0} %", used.median)),
        remarks(measured).join("; "),
    )
}

fn cost(measured: &Measured) -> Option<Spread> {
    Spread::of(measured.samples.iter().map(|sample| sample.micros))
}

fn speed(measured: &Measured) -> Option<Spread> {
    Spread::of(measured.samples.iter().map(|sample| sample.served.per_second))
}

/// What a reader has to know before believing the row.
fn remarks(measured: &Measured) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(failure) = &measured.failed {
        let short: String = failure.lines().next().unwrap_or_default().chars().take(120).collect();
        remarks.push(format!("**left out**: {}", short.replace('|', "/")));
    }
    let failed: u64 = measured.samples.iter().map(|sample| sample.served.failed).sum();
    let failed = failed + measured.paced.iter().map(|run| run.failed).sum::<u64>();
    if failed > 0 {
        remarks.push(format!("**invalid: {failed} failed requests**"));
    }
    let unsaturated =
        measured.samples.iter().filter(|sample| sample.used < SATURATED && sample.busy < SATURATED);
    let disturbed =
        measured.samples.iter().filter(|sample| sample.used < SATURATED && sample.busy >= SATURATED);
    for (count, word) in
        [(unsaturated.count(), "not the bottleneck"), (disturbed.count(), "others used its core")]
    {
        if count > 0 {
            remarks.push(format!("{word} in {count} of {} rounds", measured.samples.len()));
        }
    }
    let idlers = measured.samples.iter().map(|sample| sample.idlers).fold(0.0, f64::max);
    if idlers > 0.01 {
        remarks.push(format!("idle peers used {:.1} % of its core", idlers * 100.0));
    }
    if !measured.paced.is_empty() && !measured.paced.iter().all(Latencies::held) {
        remarks.push("does not hold the rate".to_owned());
    }
    remarks
}
