//! Numbers: floats that remember how they were written until they are calculated with.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::rc::Rc;

/// A number.
#[derive(Clone, Debug)]
pub(crate) struct Num {
    float: f64,
    written: Option<Rc<str>>,
}

/// The largest number up to which a float holds every integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Num {
    /// A number as it stands in JSON.
    pub(crate) fn written(text: &str) -> Self {
        let float = text.parse().unwrap_or(f64::NAN);
        // What a float writes in the same way needs no memory of its own.
        let plain = text.len() < 16 && text.bytes().all(|byte| byte.is_ascii_digit());
        Self { float, written: (!plain).then(|| text.into()) }
    }

    pub(crate) fn float(&self) -> f64 {
        self.float
    }

    /// How it was written, unless a float writes it in the same way.
    pub(crate) fn text(&self) -> Option<&str> {
        self.written.as_deref()
    }

    pub(crate) fn negated(self) -> Self {
        let written = self.written.map(|text| match text.strip_prefix('-') {
            Some(text) => text.into(),
            None => format!("-{text}").into(),
        });
        Self { float: -self.float, written }
    }

    /// Sign and digits of an integer.
    fn integer(&self) -> Option<(bool, &str)> {
        let text = self.text()?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some((digits.len() < text.len(), digits))
    }
}

impl From<f64> for Num {
    fn from(float: f64) -> Self {
        Self { float, written: None }
    }
}

impl Num {
    /// As jq: integers that a float cannot tell apart are compared as written, and what is not a number comes first.
    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
        if self.float.is_nan() {
            return Ordering::Less;
        }
        let ordering = self.float.partial_cmp(&other.float).unwrap_or(Ordering::Greater);
        if ordering != Ordering::Equal || self.float.abs() < EXACT {
            return ordering;
        }
        let (Some((negative, left)), Some((_, right))) = (self.integer(), other.integer()) else {
            return ordering;
        };
        let ordering = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
        if negative { ordering.reverse() } else { ordering }
    }
}

impl fmt::Display for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.written {
            return f.write_str(text);
        }
        if self.float.is_nan() {
            return f.write_str("null");
        }
        let float = self.float.clamp(f64::MIN, f64::MAX);
        if float == 0.0 {
            return f.write_str(if float.is_sign_negative() { "-0" } else { "0" });
        }
        let mut shortest = String::new();
        write!(shortest, "{float:e}")?;
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        let digits = i32::try_from(mantissa.bytes().filter(u8::is_ascii_digit).count()).unwrap_or_default();
        if (-4..digits + 15).contains(&exponent) {
            write!(f, "{float}")
        } else {
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(f, "{mantissa}e{sign}{:02}", exponent.abs())
        }
    }
}
