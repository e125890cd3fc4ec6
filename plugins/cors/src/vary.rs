//! `Vary`: what a cache has to compare before it gives a response to another request.

use sluice_sdk::prelude::*;

/// Adds the names that are not there yet.
pub(crate) fn add(headers: &mut HeadersMut<'_>, names: &[&str]) -> Result<()> {
    let fields = headers.get_all("vary");
    let known: Vec<&str> = fields
        .iter()
        .filter_map(|field| field.as_str())
        .flat_map(|field| field.split(','))
        .map(|name| name.trim_matches([' ', '\t']))
        .collect();
    if known.contains(&"*") {
        return Ok(());
    }
    let is_new = |name: &&&str| !known.iter().any(|known| known.eq_ignore_ascii_case(name));
    let missing: Vec<&str> = names.iter().filter(is_new).copied().collect();
    if missing.is_empty() { Ok(()) } else { headers.append("vary", missing.join(", ")) }
}
