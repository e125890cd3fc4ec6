//! JSON as this plugin keeps it: numbers as they were written, members in their order, text borrowed from the body.

mod number;
mod parse;
mod pointer;
mod write;

use std::borrow::Cow;
use std::convert::Infallible;

pub(crate) use number::Number;
pub(crate) use parse::{Reason, parse};
pub(crate) use pointer::{Pointer, child_mut, index};
pub(crate) use write::write;

/// Arrays and objects within one another. All that walks a document recurses, so no document may exceed this.
pub(crate) const MAX_DEPTH: usize = 128;

/// What a document may take in memory at least, roughly ([`Json::cost`]): as much as 16 MiB have room for, which a plugin
/// has by default, with the body, what comes of it and room for growth beside.
pub(crate) const LEAST_BUDGET: usize = 6 << 20;

/// What a value takes in memory beside its text, roughly.
pub(crate) const VALUE_COST: usize = 32;

/// A value. Names within an object are unique.
#[derive(Clone, Debug)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number<'a>),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<Member<'a>>),
}

/// A name and its value.
pub(crate) type Member<'a> = (Cow<'a, str>, Json<'a>);

/// Up to so many members, looking for each is quicker than sorting.
const FEW: usize = 16;

impl<'a> Json<'a> {
    /// Values directly within it.
    pub(crate) fn children<'v>(&'v self) -> impl DoubleEndedIterator<Item = &'v Json<'a>> {
        let (items, members): (&'v [Json<'a>], &'v [Member<'a>]) = match self {
            Self::Array(items) => (items, &[]),
            Self::Object(members) => (&[], members),
            _ => (&[], &[]),
        };
        items.iter().chain(members.iter().map(|(_, value)| value))
    }

    /// The member of this name, if it is an object that has it.
    pub(crate) fn member(&self, name: &str) -> Option<&Json<'a>> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// How many values it is, itself included.
    pub(crate) fn size(&self) -> usize {
        self.children().map(Json::size).sum::<usize>() + 1
    }

    /// Arrays and objects within one another; 0 for a scalar.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Array(_) | Self::Object(_) => self.children().map(Json::depth).max().unwrap_or(0) + 1,
            _ => 0,
        }
    }

    /// What it takes in memory, roughly. Text counts even where it is borrowed: it may have to be written.
    pub(crate) fn cost(&self) -> usize {
        let own = match self {
            Self::Null | Self::Bool(_) => 0,
            Self::Number(number) => number.as_str().len(),
            Self::Text(text) => text.len(),
            Self::Array(items) => items.iter().map(Json::cost).sum(),
            Self::Object(members) => members.iter().map(|(name, value)| name.len() + value.cost()).sum(),
        };
        own + VALUE_COST
    }

    /// The same value, borrowing its text.
    pub(crate) fn borrowed<'v>(&'v self) -> Json<'v> {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(number) => Json::Number(number.borrowed()),
            Self::Text(text) => Json::Text(Cow::Borrowed(text)),
            Self::Array(items) => Json::Array(items.iter().map(Json::borrowed).collect()),
            Self::Object(members) => {
                let borrow = |(name, value): &'v Member<'a>| (Cow::Borrowed(&**name), value.borrowed());
                Json::Object(members.iter().map(borrow).collect())
            }
        }
    }

    /// The same value, owning its text.
    pub(crate) fn into_owned(self) -> Json<'static> {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(value),
            Self::Number(number) => Json::Number(number.into_owned()),
            Self::Text(text) => Json::Text(Cow::Owned(text.into_owned())),
            Self::Array(items) => Json::Array(items.into_iter().map(Json::into_owned).collect()),
            Self::Object(members) => {
                let owned = |(name, value): Member<'a>| (Cow::Owned(name.into_owned()), value.into_owned());
                Json::Object(members.into_iter().map(owned).collect())
            }
        }
    }

    /// What kind of value it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        let Ok(equal) = self.equals(other, &|_| Ok::<(), Infallible>(()));
        equal
    }
}

impl Json<'_> {
    /// RFC 6902 section 4.6, and RFC 9535 section 2.3.5.2.2 alike: numbers by value, members in any order. What it takes is spent
    /// as it goes: 1 for each value within, and for each 64 bytes of text.
    pub(crate) fn equals<E>(&self, other: &Self, spend: &dyn Fn(usize) -> Result<(), E>) -> Result<bool, E> {
        Ok(match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => {
                spend(reading(one.as_str()) + reading(other.as_str()))?;
                one == other
            }
            (Self::Text(one), Self::Text(other)) if one.len() == other.len() => {
                spend(reading(one))?;
                one == other
            }
            (Self::Array(one), Self::Array(other)) if one.len() == other.len() => {
                for (one, other) in one.iter().zip(other) {
                    spend(1)?;
                    if !one.equals(other, spend)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Object(one), Self::Object(other)) if one.len() == other.len() => {
                same_members(one, other, spend)?
            }
            _ => false,
        })
    }
}

/// What it takes to read a text.
pub(crate) fn reading(text: &str) -> usize {
    text.len() / 64
}

fn same_members<E>(
    one: &[Member<'_>],
    other: &[Member<'_>],
    spend: &dyn Fn(usize) -> Result<(), E>,
) -> Result<bool, E> {
    if one.len() <= FEW {
        for (name, value) in one {
            spend(1)?;
            match other.iter().find(|(known, _)| known == name) {
                Some((_, found)) if found.equals(value, spend)? => {}
                _ => return Ok(false),
            }
        }
        return Ok(true);
    }
    spend(one.len() + other.len())?;
    let sorted = |members: &[Member<'_>]| {
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_unstable_by(|&a, &b| members[a].0.cmp(&members[b].0));
        order
    };
    for (a, b) in sorted(one).into_iter().zip(sorted(other)) {
        spend(1)?;
        if one[a].0 != other[b].0 || !one[a].1.equals(&other[b].1, spend)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Json<'_> {
        parse(text.as_bytes(), LEAST_BUDGET).unwrap()
    }

    #[test]
    fn equality_is_of_values() {
        for (one, other, equal) in [
            (r#"{"a":1,"b":[2.0]}"#, r#"{"b":[2],"a":1e0}"#, true),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#, false),
            ("[1,2]", "[2,1]", false),
            (r#""\u00e9""#, "\"é\"", true),
            (r#""1""#, "1", false),
        ] {
            assert_eq!(read(one) == read(other), equal, "{one} {other}");
        }
    }

    #[test]
    fn many_members_compare_in_any_order() {
        let write = |names: &mut dyn Iterator<Item = usize>, last: usize| {
            let members: Vec<_> =
                names.map(|n| format!("\"{n}\":{}", if n == 7 { last } else { n })).collect();
            format!("{{{}}}", members.join(","))
        };
        let (up, down, other) =
            (write(&mut (0..40), 7), write(&mut (0..40).rev(), 7), write(&mut (0..40), 8));
        assert_eq!(read(&up), read(&down));
        assert_ne!(read(&up), read(&other));
    }

    #[test]
    fn sizes_and_depths_are_counted() {
        let value = read(r#"{"a":[1,[]],"b":{}}"#);
        assert_eq!((value.size(), value.depth(), value.cost()), (5, 3, 5 * VALUE_COST + 3));
    }
}
