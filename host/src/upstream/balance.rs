//! Which target is next: a fixed rotation, spread evenly by weight. Pure.

/// The longest rotation: weights are scaled down to fit, and each target keeps at least one place.
const LONGEST: u64 = 1 << 14;

/// Indices of targets in the order in which they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rotation {
    /// All weights are the same: nothing to remember.
    Even(usize),
    Weighted(Box<[u32]>),
}

impl Rotation {
    pub(super) fn new(weights: &[u32]) -> Self {
        if weights.windows(2).all(|pair| pair[0] == pair[1]) {
            return Self::Even(weights.len());
        }
        let shares = scaled(weights);
        Self::Weighted(spread(&shares))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Even(targets) => *targets,
            Self::Weighted(order) => order.len(),
        }
    }

    /// The target at a place, for a rotation that is not empty.
    pub(super) fn at(&self, place: usize) -> usize {
        match self {
            Self::Even(targets) => place % targets,
            Self::Weighted(order) => order[place % order.len()] as usize,
        }
    }
}

fn scaled(weights: &[u32]) -> Vec<u64> {
    let divisor = weights.iter().fold(0, |divisor, weight| gcd(divisor, u64::from(*weight))).max(1);
    let shares: Vec<u64> = weights.iter().map(|weight| u64::from(*weight) / divisor).collect();
    let total: u64 = shares.iter().sum();
    if total <= LONGEST {
        return shares;
    }
    shares.iter().map(|share| if *share == 0 { 0 } else { (share * LONGEST / total).max(1) }).collect()
}

/// Every target's places are as far from each other as they can be: place `k` of a target with share `s` is due at `(2k+1)/2s`.
fn spread(shares: &[u64]) -> Box<[u32]> {
    let mut due: Vec<(f64, u32)> = Vec::new();
    for (target, share) in shares.iter().enumerate() {
        let index = u32::try_from(target).expect("a rotation has fewer targets than 2^32");
        #[allow(clippy::cast_precision_loss, reason = "a share is at most the longest rotation")]
        due.extend((0..*share).map(|place| ((2 * place + 1) as f64 / (2 * share) as f64, index)));
    }
    due.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    due.into_iter().map(|(_, target)| target).collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    #[test]
    fn equal_weights_need_no_table() {
        let rotation = Rotation::new(&[7, 7, 7]);
        assert_eq!(rotation, Rotation::Even(3));
        assert_eq!((0..4).map(|place| rotation.at(place)).collect::<Vec<_>>(), [0, 1, 2, 0]);
        assert_eq!(Rotation::new(&[]).len(), 0);
    }

    #[test]
    fn heavier_targets_are_used_evenly_over_time() {
        let rotation = Rotation::new(&[4, 2]);
        assert_eq!((0..3).map(|place| rotation.at(place)).collect::<Vec<_>>(), [0, 1, 0]);
    }

    proptest! {
        #[test]
        fn shares_follow_weights(weights in prop::collection::vec(1_u32..1_000_000, 1..20)) {
            let rotation = Rotation::new(&weights);
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            let mut used = vec![0_u64; weights.len()];
            for place in 0..rotation.len() {
                used[rotation.at(place)] += 1;
            }
            for (used, weight) in used.iter().zip(&weights) {
                let (got, wanted) = (*used as f64 / rotation.len() as f64, f64::from(*weight) / total as f64);
                assert!(*used > 0 && (got - wanted).abs() < 0.01, "{got} {wanted}");
            }
        }
    }
}
