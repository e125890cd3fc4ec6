//! "Did you mean ...?"

/// The candidate that `name` was most likely meant to be.
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(name);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| {
            let longer = wanted.chars().count().max(candidate.chars().count());
            *distance <= if longer < 3 { 0 } else { (longer / 3).max(1) }
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Names that differ only in case or in how their words are joined are the same to a person.
fn fold(name: &str) -> String {
    name.chars().take(128).map(|c| if c == '-' { '_' } else { c }).flat_map(char::to_lowercase).collect()
}

/// "a, b or c"
pub(super) fn either<S: AsRef<str>>(options: &[S]) -> String {
    match options {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [front @ .., last] => {
            let front: Vec<&str> = front.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", front.join(", "), last.as_ref())
        }
    }
}

/// A hint that names what there is, unless that is too much to read.
pub(crate) fn known<'a>(what: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = names.into_iter().take(25).map(|name| format!("`{name}`")).collect();
    (1..=24).contains(&names.len()).then(|| format!("known {what}s: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::{closest, either};

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(closest("ordrs", ["orders", "accounts"]), Some("orders"));
        assert_eq!(closest("On-Error", ["on_error"]), Some("on_error"));
        assert_eq!(closest("tls", ["to", "match"]), None);
        assert_eq!(closest("x", ["y"]), None);
        assert_eq!(closest("orders", ["orders"]), None);
    }

    #[test]
    fn options_read_as_a_sentence() {
        assert_eq!(either(&["a"]), "a");
        assert_eq!(either(&["a", "b", "c"]), "a, b or c");
    }
}
