//! The outcome as a table.

use std::fmt::Write as _;

use super::{Outcome, Row};
use crate::compare::figures::Spread;

/// A table in Markdown, a row a policy, and below it what there is none for.
pub(crate) fn render(outcome: &Outcome) -> String {
    let mut text =
        "| policy | CPU µs a request | more than without | nginx+Lua µs | more than without | ratio | remarks |\n\
         |---|--:|--:|--:|--:|--:|---|\n"
            .to_owned();
    for row in outcome.rows.iter().filter(|row| Some(row.site) != outcome.nginx) {
        let _ = writeln!(text, "{}", line(outcome, row));
    }
    if !outcome.notes.is_empty() {
        let _ = writeln!(text, "\nIn all rounds, {}.", outcome.notes.join("; "));
    }
    if !outcome.missing.is_empty() {
        let _ = writeln!(text, "\nNot measured: {}.", outcome.missing.join("; "));
    }
    text
}

fn line(outcome: &Outcome, row: &Row) -> String {
    let twin = row.policy.twin.and_then(|route| find(outcome, outcome.nginx?, route));
    let more = |row| more(outcome, row);
    let (own, other) = (more(row), twin.and_then(more));
    let ratio = match (own, other) {
        (Some(own), Some(other)) if other.median > 0.0 => format!("{:.1}", own.median / other.median),
        _ => "–".to_owned(),
    };
    format!(
        "| {} | {} | {} | {} | {} | {ratio} | {} |",
        row.policy.name,
        shown(cost(row)),
        shown(own),
        shown(twin.and_then(cost)),
        shown(other),
        remarks(outcome, row, twin).join("; "),
    )
}

fn shown(figure: Option<Spread>) -> String {
    figure.map_or_else(|| "–".to_owned(), |spread| spread.to_string())
}

fn find<'a>(outcome: &'a Outcome, site: usize, route: &str) -> Option<&'a Row> {
    outcome.rows.iter().find(|row| row.site == site && row.policy.route == route)
}

fn cost(row: &Row) -> Option<Spread> {
    Spread::of(row.samples.iter().map(|sample| sample.micros))
}

/// What it takes beyond its base, round by round.
fn more(outcome: &Outcome, row: &Row) -> Option<Spread> {
    let base = find(outcome, row.site, row.policy.base?)?;
    let pairs = row.samples.iter().zip(&base.samples);
    Spread::of(pairs.map(|(with, without)| with.micros - without.micros))
}

fn remarks(outcome: &Outcome, row: &Row, twin: Option<&Row>) -> Vec<String> {
    let mut remarks = Vec::new();
    let base = row.policy.base.filter(|base| *base != "none");
    if let Some(base) = base.and_then(|base| find(outcome, row.site, base)) {
        remarks.push(format!("without: {}", base.policy.name));
    }
    for (whose, row) in [("", Some(row)), ("nginx ", twin)] {
        let Some(row) = row else { continue };
        if let Some(failure) = &row.failed {
            let short: String = failure.lines().next().unwrap_or_default().chars().take(120).collect();
            remarks.push(format!("{whose}**left out**: {}", short.replace('|', "/")));
        }
        let failed: u64 = row.samples.iter().map(|sample| sample.served.failed).sum();
        if failed > 0 {
            remarks.push(format!("{whose}**invalid: {failed} failed requests**"));
        }
    }
    remarks
}
