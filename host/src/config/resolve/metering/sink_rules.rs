//! What parts of a sink, and sinks, say of each other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sluice_metering::meter::{Aggregation, Meter};

use super::super::Resolver;
use super::super::at::At;
use super::Meters;
use crate::config::quantity::show_duration;
use crate::config::raw::RawSink;

impl Resolver<'_> {
    /// Each sink of files has a directory of its own: it cuts off what it has not written.
    pub(super) fn check_directory<'a>(
        &mut self,
        at: At<'a>,
        directory: &Path,
        others: &mut Vec<(PathBuf, At<'a>)>,
    ) {
        let Some((_, first)) = others.iter().find(|(other, _)| other == directory) else {
            others.push((directory.to_owned(), at));
            return;
        };
        let mut problem = at.problem("another sink writes into this directory");
        if let Some(place) = first.place() {
            problem = problem.related(place, format!("`{}`", first.path()));
        }
        self.problems.push(problem.hint("each sink of files has a directory of its own"));
    }

    /// A sink that is well has had nothing for as long as events gather.
    pub(super) fn check_alarm(&mut self, at: &At<'_>, interval: Duration, lag_alarm: Duration) {
        if interval < lag_alarm {
            return;
        }
        let (interval_at, alarm_at) = (at.key("interval"), at.key("lag_alarm"));
        let shown = (show_duration(interval), show_duration(lag_alarm));
        let message = format!(
            "events gather for {}, and are late after {}: the alarm would never end",
            shown.0, shown.1
        );
        let (at, other) =
            if interval_at.is_written() { (interval_at, alarm_at) } else { (alarm_at, interval_at) };
        let mut problem = at.problem(message);
        if other.is_written()
            && let Some(place) = other.place()
        {
            problem = problem.related(place, format!("`{}`", other.path()));
        }
        self.problems.push(problem.hint("`interval` is shorter than `lag_alarm`"));
    }

    /// Stripe's meters sum, count, or keep the last of what they are sent: other numbers would be billed as what they are not.
    pub(super) fn check_stripe(&mut self, at: &At<'_>, raw: &RawSink, meters: &Meters) {
        let reason = |meter: &Meter| format!("`{}` is a `{}` meter", meter.name, meter.aggregation.name());
        let meters_at = at.key("meters");
        if meters_at.is_written() {
            for (at, name) in self.list(&meters_at, &raw.meters) {
                let Some(meter) = meters.all.get(name.as_str()).filter(|meter| !is_for_stripe(meter)) else {
                    continue;
                };
                let problem = at.problem(format!("{}, which Stripe would add up", reason(meter)));
                self.problems.push(problem.hint(STRIPE_METERS));
            }
            return;
        }
        let (fit, others): (Vec<_>, Vec<_>) = meters.all.values().partition(|meter| is_for_stripe(meter));
        if others.is_empty() {
            return;
        }
        let reasons: Vec<String> = others.iter().map(|meter| reason(meter)).collect();
        let fit: Vec<String> = fit.iter().map(|meter| format!("\"{}\"", meter.name)).collect();
        let message = format!("Stripe would add up what is not to be added up: {}", reasons.join(", "));
        let mut problem = at.key("format").problem(message);
        problem.hint = Some(if fit.is_empty() {
            STRIPE_METERS.to_owned()
        } else {
            format!("name the meters that it gets: `meters = [{}]`", fit.join(", "))
        });
        self.problems.push(problem);
    }
}

const STRIPE_METERS: &str = "meters of `count`, `sum` and `latest` are for Stripe";

/// What is sent is each request's value: Stripe can add them up or keep the last, and neither is a maximum or how many differ.
const fn is_for_stripe(meter: &Meter) -> bool {
    !matches!(meter.aggregation, Aggregation::Max | Aggregation::Unique)
}
