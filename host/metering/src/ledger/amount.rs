//! Sums that never overflow: in the database two numbers, `high * 10^18 + low`.

/// What the low part counts to.
pub(super) const HIGH: i128 = 1_000_000_000_000_000_000;

/// What the middle of a sum over many rows counts to.
pub(super) const MIDDLE: i128 = 1_000_000_000;

/// The two numbers of a sum.
pub(super) fn split(sum: i128) -> (i64, i64) {
    let part = |part: i128| i64::try_from(part).expect("2^127 is below 10^18 * 2^63 many times over");
    (part(sum.div_euclid(HIGH).clamp(i64::MIN.into(), i64::MAX.into())), part(sum.rem_euclid(HIGH)))
}

/// The sum of two numbers.
pub(super) fn join(high: i64, low: i64) -> i128 {
    i128::from(high) * HIGH + i128::from(low)
}

/// What a query adds up in three parts, each of which is small: `sum(sum_high)`, `sum(sum / 10^9)`, `sum(sum % 10^9)`.
pub(super) fn add_up(high: i64, middle: i64, low: i64) -> i128 {
    i128::from(high) * HIGH + i128::from(middle) * MIDDLE + i128::from(low)
}

/// For those who count in 64 bits: the nearest that there is.
pub(super) fn clamp(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_back_whole() {
        for sum in [0, 1, -1, HIGH - 1, HIGH, -HIGH, i128::from(i64::MAX) * 1_000_000, i128::from(i64::MIN)] {
            let (high, low) = split(sum);
            assert_eq!(join(high, low), sum);
            assert!((0..HIGH).contains(&i128::from(low)));
            let (middle, rest) = (i128::from(low) / MIDDLE, i128::from(low) % MIDDLE);
            assert_eq!(add_up(high, middle as i64, rest as i64), sum);
        }
        assert_eq!((clamp(HIGH * 1000), clamp(-HIGH * 1000), clamp(7)), (i64::MAX, i64::MIN, 7));
    }
}
