//! A consumer's credits and how they are drawn: the soonest to expire first, and what exceeds them is a debt.

use std::cmp::Reverse;

use crate::Nanos;

/// One row of `credits`, but the debt's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coin {
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) left: Nanos,
    pub(super) expires: Option<i64>,
    /// What was drawn from it since it was read.
    pub(super) drawn: Nanos,
}

/// All that a consumer has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Purse {
    coins: Vec<Coin>,
    /// What came to the debt since it was read.
    pub(super) debt: Nanos,
}

impl Purse {
    pub(super) fn new(mut coins: Vec<Coin>) -> Self {
        // Those that never expire last; then by id, so that it is the same on every node.
        coins.sort_by(|a, b| {
            let key = |coin: &Coin| (Reverse(coin.expires.map(Reverse)), coin.id.clone(), coin.kind.clone());
            key(a).cmp(&key(b))
        });
        Self { coins, debt: 0 }
    }

    /// Draws from what has not expired at that time.
    pub(super) fn draw(&mut self, at: i64, cost: Nanos) {
        let mut rest = cost;
        for coin in &mut self.coins {
            if rest <= 0 {
                break;
            }
            if coin.expires.is_none_or(|expires| at < expires) {
                let part = rest.min(coin.left);
                coin.left -= part;
                coin.drawn += part;
                rest -= part;
            }
        }
        // A debt of 9 billion is as good as endless; `check` would tell.
        self.debt = self.debt.saturating_add(rest);
    }

    /// Those that something was drawn from.
    pub(super) fn changed(&self) -> impl Iterator<Item = &Coin> {
        self.coins.iter().filter(|coin| coin.drawn != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coin(id: &str, left: Nanos, expires: Option<i64>) -> Coin {
        Coin { kind: "paid".into(), id: id.into(), left, expires, drawn: 0 }
    }

    #[test]
    fn the_soonest_to_expire_goes_first_and_the_rest_is_owed() {
        let mut purse = Purse::new(vec![
            coin("never-b", 10, None),
            coin("late", 10, Some(200)),
            coin("never-a", 10, None),
            coin("soon-b", 10, Some(100)),
            coin("soon-a", 10, Some(100)),
        ]);
        let drawn = |purse: &Purse| purse.changed().map(|c| (c.id.clone(), c.drawn)).collect::<Vec<_>>();
        purse.draw(99, 15);
        assert_eq!(drawn(&purse), [("soon-a".to_owned(), 10), ("soon-b".to_owned(), 5)]);
        // At its end it is gone.
        purse.draw(100, 12);
        let expected = [("soon-a", 10), ("soon-b", 5), ("late", 10), ("never-a", 2)];
        assert_eq!(drawn(&purse), expected.map(|(id, drawn)| (id.to_owned(), drawn)));
        purse.draw(300, 20);
        assert_eq!((purse.debt, drawn(&purse).last().unwrap().clone()), (2, ("never-b".to_owned(), 10)));
        purse.draw(300, 0);
        assert_eq!(purse.debt, 2);
    }
}
