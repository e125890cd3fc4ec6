//! What `*` and `{name}` matched, as ranges of the path: nothing is copied.

/// Ranges kept without an allocation.
const INLINE: usize = 4;

/// Start and end of a segment. Four bytes each: a request head is far shorter than 4 GiB.
type Span = (u32, u32);

/// The segments that a route's `*` and `{name}` matched, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params {
    first: [Span; INLINE],
    more: Vec<Span>,
    count: usize,
}

impl Params {
    /// Whether nothing was captured.
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The matched texts, in order. One that does not lie in `path`, because that is not the path that was
    /// looked up, is empty.
    pub(crate) fn values<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let first = &self.first[..self.count.min(INLINE)];
        let text = move |&(start, end): &Span| path.get(start as usize..end as usize).unwrap_or_default();
        first.iter().chain(&self.more).map(text)
    }

    pub(super) fn push(&mut self, start: usize, end: usize) {
        let short = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        let span = (short(start), short(end));
        match self.first.get_mut(self.count) {
            Some(place) => *place = span,
            None => self.more.push(span),
        }
        self.count += 1;
    }

    pub(super) fn pop(&mut self) {
        if self.count > INLINE {
            self.more.pop();
        } else if let Some(last) = self.count.checked_sub(1) {
            self.first[last] = (0, 0);
        }
        self.count = self.count.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn what_is_pushed_is_read_back_and_popped() {
        let path = "/a/bc/d/ef/g/h";
        let spans = [(1, 2), (3, 5), (6, 7), (8, 10), (11, 12), (13, 14)];
        let mut params = Params::default();
        for (count, (start, end)) in spans.into_iter().enumerate() {
            assert_eq!(params.values(path).count(), count);
            params.push(start, end);
        }
        assert_eq!(params.values(path).collect::<Vec<_>>(), ["a", "bc", "d", "ef", "g", "h"]);
        params.pop();
        params.pop();
        params.pop();
        assert_eq!(params.values(path).collect::<Vec<_>>(), ["a", "bc", "d"]);
        for _ in 0..4 {
            params.pop();
        }
        assert_eq!(params, Params::default(), "popping leaves nothing behind");
    }

    #[test]
    fn another_path_does_not_panic() {
        let mut params = Params::default();
        params.push(1, 40);
        params.push(2, 3);
        assert_eq!(params.values("/é").collect::<Vec<_>>(), ["", ""]);
    }
}
