//! How large and how complex a message may be.

use sluice_sdk::prelude::*;

/// The bounds of a message, in XML and in JSON alike.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Bytes of a body, as it is read without its content coding, and as it is written.
    pub(crate) size: usize,
    /// Elements within one another; arrays and objects within one another.
    pub(crate) depth: usize,
    /// Elements and attributes; values.
    pub(crate) values: usize,
}

/// All that walks a document recurses, and the stack has 512 KiB.
const MAX_DEPTH: usize = 128;
const MAX_VALUES: usize = 1_000_000;
const MAX_SIZE: u64 = 64 << 20;

impl Bounds {
    pub(crate) fn new(size: Size, depth: usize, values: usize) -> Result<Self> {
        ensure!((1..=MAX_SIZE).contains(&size.bytes()), "`max_size` lies between \"1B\" and \"64MiB\"");
        ensure!((4..=MAX_DEPTH).contains(&depth), "`max_depth` lies between 4 and {MAX_DEPTH}");
        ensure!((16..=MAX_VALUES).contains(&values), "`max_values` lies between 16 and {MAX_VALUES}");
        Ok(Self { size: usize::try_from(size.bytes())?, depth, values })
    }

    pub(crate) fn too_deep(&self) -> String {
        format!("the body is nested deeper than the {} levels of `max_depth`", self.depth)
    }

    pub(crate) fn too_many(&self) -> String {
        format!("the body has more than the {} values of `max_values`", self.values)
    }

    pub(crate) fn too_large(&self) -> String {
        format!("the body is larger than the {} bytes of `max_size`", self.size)
    }
}

#[cfg(test)]
impl Default for Bounds {
    fn default() -> Self {
        Self { size: 1 << 20, depth: 64, values: 20_000 }
    }
}
