//! Files that come with a configuration.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::Result;
use crate::host::{self, raw};

/// A file that comes with the configuration: an operator writes `"${asset:PATH}"`, and the gateway reads it, watches it, and
/// configures the step anew when it changes. It may hold any bytes, up to 64 MiB.
#[derive(Clone, PartialEq, Eq)]
pub struct Asset {
    name: String,
}

/// Bytes that are copied at once.
const PIECE: usize = 1 << 20;

impl Asset {
    /// What is in it. Only in [`new`](crate::Plugin::new), and only once: it is copied each time.
    ///
    /// # Errors
    /// In any other phase.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let name = self.name.as_bytes();
        let length = host::number("find an asset", raw::asset_length(name))?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        let mut offset = 0;
        while offset < bytes.len() {
            let end = bytes.len().min(offset + PIECE);
            let copied =
                host::number("read an asset", raw::asset_read(name, offset, &mut bytes[offset..end]))?;
            let copied = usize::try_from(copied).unwrap_or_default();
            if copied == 0 {
                break;
            }
            offset += copied;
        }
        bytes.truncate(offset);
        Ok(bytes)
    }
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "asset:{}", self.name)
    }
}

impl<'de> Deserialize<'de> for Asset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix("asset:") {
            Some(name) => Ok(Self { name: name.to_owned() }),
            None => Err(serde::de::Error::custom("a file is named as `${asset:PATH}`")),
        }
    }
}

impl JsonSchema for Asset {
    fn schema_name() -> Cow<'static, str> {
        "Asset".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^asset:",
            "description": "A file, as `${asset:PATH}`",
        })
    }
}
