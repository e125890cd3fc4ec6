//! What a plugin keeps of a chunk for another call.

use serde::{Deserialize, Serialize};

use crate::Code;

/// What a plugin keeps of a chunk for another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// From this byte on.
    pub from: usize,
    /// Bytes that it wants to see together before it is called again; 0 for at once.
    pub want: usize,
}

impl Hold {
    /// What a plugin may hold of a chunk of this length: not all of it to be called at once, and no more than it may hold.
    pub fn new(from: usize, want: usize, length: usize, last: bool, most: usize) -> Result<Self, Code> {
        if want > most {
            return Err(Code::TooLarge);
        }
        // With nothing more than before the same call would come for ever.
        let is_stuck = from == 0 && (last || want <= length);
        if from > length || is_stuck { Err(Code::Invalid) } else { Ok(Self { from, want }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_would_come_again_for_ever_is_refused() {
        let hold = |from, want, length, last| Hold::new(from, want, length, last, 100).map(|hold| hold.from);
        assert_eq!(hold(0, 11, 10, false), Ok(0));
        assert_eq!(hold(10, 5, 10, false), Ok(10));
        assert_eq!(hold(4, 0, 10, true), Ok(4));
        for (from, want, length, last) in
            [(0, 0, 10, false), (0, 10, 10, false), (0, 50, 10, true), (11, 50, 10, false)]
        {
            assert_eq!(hold(from, want, length, last), Err(Code::Invalid), "{from} {want} {length} {last}");
        }
        assert_eq!(hold(0, 101, 10, false), Err(Code::TooLarge));
    }
}
