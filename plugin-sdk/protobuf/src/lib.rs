//! Protocol buffers of a descriptor set, for plugins that translate: messages between proto3 JSON and the wire, and what a path or a
//! query says as fields.
//!
//! Nothing is built between the two forms: JSON is written to the wire as it is read, and the wire to JSON. That keeps memory
//! near the size of what goes out, and makes merging (a field from the path after those of the body) a matter of appending bytes, as
//! the encoding specifies.
//!
//! ```
//! use sluice_sdk_protobuf::{Pool, ReadOptions, WriteOptions};
//!
//! let pool = Pool::new(b"")?; // The well-known types are always there.
//! let duration = pool.message("google.protobuf.Duration").expect("well known");
//! let mut wire = Vec::new();
//! pool.to_wire(duration, br#""1.5s""#, &ReadOptions::default(), &mut wire)?;
//! assert_eq!(wire, b"\x08\x01\x10\x80\xca\xb5\xee\x01");
//! let mut json = Vec::new();
//! pool.to_json(duration, &wire, &WriteOptions::default(), &mut json)?;
//! assert_eq!(json, br#""1.500s""#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod base64;
mod error;
mod json;
mod load;
mod options;
mod pool;
mod read;
mod text;
mod time;
mod wire;
mod write;

pub use error::{Error, ErrorKind, Place};
pub use load::SetError;
pub use options::{ReadOptions, UnknownAny, WriteOptions};
pub use pool::{
    Cardinality, Enum, EnumId, EnumValue, Field, Kind, Known, Message, MessageId, Method, Pool, Service,
};
pub use text::{FieldPath, Step};
pub use wire::{Fields, Value, put_bytes};

/// How deep messages, lists and objects may be within each other, as protocol buffers' own parsers have it.
pub const MAX_DEPTH: usize = 100;
