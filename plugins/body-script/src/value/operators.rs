//! `+`, `-`, `*`, `/`, `%` and the minus sign, as jq has them.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::rc::Rc;

use super::{Map, Val, ValR, fail};

/// How long a repeated string may become.
const MAX_REPEATED: f64 = (16 << 20) as f64;
/// How deep objects are merged.
const MAX_DEPTH: usize = crate::json::MAX_DEPTH;

fn refuse(left: &Val, right: &Val, what: &str) -> ValR {
    fail(format_args!("{} and {} cannot be {what}", left.shown(), right.shown()))
}

impl Add for Val {
    type Output = ValR;

    fn add(self, other: Self) -> ValR {
        match (self, other) {
            (Self::Null, value) | (value, Self::Null) => Ok(value),
            (Self::Num(left), Self::Num(right)) => Ok(Self::from(left.float() + right.float())),
            (Self::Str(left), Self::Str(right)) => Ok(Self::from([&*left, &*right].concat())),
            (Self::Arr(mut left), Self::Arr(right)) => {
                Rc::make_mut(&mut left).extend(right.iter().cloned());
                Ok(Self::Arr(left))
            }
            (Self::Obj(mut left), Self::Obj(right)) => {
                let members = right.iter().map(|(name, value)| (name.clone(), value.clone()));
                Rc::make_mut(&mut left).extend(members);
                Ok(Self::Obj(left))
            }
            (left, right) => refuse(&left, &right, "added"),
        }
    }
}

impl Sub for Val {
    type Output = ValR;

    fn sub(self, other: Self) -> ValR {
        match (self, other) {
            (Self::Num(left), Self::Num(right)) => Ok(Self::from(left.float() - right.float())),
            (Self::Arr(mut left), Self::Arr(right)) => {
                let unwanted: std::collections::BTreeSet<_> = right.iter().collect();
                Rc::make_mut(&mut left).retain(|value| !unwanted.contains(value));
                Ok(Self::Arr(left))
            }
            (left, right) => refuse(&left, &right, "subtracted"),
        }
    }
}

impl Mul for Val {
    type Output = ValR;

    fn mul(self, other: Self) -> ValR {
        match (self, other) {
            (Self::Num(left), Self::Num(right)) => Ok(Self::from(left.float() * right.float())),
            (Self::Str(text), Self::Num(count)) | (Self::Num(count), Self::Str(text)) => {
                repeat(&text, count.float())
            }
            (Self::Obj(left), Self::Obj(right)) => merge(left, &right, MAX_DEPTH),
            (left, right) => refuse(&left, &right, "multiplied"),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn repeat(text: &str, count: f64) -> ValR {
    if count < 0.0 || count.is_nan() {
        return Ok(Val::Null);
    }
    if text.is_empty() {
        return Ok(Val::from(""));
    }
    if text.len() as f64 * count > MAX_REPEATED {
        return fail("Repeat string result too long");
    }
    Ok(Val::from(text.repeat(count as usize)))
}

fn merge(mut left: Rc<Map>, right: &Map, depth: usize) -> ValR {
    let Some(depth) = depth.checked_sub(1) else { return fail("Objects are nested too deep to be merged") };
    let members = Rc::make_mut(&mut left);
    for (name, value) in right {
        let merged = match (members.get_mut(name).map(std::mem::take), value) {
            (Some(Val::Obj(left)), Val::Obj(right)) => merge(left, right, depth)?,
            (_, value) => value.clone(),
        };
        members.insert(name.clone(), merged);
    }
    Ok(Val::Obj(left))
}

impl Div for Val {
    type Output = ValR;

    fn div(self, other: Self) -> ValR {
        match (self, other) {
            (Self::Num(left), Self::Num(right)) if right.float() == 0.0 => {
                refuse(&Self::Num(left), &Self::Num(right), "divided because the divisor is zero")
            }
            (Self::Num(left), Self::Num(right)) => Ok(Self::from(left.float() / right.float())),
            (Self::Str(text), Self::Str(separator)) => Ok(split(&text, &separator)),
            (left, right) => refuse(&left, &right, "divided"),
        }
    }
}

fn split(text: &str, separator: &str) -> Val {
    if text.is_empty() {
        Val::array(Vec::new())
    } else if separator.is_empty() {
        text.chars().map(|character| Val::from(character.to_string())).collect()
    } else {
        text.split(separator).map(Val::from).collect()
    }
}

impl Rem for Val {
    type Output = ValR;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "as in jq, a number that is no integer is cut to one"
    )]
    fn rem(self, other: Self) -> ValR {
        let (Self::Num(left), Self::Num(right)) = (&self, &other) else {
            return refuse(&self, &other, "divided");
        };
        if left.float().is_nan() || right.float().is_nan() {
            return Ok(Self::from(f64::NAN));
        }
        match (left.float() as i64, right.float() as i64) {
            (_, 0) => refuse(&self, &other, "divided (remainder) because the divisor is zero"),
            (left, right) => Ok(Self::from(left.wrapping_rem(right) as f64)),
        }
    }
}

impl Neg for Val {
    type Output = ValR;

    fn neg(self) -> ValR {
        match self {
            Self::Num(number) => Ok(Self::Num(number.negated())),
            other => fail(format_args!("{} cannot be negated", other.shown())),
        }
    }
}
