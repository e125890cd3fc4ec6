//! Paths into values: `.[]`, `.[k]`, `.[a:b]`, to read and to update.

use std::rc::Rc;

use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::path::Opt;
use jaq_core::val::Range;
use jaq_core::{Exn, ValT, ValX};

use super::{Error, Map, Num, Val, ValR, fail};

/// How long an array may become because something is put past its end.
const MAX_LENGTH: f64 = 1_000_000.0;

impl ValT for Val {
    fn from_num(text: &str) -> ValR {
        Ok(Self::Num(Num::written(text)))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(members: I) -> ValR {
        let named = members.into_iter().map(|(name, value)| match name {
            Self::Str(name) => Ok((name, value)),
            name => fail(format_args!("Object keys must be strings, not {}", name.shown())),
        });
        named.collect::<Result<Map, _>>().map(Self::object)
    }

    fn key_values(self) -> BoxIter<'static, Result<(Self, Self), Error>> {
        match self {
            Self::Arr(values) => {
                let values = Rc::unwrap_or_clone(values).into_iter().enumerate();
                Box::new(values.map(|(index, value)| Ok((Self::from(index), value))))
            }
            Self::Obj(members) => {
                let members = Rc::unwrap_or_clone(members).into_iter();
                Box::new(members.map(|(name, value)| Ok((Self::Str(name), value))))
            }
            other => box_once(Err(not_iterable(&other))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR>> {
        match self {
            Self::Arr(values) => Box::new(Rc::unwrap_or_clone(values).into_iter().map(Ok)),
            Self::Obj(members) => Box::new(Rc::unwrap_or_clone(members).into_values().map(Ok)),
            other => box_once(Err(not_iterable(&other))),
        }
    }

    fn index(self, index: &Self) -> ValR {
        self.look(index)
    }

    fn range(self, range: Range<&Self>) -> ValR {
        self.slice(range.start, range.end)
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        optional: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self {
            Self::Arr(values) => {
                let values = Rc::unwrap_or_clone(values).into_iter();
                values.filter_map(|value| f(value).next()).collect()
            }
            Self::Obj(members) => {
                let members = Rc::unwrap_or_clone(members).into_iter();
                let members =
                    members.filter_map(|(name, value)| Some(f(value).next()?.map(|value| (name, value))));
                members.collect::<Result<Map, _>>().map(Self::object)
            }
            other => optional.fail(other, |other| Exn::from(not_iterable(&other))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        optional: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        if let (Self::Null | Self::Arr(_) | Self::Str(_), Self::Obj(range)) = (&self, index) {
            return self.map_range(range.get("start")..range.get("end"), optional, f);
        }
        match (self, index) {
            (Self::Null, Self::Str(_)) => Self::object(Map::new()).map_index(index, optional, f),
            (Self::Null, Self::Num(_)) => Self::array(Vec::new()).map_index(index, optional, f),
            (Self::Obj(mut members), Self::Str(name)) => {
                let members_mut = Rc::make_mut(&mut members);
                let before = members_mut.get_mut(name).map(std::mem::take);
                match f(before.unwrap_or_default()).next().transpose()? {
                    Some(value) => drop(members_mut.insert(name.clone(), value)),
                    None => drop(members_mut.shift_remove(name)),
                }
                Ok(Self::Obj(members))
            }
            (Self::Arr(mut values), Self::Num(number)) => {
                let place = match place(number.float(), values.len()) {
                    Ok(place) => place,
                    Err(error) => return optional.fail(Self::Arr(values), |_| Exn::from(error)),
                };
                let values_mut = Rc::make_mut(&mut values);
                let before = values_mut.get_mut(place).map(std::mem::take);
                match f(before.unwrap_or_default()).next().transpose()? {
                    Some(value) => {
                        values_mut.resize(values_mut.len().max(place + 1), Self::Null);
                        values_mut[place] = value;
                    }
                    None if place < values_mut.len() => drop(values_mut.remove(place)),
                    None => {}
                }
                Ok(Self::Arr(values))
            }
            (value, index) => optional.fail(value, |value| Exn::from(cannot_index(&value, index))),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        optional: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let mut values = match self {
            Self::Null => Rc::default(),
            Self::Arr(values) => values,
            other => return optional.fail(other, |_| Exn::from(Error::str("Cannot update string slices"))),
        };
        let (from, upto) = match bounds(range.start, range.end, values.len()) {
            Ok(bounds) => bounds,
            Err(error) => return optional.fail(Self::Arr(values), |_| Exn::from(error)),
        };
        let part = Self::array(values[from..upto].to_vec());
        let part = match f(part).next().transpose()? {
            None => Rc::default(),
            Some(Self::Arr(part)) => part,
            Some(_) => {
                return Err(Exn::from(Error::str("A slice of an array can only be assigned another array")));
            }
        };
        Rc::make_mut(&mut values).splice(from..upto, part.iter().cloned());
        Ok(Self::Arr(values))
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        if let Self::Str(_) = self { self } else { Self::from(self.to_string()) }
    }
}

impl Val {
    /// What is at an index; null if nothing is.
    pub(crate) fn look(&self, index: &Self) -> ValR {
        match (self, index) {
            (Self::Obj(members), Self::Str(name)) => Ok(members.get(name).cloned().unwrap_or_default()),
            (Self::Arr(values), Self::Num(number)) => {
                Ok(values.get_at(number.float()).cloned().unwrap_or_default())
            }
            (Self::Null | Self::Arr(_) | Self::Str(_), Self::Obj(range)) => {
                self.slice(range.get("start"), range.get("end"))
            }
            (Self::Arr(values), Self::Arr(part)) => Ok(places(values, part)),
            (Self::Null, Self::Str(_) | Self::Num(_) | Self::Null) => Ok(Self::Null),
            (value, index) => Err(cannot_index(value, index)),
        }
    }

    fn slice(&self, start: Option<&Self>, end: Option<&Self>) -> ValR {
        match self {
            Self::Null => Ok(Self::Null),
            Self::Arr(values) => {
                bounds(start, end, values.len()).map(|(from, upto)| Self::array(values[from..upto].to_vec()))
            }
            Self::Str(text) => {
                let (from, upto) = bounds(start, end, text.chars().count())?;
                let mut places = text.char_indices().map(|(place, _)| place).chain([text.len()]);
                let from_byte = places.nth(from).unwrap_or(text.len());
                let upto_byte =
                    if upto > from { places.nth(upto - from - 1).unwrap_or(text.len()) } else { from_byte };
                Ok(Self::from(&text[from_byte..upto_byte]))
            }
            other => fail(format_args!("Cannot index {} with object", other.kind())),
        }
    }
}

/// Where `part` begins in `values`.
pub(crate) fn places(values: &[Val], part: &[Val]) -> Val {
    if part.is_empty() {
        return Val::array(Vec::new());
    }
    values
        .windows(part.len())
        .enumerate()
        .filter(|(_, window)| *window == part)
        .map(|(at, _)| Val::from(at))
        .collect()
}

trait GetAt {
    fn get_at(&self, index: f64) -> Option<&Val>;
}

impl GetAt for Vec<Val> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    fn get_at(&self, index: f64) -> Option<&Val> {
        let index = index.floor();
        let index = if index < 0.0 { index + self.len() as f64 } else { index };
        if index >= 0.0 { self.get(index as usize) } else { None }
    }
}

/// The place that an index means, which may be past the end.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn place(index: f64, length: usize) -> Result<usize, Error> {
    let index = index.floor();
    let index = if index < 0.0 { index + length as f64 } else { index };
    if index.is_nan() {
        fail("Cannot set array element at NaN index")
    } else if index < 0.0 {
        fail("Out of bounds negative array index")
    } else if index > MAX_LENGTH {
        fail("Array index too large")
    } else {
        Ok(index as usize)
    }
}

/// The places that a slice means: its bounds are cut outwards to integers and into the array.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn bounds(start: Option<&Val>, end: Option<&Val>, length: usize) -> Result<(usize, usize), Error> {
    let bound = |value: Option<&Val>, default: f64, cut: fn(f64) -> f64| match value {
        None | Some(Val::Null) => Ok(default),
        Some(Val::Num(number)) => {
            let float = if number.float().is_nan() { default } else { number.float() };
            let float = if float < 0.0 { float + length as f64 } else { float };
            Ok(cut(float).clamp(0.0, length as f64))
        }
        Some(_) => fail("Start and end indices of an array slice must be numbers"),
    };
    let from = bound(start, 0.0, f64::floor)? as usize;
    let upto = bound(end, length as f64, f64::ceil)? as usize;
    Ok((from, upto.max(from)))
}

fn not_iterable(value: &Val) -> Error {
    match value {
        Val::Null => Error::str("Cannot iterate over null"),
        other => Error::str(format_args!("Cannot iterate over {}", other.shown())),
    }
}

fn cannot_index(value: &Val, index: &Val) -> Error {
    match index {
        Val::Str(_) | Val::Num(_) => {
            Error::str(format_args!("Cannot index {} with {}", value.kind(), index.shown()))
        }
        other => Error::str(format_args!("Cannot index {} with {}", value.kind(), other.kind())),
    }
}
