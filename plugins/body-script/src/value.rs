//! The values that filters see. jaq lends its interpreter; what an operator or an index does to a value is here, as in jq.

mod number;
mod operators;
mod update;

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

use indexmap::IndexMap;
use jaq_core::val::Range;

pub(crate) use number::Num;
pub(crate) use update::places;

/// Members in the order in which they came.
pub(crate) type Map = IndexMap<Rc<str>, Val>;
/// What went wrong in a filter.
pub(crate) type Error = jaq_core::Error<Val>;
pub(crate) type ValR = jaq_core::ValR<Val>;

/// A JSON value.
#[derive(Clone, Debug, Default)]
pub(crate) enum Val {
    #[default]
    Null,
    Bool(bool),
    Num(Num),
    Str(Rc<str>),
    Arr(Rc<Vec<Val>>),
    Obj(Rc<Map>),
}

impl Val {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Num(_) => "number",
            Self::Str(_) => "string",
            Self::Arr(_) => "array",
            Self::Obj(_) => "object",
        }
    }

    pub(crate) fn object(members: Map) -> Self {
        Self::Obj(members.into())
    }

    pub(crate) fn array(values: Vec<Val>) -> Self {
        Self::Arr(values.into())
    }

    /// Kind and value, the value cut short: `number (5)`.
    pub(crate) fn shown(&self) -> String {
        let text = self.to_string();
        // A string keeps its closing quote.
        let end = if matches!(self, Self::Str(_)) { "\"" } else { "" };
        match text.char_indices().map(|(at, _)| at).take_while(|&at| at <= 26 - end.len()).last() {
            Some(at) if text.len() > 29 => format!("{} ({}...{end})", self.kind(), &text[..at]),
            _ => format!("{} ({text})", self.kind()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(false) => 1,
            Self::Bool(true) => 2,
            Self::Num(_) => 3,
            Self::Str(_) => 4,
            Self::Arr(_) => 5,
            Self::Obj(_) => 6,
        }
    }
}

pub(crate) fn fail<T>(message: impl fmt::Display) -> Result<T, Error> {
    Err(Error::str(message))
}

impl Ord for Val {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Num(left), Self::Num(right)) => left.cmp(right),
            (Self::Str(left), Self::Str(right)) => left.cmp(right),
            (Self::Arr(left), Self::Arr(right)) => left.cmp(right),
            (Self::Obj(left), Self::Obj(right)) => {
                let sorted = |members: &Map| {
                    let mut members: Vec<_> =
                        members.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                    members.sort_by(|(left, _), (right, _)| left.cmp(right));
                    members.into_iter().unzip::<_, _, Vec<_>, Vec<_>>()
                };
                let ((left_names, left), (right_names, right)) = (sorted(left), sorted(right));
                left_names.cmp(&right_names).then_with(|| left.cmp(&right))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Val {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Val {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Arr(left), Self::Arr(right)) => left == right,
            (Self::Obj(left), Self::Obj(right)) => left == right,
            _ => self.cmp(other) == Ordering::Equal,
        }
    }
}

impl Eq for Val {}

impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::json::write(self).unwrap_or_else(|| "...".to_owned()))
    }
}

impl From<bool> for Val {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<isize> for Val {
    fn from(value: isize) -> Self {
        // An integer in a filter comes this way.
        if value.unsigned_abs() < 1 << 31 {
            Self::from(value as f64)
        } else {
            Self::Num(Num::written(&value.to_string()))
        }
    }
}

impl From<usize> for Val {
    fn from(value: usize) -> Self {
        Self::from(value as f64)
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Self {
        Self::Num(Num::from(value))
    }
}

impl From<String> for Val {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<&str> for Val {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<Range<Val>> for Val {
    fn from(range: Range<Val>) -> Self {
        let bound = |name: &str, bound: Option<Val>| (Rc::from(name), bound.unwrap_or_default());
        Self::object([bound("start", range.start), bound("end", range.end)].into_iter().collect())
    }
}

impl FromIterator<Val> for Val {
    fn from_iter<I: IntoIterator<Item = Val>>(values: I) -> Self {
        Self::array(values.into_iter().collect())
    }
}

impl jaq_std::ValT for Val {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self {
            Self::Arr(values) => Ok(Rc::unwrap_or_clone(values).into_iter().collect()),
            other => Err(other),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self, Self::Num(number) if number.float().fract() == 0.0)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    fn as_isize(&self) -> Option<isize> {
        let Self::Num(number) = self else { return None };
        let float = number.float();
        let fits = float.fract() == 0.0 && (isize::MIN as f64..isize::MAX as f64).contains(&float);
        fits.then_some(float as isize)
    }

    fn as_f64(&self) -> Option<f64> {
        if let Self::Num(number) = self { Some(number.float()) } else { None }
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::Str(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Str(text) = self { Some(text.as_bytes()) } else { None }
    }

    fn as_sub_str(&self, part: &[u8]) -> Self {
        Self::from_utf8_bytes(part.to_vec())
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::Str(String::from_utf8_lossy(bytes.as_ref()).into())
    }
}
