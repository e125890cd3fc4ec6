//! What a filter can call: jaq's functions of plain values, less those that reach outside, and ours for the rest of jq's.

mod math;
mod regex;
mod text;
mod time;

use std::rc::Rc;

use jaq_core::load::parse::Def;
use jaq_core::native::{Fun, bome, run, unary, v};
use jaq_core::{ValT as _, data, load};

use crate::json::{self, Refused};
use crate::value::{Error, Num, Val, ValR, fail, places};

/// Filters see values and nothing else.
pub(crate) type Data = data::JustLut<Val>;

/// Functions that read the machine, its clock or its time zone, that print, or that end the process.
const OUTSIDE: [&str; 10] = [
    "debug",
    "debug_empty",
    "env",
    "halt",
    "halt_error",
    "localtime",
    "now",
    "stderr",
    "stderr_empty",
    "strflocaltime",
];
/// What is ours instead of jaq's.
const OURS: [&str; 7] = ["@htmld", "fromdate", "implode", "infinite", "nan", "setpath", "todate"];
/// How many values `fromjson` makes of one string.
const MAX_VALUES: usize = 100_000;

/// Definitions in jq: parsed once for all filters of a configuration, since that takes time.
pub(crate) fn definitions() -> Vec<Def<&'static str>> {
    let parse = |text| load::parse(text, |parser| parser.defs()).expect("our definitions are jq");
    let core = parse(include_str!("first.jq")).into_iter().chain(jaq_core::defs());
    let all = core.chain(parse(include_str!("early.jq"))).chain(jaq_std::defs());
    all.filter(|definition| is_kept(definition.name)).chain(parse(include_str!("late.jq"))).collect()
}

fn is_kept(name: &str) -> bool {
    !OUTSIDE.contains(&name) && !OURS.contains(&name)
}

/// Functions in Rust.
pub(crate) fn natives() -> impl Iterator<Item = Fun<Data>> {
    jaq_core::funs()
        // Its further functions come only together, with a database of time zones and the file system that this is read from.
        .chain(jaq_std::base_funs())
        .filter(|(name, ..)| is_kept(name))
        // `first.jq` has those that filters see.
        .map(|(name, arguments, run)| match name {
            "limit" => ("limit_by", arguments, run),
            "range" => ("range_by", arguments, run),
            "skip" => ("skip_by", arguments, run),
            _ => (name, arguments, run),
        })
        .chain(ours())
        .chain(math::natives())
        .chain(regex::natives())
        .chain(text::natives())
        .chain(time::natives())
}

fn ours() -> [Fun<Data>; 14] {
    [
        run(("tojson", v(0), |cv| bome(to_json(&cv.1)))),
        run(("fromjson", v(0), |cv| bome(from_json(&cv.1)))),
        run(("tonumber", v(0), |cv| bome(to_number(cv.1)))),
        run(("infinite", v(0), |_| bome(Ok(Val::from(f64::INFINITY))))),
        run(("nan", v(0), |_| bome(Ok(Val::from(f64::NAN))))),
        run(("length", v(0), |cv| bome(length(cv.1)))),
        run(("implode", v(0), |cv| bome(implode(&cv.1)))),
        run(("contains", v(1), |cv| unary(cv, |value, part| contains(&value, &part).map(Val::from)))),
        run(("has", v(1), |cv| unary(cv, |value, key| has(&value, &key)))),
        run(("indices", v(1), |cv| unary(cv, |value, part| indices(&value, &part)))),
        run(("bsearch", v(1), |cv| unary(cv, |values, value| search(&values, &value)))),
        run(("delpath", v(1), |cv| unary(cv, |value, path| delete(value, keys(&path)?)))),
        run(("setpath", v(2), |mut cv| {
            let value = cv.0.pop_var();
            let path = cv.0.pop_var();
            bome(keys(&path).and_then(|path| set(cv.1, path, value)))
        })),
        run(("rtype", v(0), |cv| bome(Ok(Val::from(cv.1.kind()))))),
    ]
}

fn to_json(value: &Val) -> ValR {
    match json::write(value) {
        Some(text) => Ok(Val::from(text)),
        None => fail(format_args!("nested deeper than {} levels", json::MAX_DEPTH)),
    }
}

fn from_json(value: &Val) -> ValR {
    let Val::Str(text) = value else {
        return fail(format_args!("{} cannot be parsed as JSON", value.shown()));
    };
    if &**text == "nan" {
        return Ok(Val::from(f64::NAN));
    }
    json::read(text.as_bytes(), MAX_VALUES).or_else(|refused| match refused {
        Refused::Malformed(at) => fail(format_args!("not JSON at byte {at}")),
        Refused::TooDeep => fail(format_args!("JSON nested deeper than {} levels", json::MAX_DEPTH)),
        Refused::TooMany => fail(format_args!("JSON of more than {MAX_VALUES} values")),
    })
}

/// Unlike JSON, `tonumber` takes a plus and leading zeros, a point at either end, and `nan`.
fn to_number(value: Val) -> ValR {
    let Val::Str(text) = &value else {
        let number = matches!(value, Val::Num(_));
        return if number {
            Ok(value)
        } else {
            fail(format_args!("{} cannot be parsed as a number", value.shown()))
        };
    };
    if &**text == "nan" {
        return Ok(Val::from(f64::NAN));
    }
    let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    match text.parse::<f64>() {
        Ok(float) if plain => {
            let json = matches!(json::read(text.as_bytes(), 1), Ok(Val::Num(_)));
            Ok(if json { Val::Num(Num::written(text)) } else { Val::from(float) })
        }
        _ => fail(format_args!("{} cannot be parsed as a number", value.shown())),
    }
}

