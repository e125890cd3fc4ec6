//! JSON (RFC 8259) for plugins that pass on what they read: strict, bounded, without recursion, and with every number as it was
//! written. Values are the plugin's own.
//!
//! ```
//! use std::borrow::Cow;
//! use std::convert::Infallible;
//!
//! use sluice_sdk_json::{Bounds, Build, Unreadable, read};
//!
//! /// How many numbers there are.
//! #[derive(Debug, PartialEq)]
//! struct Numbers(usize);
//!
//! impl Build for Numbers {
//!     type Members = usize;
//!     type Refused = Infallible;
//!     const HALF_OF_PAIR: Option<char> = None;
//!
//!     fn null() -> Self { Self(0) }
//!     fn boolean(_: bool) -> Self { Self(0) }
//!     fn number(_: &str) -> Self { Self(1) }
//!     fn string(_: Cow<'_, str>) -> Self { Self(0) }
//!     fn array(items: Vec<Self>) -> Self { Self(items.iter().map(|item| item.0).sum()) }
//!     fn member(members: &mut usize, _: Cow<'_, str>, value: Self) { *members += value.0 }
//!     fn object(members: usize) -> Result<Self, Infallible> { Ok(Self(members)) }
//! }
//!
//! let bounds = Bounds { depth: 2, values: 5 };
//! assert_eq!(read(br#"{ "a": [1, 2.0], "b": 3 }"#, bounds), Ok(Numbers(3)));
//! assert_eq!(read::<Numbers>(b"[[[]]]", bounds), Err(Unreadable::TooDeep));
//! ```

mod reader;

use std::borrow::Cow;

pub use reader::read;

/// A value that is made from JSON.
pub trait Build: Sized {
    /// The members of an object that has not ended.
    type Members: Default;
    /// Why the members of an object are none for this value; [`Infallible`](std::convert::Infallible) if all are.
    type Refused;
    /// What half of a surrogate pair in a string becomes, since it is no character; none refuses the text.
    const HALF_OF_PAIR: Option<char>;

    /// `null`.
    fn null() -> Self;
    /// `true` or `false`.
    fn boolean(value: bool) -> Self;
    /// A number as it was written: of any size and precision.
    fn number(written: &str) -> Self;
    /// A string without its escapes; owned only if it had some.
    fn string(text: Cow<'_, str>) -> Self;
    /// An array.
    fn array(items: Vec<Self>) -> Self;
    /// Takes a member, in the order of the text. Its name may have been there before.
    fn member(members: &mut Self::Members, name: Cow<'_, str>, value: Self);
    /// An object that has ended.
    fn object(members: Self::Members) -> Result<Self, Self::Refused>;
}

/// How complex a text may be. Its length is the caller's to bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Arrays and objects within one another. Reading takes no stack for them, but what walks or drops the value may.
    pub depth: usize,
    /// Values, those in arrays and objects included.
    pub values: usize,
}

/// Why a text was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable<R> {
    /// It is not JSON, from this byte on.
    Malformed(usize),
    /// It goes beyond [`Bounds::depth`].
    TooDeep,
    /// It goes beyond [`Bounds::values`].
    TooMany,
    /// The members of an object are refused.
    Refused(R),
}
