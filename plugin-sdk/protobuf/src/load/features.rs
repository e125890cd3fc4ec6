//! What the syntax or edition of a file means for its fields, and the features that change it.

use crate::{Error, Fields, Value};

/// The features that matter to the wire and to JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    pub(super) explicit_presence: bool,
    pub(super) required: bool,
    pub(super) packed: bool,
    pub(super) delimited: bool,
}

/// The number of `features` in the options of each kind of thing.
pub(super) const IN_FILE: u32 = 50;
pub(super) const IN_MESSAGE: u32 = 12;
pub(super) const IN_FIELD: u32 = 21;

impl Features {
    pub(super) fn of_file(syntax: &str, edition: u64) -> Self {
        let is_proto3 = syntax == "proto3";
        let has_edition = syntax == "editions" || edition >= 1_000;
        Self {
            explicit_presence: !is_proto3,
            required: false,
            packed: is_proto3 || has_edition,
            delimited: false,
        }
    }

    /// With what options change.
    pub(super) fn changed(mut self, options: &[u8], number: u32) -> Result<Self, Error> {
        for field in Fields::new(options) {
            let (known, Value::Bytes(features)) = field? else { continue };
            if known != number {
                continue;
            }
            for feature in Fields::new(features) {
                match feature? {
                    (1, Value::Varint(presence)) => {
                        self.explicit_presence = presence != 2;
                        self.required = presence == 3;
                    }
                    (3, Value::Varint(encoding)) => self.packed = encoding == 1,
                    (5, Value::Varint(encoding)) => self.delimited = encoding == 2,
                    _ => {}
                }
            }
        }
        Ok(self)
    }
}
