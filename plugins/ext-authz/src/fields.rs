//! Lists of header names, and the headers that are taken by them.

use sluice_sdk::RESERVED_HEADERS;
use sluice_sdk::prelude::*;

use crate::config::MAX_HEADERS;

/// Bytes of the headers that one answer may give to a list.
const MAX_BYTES: usize = 16 << 10;

/// A header: its name, lower case, and its value.
pub(crate) type Field = (String, String);

/// Whether a header frames a message: the gateway writes it itself.
pub(crate) fn is_framing(name: &str) -> bool {
    RESERVED_HEADERS.contains(&name)
}

/// Headers of an answer that are used.
pub(crate) struct Fields(Vec<HeaderName>);

impl Fields {
    pub(crate) fn new(key: &str, names: Vec<HeaderName>) -> Result<Self> {
        ensure!(names.len() <= MAX_HEADERS, "`{key}` has at most {MAX_HEADERS} entries");
        for name in &names {
            ensure!(!name.as_str().contains('*'), "`{key}`: `{name}`: name each header");
            ensure!(!is_framing(name.as_str()) && name != "host", "`{key}`: `{name}` belongs to the gateway");
        }
        Ok(Self(names))
    }

    pub(crate) fn names(&self) -> &[HeaderName] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of an answer, in order. `Err` if one cannot be used, rather than part of what the service said.
    pub(crate) fn of(&self, answer: &Fetched) -> Result<Vec<Field>> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        for (name, value) in answer.headers() {
            let Some(name) = self.0.iter().find(|known| known.as_str().as_bytes().eq_ignore_ascii_case(name))
            else {
                continue;
            };
            let value = std::str::from_utf8(value).context(format!("the answer's header `{name}`"))?;
            bytes += name.as_str().len() + value.len();
            ensure!(bytes <= MAX_BYTES, "the answer's headers are longer than {MAX_BYTES} bytes");
            taken.push((name.as_str().to_owned(), value.to_owned()));
        }
        Ok(taken)
    }
}

/// Replaces what was there by these.
pub(crate) fn replace(headers: &mut HeadersMut<'_>, fields: &[Field]) -> Result<()> {
    for (index, (name, value)) in fields.iter().enumerate() {
        // Each cookie is one of its own; the upstream's stay.
        let is_first = fields[..index].iter().all(|(known, _)| known != name);
        if is_first && name != "set-cookie" {
            headers.set(name, value)?;
        } else {
            headers.append(name, value)?;
        }
    }
    Ok(())
}
