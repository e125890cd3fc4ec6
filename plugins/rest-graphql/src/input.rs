//! Values of variables: texts that become what their type says, and JSON that has to be what its type says and goes on as it is.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use sluice_sdk_graphql::short;

use crate::schema::{Input, Named, TypeRef, Types};

/// What is wrong with a value.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Finding {
    /// `path`, `query`, `header` or `body`.
    #[serde(rename = "in")]
    pub(crate) place: &'static str,
    /// A parameter's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// A JSON pointer into the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pointer: Option<String>,
    pub(crate) message: String,
}

/// Findings that are told; there may be more.
pub(crate) const MOST_FINDINGS: usize = 20;

/// Values of a body that are held to types, and members of its objects that are looked through: what a call has time for.
pub(crate) const MOST_VALUES: usize = 20_000;

/// The JSON that texts stand for, or why they stand for none.
pub(crate) fn from_texts(types: &Types, of: &TypeRef, texts: &[String]) -> Result<String, String> {
    let one = |text: &String| from_text(types.named(of), text);
    if of.lists() > 0 {
        let items: Result<Vec<_>, _> = texts.iter().map(one).collect();
        return items.map(|items| format!("[{}]", items.join(",")));
    }
    match texts {
        [only] => one(only),
        _ => Err("is there more than once".to_owned()),
    }
}

fn from_text(named: &Named, text: &str) -> Result<String, String> {
    let quoted = || Value::from(text).to_string();
    match named {
        Named::Int => match text.parse::<i32>() {
            Ok(number) if !text.starts_with('+') => Ok(number.to_string()),
            _ => Err("is not a whole number of 32 bits".to_owned()),
        },
        Named::Float => {
            let is_number =
                serde_json::from_str::<f64>(text).is_ok_and(f64::is_finite) && text.trim() == text;
            if is_number { Ok(text.to_owned()) } else { Err("is not a number".to_owned()) }
        }
        Named::Boolean if matches!(text, "true" | "false") => Ok(text.to_owned()),
        Named::Boolean => Err("is neither `true` nor `false`".to_owned()),
        Named::Enum(values) if values.iter().any(|value| value == text) => Ok(quoted()),
        Named::Enum(values) => Err(format!("is none of {}", values.join(", "))),
        Named::String | Named::Id | Named::Any => Ok(quoted()),
        Named::Input(_) => Err("is an object".to_owned()),
    }
}

/// Holds JSON to a type. Where it is not what it should be, findings are added.
pub(crate) fn check(types: &Types, of: &TypeRef, json: &str, pointer: &str, findings: &mut Vec<Finding>) {
    let (pointer, values) = (RefCell::new(pointer.to_owned()), Cell::new(0));
    let state = State { types, pointer, findings: RefCell::new(Vec::new()), values };
    let mut reader = serde_json::Deserializer::from_str(json);
    let checked = Check { state: &state, of, level: 0, is_only: false }.deserialize(&mut reader);
    if let Err(error) = checked {
        state.find(format!("cannot be read: {error}"));
    }
    findings.append(&mut state.findings.into_inner());
    findings.truncate(MOST_FINDINGS);
}

struct State<'t> {
    types: &'t Types,
    pointer: RefCell<String>,
    findings: RefCell<Vec<Finding>>,
    values: Cell<usize>,
}

impl State<'_> {
    fn find(&self, message: impl Into<String>) {
        let mut findings = self.findings.borrow_mut();
        if findings.len() < MOST_FINDINGS {
            let pointer = Some(short(&self.pointer.borrow()));
            findings.push(Finding { place: "body", name: None, pointer, message: message.into() });
        }
    }

    /// Counts a value, and ends the reading where nothing further would be told.
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > MOST_VALUES {
            return Err(E::custom(format_args!("there are more than {MOST_VALUES} values")));
        }
        if self.findings.borrow().len() == MOST_FINDINGS {
            return Err(E::custom("enough is wrong"));
        }
        Ok(())
    }

    /// Does something with a value within the one at hand.
    fn within<T>(&self, name: &str, check: impl FnOnce() -> T) -> T {
        let length = self.pointer.borrow().len();
        {
            let mut pointer = self.pointer.borrow_mut();
            pointer.push('/');
            pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        let checked = check();
        self.pointer.borrow_mut().truncate(length);
        checked
    }
}

/// Reads one value past.
#[derive(Clone, Copy)]
struct Check<'c> {
    state: &'c State<'c>,
    of: &'c TypeRef,
    /// Lists that the value is in.
    level: usize,
    /// It is the one member of an `@oneOf`, which is there.
    is_only: bool,
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.state.count()?;
        deserializer.deserialize_any(self)
    }
}

impl Check<'_> {
    fn named(&self) -> &Named {
        self.state.types.named(self.of)
    }

    /// A value that is no list stands for a list of one, as the specification has it.
    fn is(&self, fits: bool) {
        if !fits {
            self.state.find(format!("is not of the type `{}`", self.of.text));
        }
    }

    fn object<'de, A: MapAccess<'de>>(&self, input: &Input, mut map: A) -> Result<(), A::Error> {
        let mut seen = vec![false; input.fields.len()];
        let mut values = 0;
        while let Some(name) = map.next_key::<String>()? {
            let Some(at) = input.fields.iter().position(|field| field.name == name) else {
                self.state.count()?;
                map.next_value::<IgnoredAny>()?;
                self.state.within(&short(&name), || self.state.find("is not known"));
                continue;
            };
            if std::mem::replace(&mut seen[at], true) {
                return Err(A::Error::custom("a name is there twice"));
            }
            values += 1;
            let of = &input.fields[at].of;
            let member = Check { state: self.state, of, level: 0, is_only: input.one_of };
            self.state.within(&name, || map.next_value_seed(member))?;
        }
        for (field, seen) in input.fields.iter().zip(seen) {
            if !seen && field.of.is_required() && !field.has_default {
                self.state.within(&field.name, || self.state.find("is required"));
            }
        }
        if input.one_of && values != 1 {
            self.state.find("has to have exactly one member");
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        if self.is_only {
            self.state.find("has to be there: `null` is nothing");
        }
        self.is(!self.of.non_null[self.level]);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.is(matches!(self.named(), Named::Boolean | Named::Any));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.is(match self.named() {
            Named::Int => i32::try_from(value).is_ok(),
            named => matches!(named, Named::Float | Named::Id | Named::Any),
        });
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.is(match self.named() {
            Named::Int => i32::try_from(value).is_ok(),
            named => matches!(named, Named::Float | Named::Id | Named::Any),
        });
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.is(match self.named() {
            Named::Int => value.fract() == 0.0 && value.abs() < f64::from(i32::MAX),
            named => matches!(named, Named::Float | Named::Any),
        });
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.is(match self.named() {
            Named::Enum(values) => values.iter().any(|value| value == text),
            named => matches!(named, Named::String | Named::Id | Named::Any),
        });
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.level < self.of.lists() {
            let item = Check { level: self.level + 1, is_only: false, ..self };
            let mut at = 0_usize;
            while self.state.within(&at.to_string(), || seq.next_element_seed(item))?.is_some() {
                at += 1;
            }
            return Ok(());
        }
        self.is(*self.named() == Named::Any);
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if let Named::Input(input) = self.named() {
            return self.object(input, map);
        }
        self.is(*self.named() == Named::Any);
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
