//! Regular expressions: matched in linear time, compiled once and kept for a while.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use jaq_core::native::{Fun, bome, run, v};
use regex_bites::{Captures, Regex, RegexBuilder};

use super::Data;
use crate::value::{Error, Map, Val, ValR, fail};

/// How many compiled expressions are kept: a filter has a few, and applies them to every element of an array.
const KEPT: usize = 16;
/// How much memory a compiled expression may take, in bytes.
const MAX_COMPILED: usize = 1 << 20;

struct Compiled {
    pattern: Rc<str>,
    flags: Rc<str>,
    regex: Regex,
    global: bool,
    not_empty: bool,
}

thread_local! {
    static COMPILED: RefCell<VecDeque<Rc<Compiled>>> = const { RefCell::new(VecDeque::new()) };
}

pub(super) fn natives() -> [Fun<Data>; 3] {
    [
        run(("matches", v(2), |mut cv| {
            let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
            bome(parts(&cv.1, &pattern, &flags, Wanted { matches: true, between: false }))
        })),
        run(("split_matches", v(2), |mut cv| {
            let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
            bome(parts(&cv.1, &pattern, &flags, Wanted { matches: true, between: true }))
        })),
        run(("split_", v(2), |mut cv| {
            let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
            bome(parts(&cv.1, &pattern, &flags, Wanted { matches: false, between: true }))
        })),
    ]
}

/// The expression of a pattern and its flags, which are those of jq; `m` lets `^` and `$` match at lines.
fn compiled(pattern: &Val, flags: &Val) -> Result<Rc<Compiled>, Error> {
    let (pattern, flags) = match (pattern, flags) {
        (Val::Str(pattern), Val::Str(flags)) => (pattern, flags),
        (Val::Str(_), other) | (other, _) => {
            return fail(format_args!("{} cannot be matched, as it is not a string", other.shown()));
        }
    };
    let known = COMPILED.with_borrow(|kept| {
        kept.iter().find(|known| known.pattern == *pattern && known.flags == *flags).cloned()
    });
    if let Some(known) = known {
        return Ok(known);
    }
    if let Some(unknown) = flags.chars().find(|flag| !"gnimslxp".contains(*flag)) {
        return fail(format_args!("{flags} is not a valid modifier string: `{unknown}`"));
    }
    let has = |flag: char| flags.contains(flag);
    let regex = RegexBuilder::new(pattern)
        .case_insensitive(has('i'))
        .multi_line(has('m') || has('p'))
        .dot_matches_new_line(has('s') || has('p'))
        .swap_greed(has('l'))
        .ignore_whitespace(has('x'))
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|error| Error::str(format_args!("{pattern} (at offset 0) is not a valid regex: {error}")))?;
    let compiled = Compiled {
        pattern: Rc::clone(pattern),
        flags: Rc::clone(flags),
        regex,
        global: has('g'),
        not_empty: has('n'),
    };
    let compiled = Rc::new(compiled);
    COMPILED.with_borrow_mut(|kept| {
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Rc::clone(&compiled));
    });
    Ok(compiled)
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Wanted {
    /// Each match, an array: what matched, and the groups that took part.
    matches: bool,
    /// The texts before, between and behind the matches.
    between: bool,
}

fn parts(value: &Val, pattern: &Val, flags: &Val, wanted: Wanted) -> ValR {
    let Val::Str(text) = value else {
        return fail(format_args!("{} cannot be matched, as it is not a string", value.shown()));
    };
    let compiled = compiled(pattern, flags)?;
    let mut parts = Vec::new();
    let mut behind = 0;
    // Up to `start` there are `characters` of them.
    let (mut start, mut characters) = (0, 0);
    for captures in compiled.regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        if compiled.not_empty && whole.is_empty() {
            continue;
        }
        if wanted.between {
            parts.push(Val::from(&text[behind..whole.start()]));
            behind = whole.end();
        }
        if wanted.matches {
            characters += text[start..whole.start()].chars().count();
            start = whole.start();
            parts.push(groups(&compiled.regex, &captures, &text[start..], start, characters));
        }
        if !compiled.global {
            break;
        }
    }
    if wanted.between {
        parts.push(Val::from(&text[behind..]));
    }
    Ok(Val::array(parts))
}

/// What matched and its groups. The match begins with `text`, at these places in bytes and in characters.
fn groups(regex: &Regex, captures: &Captures<'_>, text: &str, start: usize, characters: usize) -> Val {
    let groups = captures.iter().zip(regex.capture_names());
    let groups = groups.filter_map(|(found, name)| {
        let found = found?;
        let offset = characters + text[..found.start() - start].chars().count();
        let mut members = Map::new();
        members.insert("offset".into(), Val::from(offset));
        members.insert("length".into(), Val::from(found.as_str().chars().count()));
        members.insert("string".into(), Val::from(found.as_str()));
        if let Some(name) = name {
            members.insert("name".into(), Val::from(name));
        }
        Some(Val::object(members))
    });
    groups.collect()
}
