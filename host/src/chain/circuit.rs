//! The circuit of one step: when nothing works any more, stop trying for a while. Time is an argument.
//!
//! It opens only when every call over at least `window` has faulted, and at least `faults` of them. A
//! request that makes a plugin fault can therefore not shut out the requests that do not: one success
//! within the window starts the count anew.

use std::time::Instant;

use crate::config::CircuitSettings;

/// The circuit of one step.
#[derive(Debug)]
pub(crate) struct Circuit {
    settings: CircuitSettings,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed {
        faults: u32,
        since: Option<Instant>,
    },
    Open {
        until: Instant,
    },
    /// One call is on its way to find out; if nothing is heard of it, another may try.
    HalfOpen {
        tried: Instant,
    },
}

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// As ever.
    Go,
    /// To find out whether things are better.
    Trial,
    /// Not now.
    Refused,
}

impl Circuit {
    /// A closed circuit.
    pub(crate) const fn new(settings: CircuitSettings) -> Self {
        Self { settings, state: State::Closed { faults: 0, since: None } }
    }

    /// Whether a call may be made. The clock is read only when the circuit is not closed.
    pub(crate) fn admits(&mut self, now: impl FnOnce() -> Instant) -> Admission {
        let again = match self.state {
            State::Closed { .. } => return Admission::Go,
            State::Open { until } => until,
            State::HalfOpen { tried } => tried + self.settings.open,
        };
        let now = now();
        if now < again {
            return Admission::Refused;
        }
        self.state = State::HalfOpen { tried: now };
        Admission::Trial
    }

    /// A call went well; whether that closed the circuit.
    pub(crate) fn succeeded(&mut self) -> bool {
        let closes = self.is_open();
        self.state = State::Closed { faults: 0, since: None };
        closes
    }

    /// A call faulted; whether that opened the circuit.
    pub(crate) fn faulted(&mut self, now: Instant) -> bool {
        match self.state {
            State::Closed { faults, since } => {
                let (faults, since) = (faults.saturating_add(1), since.unwrap_or(now));
                let opens =
                    faults >= self.settings.faults && now.duration_since(since) >= self.settings.window;
                self.state = if opens {
                    State::Open { until: now + self.settings.open }
                } else {
                    State::Closed { faults, since: Some(since) }
                };
                opens
            }
            State::HalfOpen { .. } => {
                self.state = State::Open { until: now + self.settings.open };
                true
            }
            State::Open { .. } => false,
        }
    }

    /// Whether calls are refused or on trial.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SETTINGS: CircuitSettings =
        CircuitSettings { faults: 3, window: Duration::from_secs(5), open: Duration::from_secs(1) };

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn it_opens_once_nothing_worked_for_the_window() {
        let (mut circuit, start) = (Circuit::new(SETTINGS), Instant::now());
        for second in 0..5 {
            assert!(!circuit.faulted(after(start, second)));
        }
        assert!(circuit.faulted(after(start, 5)));
        assert_eq!(circuit.admits(|| after(start, 5)), Admission::Refused);
    }

    #[test]
    fn any_number_of_faults_beside_a_success_keeps_it_closed() {
        let (mut circuit, start) = (Circuit::new(SETTINGS), Instant::now());
        for second in 0..1000 {
            for _ in 0..1000 {
                assert!(!circuit.faulted(after(start, second)));
            }
            if second % 4 == 0 {
                circuit.succeeded();
            }
        }
        assert_eq!(circuit.admits(|| after(start, 1000)), Admission::Go);
    }

    #[test]
    fn few_faults_over_a_long_time_keep_it_closed() {
        let (mut circuit, start) = (Circuit::new(SETTINGS), Instant::now());
        assert!(!circuit.faulted(start));
        assert!(!circuit.faulted(after(start, 3600)));
        assert!(circuit.faulted(after(start, 3601)));
    }

    #[test]
    fn half_open_lets_one_call_through_at_a_time() {
        let (mut circuit, start) = (Circuit::new(SETTINGS), Instant::now());
        for second in 0..6 {
            circuit.faulted(after(start, second));
        }
        assert_eq!(circuit.admits(|| after(start, 6)), Admission::Trial);
        assert_eq!(circuit.admits(|| after(start, 6)), Admission::Refused, "only one");
        assert_eq!(
            circuit.admits(|| after(start, 7)),
            Admission::Trial,
            "the first was never heard of again"
        );
        assert!(circuit.faulted(after(start, 7)));
        assert_eq!(circuit.admits(|| after(start, 7)), Admission::Refused);
        assert_eq!(circuit.admits(|| after(start, 8)), Admission::Trial);
        assert!(circuit.succeeded());
        assert_eq!(circuit.admits(|| after(start, 8)), Admission::Go);
        assert!(!circuit.is_open());
    }
}