fn length(value: Val) -> ValR {
    Ok(match value {
        Val::Null => Val::from(0_usize),
        Val::Bool(_) => return fail(format_args!("{} has no length", value.shown())),
        Val::Num(number) if number.float() < 0.0 => Val::Num(number.negated()),
        Val::Num(_) => value,
        Val::Str(text) => Val::from(text.chars().count()),
        Val::Arr(values) => Val::from(values.len()),
        Val::Obj(members) => Val::from(members.len()),
    })
}

fn implode(value: &Val) -> ValR {
    let Val::Arr(codes) = value else { return fail(format_args!("{} cannot be imploded", value.shown())) };
    let characters = codes.iter().map(|code| match code {
        Val::Num(number) if !number.float().is_nan() => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "what is negative is no character"
            )]
            let code = if number.float() < 0.0 { u32::MAX } else { number.float() as u32 };
            Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
        }
        _ => fail("Unicode codepoint must be numeric"),
    });
    characters.collect::<Result<String, Error>>().map(Val::from)
}

fn contains(value: &Val, part: &Val) -> Result<bool, Error> {
    Ok(match (value, part) {
        (Val::Obj(members), Val::Obj(parts)) => {
            for (name, part) in parts.iter() {
                match members.get(name) {
                    Some(value) if contains(value, part)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Val::Arr(values), Val::Arr(parts)) => parts.iter().all(|part| {
            values.iter().any(|value| value.kind() == part.kind() && contains(value, part).unwrap_or(false))
        }),
        (Val::Str(text), Val::Str(part)) => text.contains(&**part),
        _ if value.kind() == part.kind() => value == part,
        _ => {
            return fail(format_args!(
                "{} and {} cannot have their containment checked",
                value.shown(),
                part.shown()
            ));
        }
    })
}

fn has(value: &Val, key: &Val) -> ValR {
    match (value, key) {
        (Val::Obj(members), Val::Str(name)) => Ok(Val::from(members.contains_key(name))),
        (Val::Arr(values), Val::Num(number)) => {
            Ok(Val::from(number.float() >= 0.0 && number.float() < values.len() as f64))
        }
        _ => fail(format_args!("Cannot check whether {} has a {} key", value.kind(), key.kind())),
    }
}

fn indices(value: &Val, part: &Val) -> ValR {
    match (value, part) {
        (Val::Null, _) => Ok(Val::Null),
        (Val::Str(_), Val::Str(part)) if part.is_empty() => Ok(Val::array(Vec::new())),
        (Val::Str(text), Val::Str(part)) => {
            let starts = text.char_indices().enumerate();
            Ok(starts
                .filter(|(_, (at, _))| text[*at..].starts_with(&**part))
                .map(|(index, _)| Val::from(index))
                .collect())
        }
        (Val::Arr(values), Val::Arr(part)) => Ok(places(values, part)),
        (Val::Arr(values), part) => Ok(places(values, std::slice::from_ref(part))),
        (value, part) => value.look(part),
    }
}

fn search(values: &Val, value: &Val) -> ValR {
    let Val::Arr(values) = values else {
        return fail(format_args!("{} cannot be searched from", values.shown()));
    };
    Ok(match values.binary_search(value) {
        Ok(at) => Val::from(at),
        Err(at) => Val::from(-1.0 - at as f64),
    })
}

/// The keys of a path, which goes no deeper than JSON may.
fn keys(path: &Val) -> Result<&[Val], Error> {
    match path {
        Val::Arr(path) if path.len() > json::MAX_DEPTH => fail("Path too deep"),
        Val::Arr(path) => Ok(path),
        _ => fail("Path must be specified as an array"),
    }
}

fn set(value: Val, path: &[Val], new: Val) -> ValR {
    match path {
        [] => Ok(new),
        [key] => put(value, key, new),
        [key, rest @ ..] => {
            let inner = set(value.look(key)?, rest, new)?;
            put(value, key, inner)
        }
    }
}

/// Takes away what is at a path.
fn delete(value: Val, path: &[Val]) -> ValR {
    let Some((key, rest)) = path.split_first() else { return Ok(Val::Null) };
    if matches!(value, Val::Null) {
        return Ok(Val::Null);
    }
    if !rest.is_empty() {
        let inner = value.look(key)?;
        if matches!(inner, Val::Null) {
            return Ok(value);
        }
        let inner = delete(inner, rest)?;
        return put(value, key, inner);
    }
    match (value, key) {
        (Val::Obj(mut members), Val::Str(name)) => {
            Rc::make_mut(&mut members).shift_remove(name);
            Ok(Val::Obj(members))
        }
        (Val::Arr(values), Val::Num(number)) if !has_place(&values, number.float()) => Ok(Val::Arr(values)),
        (value @ Val::Arr(_), Val::Num(_) | Val::Obj(_)) => {
            let deleted = value.map_index(key, jaq_core::path::Opt::Essential, |_| std::iter::empty());
            deleted.map_err(|exception| exception.get_err().unwrap_or_else(|_| Error::str("cannot delete")))
        }
        (value, key) => fail(format_args!("Cannot delete field at {} index of {}", key.kind(), value.kind())),
    }
}

fn has_place(values: &[Val], index: f64) -> bool {
    index + values.len() as f64 >= 0.0 && index < values.len() as f64
}

fn put(value: Val, key: &Val, inner: Val) -> ValR {
    let put = value.map_index(key, jaq_core::path::Opt::Essential, |_| std::iter::once(Ok(inner.clone())));
    put.map_err(|exception| exception.get_err().unwrap_or_else(|_| Error::str("cannot set")))
}
