//! Members of a body, as text.

use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::input::{MOST_FINDINGS, MOST_VALUES};

/// What an object has of the members that are wanted.
pub(crate) struct Picked<'a> {
    pub(crate) values: Vec<Option<&'a RawValue>>,
    /// Some of the names that are not wanted.
    pub(crate) others: Vec<String>,
}

/// Reads an object.
pub(crate) fn pick<'a>(text: &'a str, wanted: &[&str]) -> Result<Picked<'a>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let picked = reader.deserialize_map(Pick(wanted))?;
    reader.end().map(|()| picked)
}

/// What a pointer leads to, given in its steps. Lists have no members here.
pub(crate) fn find<'a>(
    mut value: &'a RawValue,
    steps: &[String],
) -> Result<Option<&'a RawValue>, serde_json::Error> {
    for step in steps {
        if !value.get().starts_with('{') {
            return Ok(None);
        }
        let Some(found) = pick(value.get(), &[step])?.values.pop().flatten() else { return Ok(None) };
        value = found;
    }
    Ok(Some(value))
}

struct Pick<'w>(&'w [&'w str]);

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Picked<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Picked<'de>, A::Error> {
        let mut picked = Picked { values: vec![None; self.0.len()], others: Vec::new() };
        let mut members = 0;
        while let Some(name) = map.next_key::<String>()? {
            members += 1;
            if members > MOST_VALUES {
                return Err(A::Error::custom(format_args!("there are more than {MOST_VALUES} members")));
            }
            let Some(at) = self.0.iter().position(|wanted| *wanted == name) else {
                map.next_value::<IgnoredAny>()?;
                if picked.others.len() < MOST_FINDINGS {
                    picked.others.push(name);
                }
                continue;
            };
            if picked.values[at].replace(map.next_value()?).is_some() {
                return Err(A::Error::custom("a name is there twice"));
            }
        }
        Ok(picked)
    }
}
