//! Members of a body, as text.

use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

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
pub(crate) fn find<'a>(mut value: &'a RawValue, steps: &[String]) -> Option<&'a RawValue> {
    for step in steps {
        value = pick(value.get(), &[step]).ok()?.values.into_iter().next()??;
    }
    Some(value)
}

struct Pick<'w>(&'w [&'w str]);

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Picked<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Picked<'de>, A::Error> {
        let mut picked = Picked { values: vec![None; self.0.len()], others: Vec::new() };
        while let Some(name) = map.next_key::<String>()? {
            let Some(at) = self.0.iter().position(|wanted| *wanted == name) else {
                map.next_value::<IgnoredAny>()?;
                if picked.others.len() < crate::input::MOST_FINDINGS {
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
