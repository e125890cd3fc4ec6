//! Figures of several rounds: median, least and most.

use std::fmt;

/// The spread of a figure over rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// None without rounds.
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            figures[middle]
        } else {
            f64::midpoint(figures[middle - 1], figures[middle])
        };
        Some(Self { median, least, most })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.median {
            median if median < 1.0 => 2,
            median if median < 1000.0 => 1,
            _ => 0,
        };
        write!(f, "{:.digits$} [{:.digits$}–{:.digits$}]", self.median, self.least, self.most)
    }
}

/// Mebibytes, as tables show them.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::{Spread, mebibytes};

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(Spread::of([].into_iter()), None);
        let odd = Spread::of([3.0, 1.0, 2.0].into_iter()).map(|spread| spread.to_string());
        assert_eq!(odd.as_deref(), Some("2.0 [1.0–3.0]"));
        let even = Spread::of([4000.0, 1000.0].into_iter()).map(|spread| spread.to_string());
        assert_eq!(even.as_deref(), Some("2500 [1000–4000]"));
        assert_eq!(mebibytes(3 << 19), "1.5");
    }
}
