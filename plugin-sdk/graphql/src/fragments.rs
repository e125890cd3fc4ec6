//! Which fragments use which: in an order in which each comes after those that it uses.

use crate::Document;
use crate::document::Selected;

/// A spread that leads nowhere, or in a circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidSpread<'s> {
    /// There is no such fragment.
    Unknown {
        /// The fragment's name.
        name: &'s str,
        /// Where the spread is, in bytes.
        at: usize,
    },
    /// The fragment uses itself.
    Circle {
        /// The fragment's name.
        name: &'s str,
        /// Where the spread is, in bytes.
        at: usize,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Unseen,
    Open,
    Done,
}

impl<'s> Document<'s> {
    /// The fragments, each after those that it uses. Every spread of the document is looked at.
    pub fn fragment_order(&self) -> Result<Vec<usize>, InvalidSpread<'s>> {
        let mut states = vec![State::Unseen; self.fragments.len()];
        let mut order = Vec::with_capacity(self.fragments.len());
        for first in 0..self.fragments.len() {
            self.visit(first, &mut states, &mut order)?;
        }
        for operation in &self.operations {
            for at in operation.definition.selections.clone() {
                self.spread(at)?;
            }
        }
        Ok(order)
    }

    fn visit(
        &self,
        first: usize,
        states: &mut [State],
        order: &mut Vec<usize>,
    ) -> Result<(), InvalidSpread<'s>> {
        if states[first] != State::Unseen {
            return Ok(());
        }
        // Fragments that are open, and how far each has been looked through.
        let mut open = vec![(first, self.fragments[first].definition.selections.start)];
        states[first] = State::Open;
        while let Some((fragment, from)) = open.last_mut() {
            if *from == self.fragments[*fragment].definition.selections.end {
                states[*fragment] = State::Done;
                order.push(*fragment);
                open.pop();
                continue;
            }
            let at = *from;
            *from += 1;
            let Some(used) = self.spread(at)? else { continue };
            match states[used] {
                State::Done => {}
                State::Open => {
                    let (name, at) = (self.fragments[used].name, self.selections[at].at);
                    return Err(InvalidSpread::Circle { name, at });
                }
                State::Unseen => {
                    states[used] = State::Open;
                    open.push((used, self.fragments[used].definition.selections.start));
                }
            }
        }
        Ok(())
    }

    /// The fragment that a selection spreads, if it is a spread.
    fn spread(&self, at: usize) -> Result<Option<usize>, InvalidSpread<'s>> {
        let selection = &self.selections[at];
        let Selected::Spread { name } = selection.selected else { return Ok(None) };
        let unknown = InvalidSpread::Unknown { name, at: selection.at };
        self.fragment(name).map(Some).ok_or(unknown)
    }
}
