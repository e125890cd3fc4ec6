//! Where each value of a file was written, by JSON pointer.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use super::problem::Place;

/// Where keys and values stand.
#[derive(Clone, Default)]
pub(super) struct Places {
    spots: BTreeMap<String, Spot>,
}

/// Where one key and its value stand.
#[derive(Clone)]
pub(super) struct Spot {
    /// `None` in an array.
    pub(super) key: Option<Place>,
    pub(super) value: Place,
    /// What of the value came from the environment or from files, so that it is never quoted.
    pub(super) outside: Vec<Arc<str>>,
    /// The value could not be read, which was reported; what stands for it means nothing.
    pub(super) faulty: bool,
}

impl Places {
    pub(super) fn insert(&mut self, pointer: String, spot: Spot) {
        self.spots.insert(pointer, spot);
    }

    pub(super) fn spot(&self, pointer: &str) -> Option<&Spot> {
        self.spots.get(pointer)
    }

    /// The value, or else the nearest table or array around it that was written.
    pub(super) fn value(&self, pointer: &str) -> Option<Place> {
        let mut pointer = pointer;
        loop {
            if let Some(spot) = self.spots.get(pointer) {
                return Some(spot.value.clone());
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// The key, or else the value.
    pub(super) fn key(&self, pointer: &str) -> Option<Place> {
        let key = self.spots.get(pointer).and_then(|spot| spot.key.clone());
        key.or_else(|| self.value(pointer))
    }

    pub(super) fn is_substituted(&self, pointer: &str) -> bool {
        self.spots.get(pointer).is_some_and(|spot| !spot.outside.is_empty())
    }

    /// Everything that came from outside.
    pub(super) fn outside(&self) -> impl Iterator<Item = &str> {
        self.spots.values().flat_map(|spot| &spot.outside).map(|piece| &**piece)
    }

    /// The pointers of values that could not be read.
    pub(super) fn faulty(&self) -> impl Iterator<Item = &str> {
        self.spots.iter().filter(|(_, spot)| spot.faulty).map(|(pointer, _)| pointer.as_str())
    }

    /// The value as it stands in the file, if that is short.
    pub(super) fn written(&self, pointer: &str) -> Option<&str> {
        let place = &self.spots.get(pointer)?.value;
        let text = place.file.text.get(place.span.clone())?;
        (text.len() <= 60 && !text.contains(char::is_control)).then_some(text)
    }

    /// What lies at and below `pointer`, with pointers from there.
    pub(super) fn below(&self, pointer: &str) -> Self {
        let spots = self
            .spots
            .range(pointer.to_owned()..)
            .take_while(|(key, _)| key.starts_with(pointer))
            .filter_map(|(key, spot)| {
                let rest = &key[pointer.len()..];
                (rest.is_empty() || rest.starts_with('/')).then(|| (rest.to_owned(), spot.clone()))
            })
            .collect();
        Self { spots }
    }

    /// Lays `other` over this: what it has replaces the whole top-level key.
    pub(super) fn overlay(&mut self, other: Self) {
        let replaced = |pointer: &str| {
            let end = pointer.get(1..).and_then(|rest| rest.find('/')).map(|at| at + 1);
            other.spots.contains_key(&pointer[..end.unwrap_or(pointer.len())])
        };
        self.spots.retain(|pointer, _| pointer.is_empty() || !replaced(pointer));
        self.spots.extend(other.spots);
    }
}

/// The pointer of a key in the table at `pointer`.
pub(super) fn join(pointer: &str, key: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + key.len() + 1);
    joined.push_str(pointer);
    joined.push('/');
    for c in key.chars() {
        match c {
            '~' => joined.push_str("~0"),
            '/' => joined.push_str("~1"),
            other => joined.push(other),
        }
    }
    joined
}

/// A pointer as TOML would write it: `upstreams.orders.targets[0].url`.
pub(super) fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for piece in pointer.split('/').skip(1) {
        let key = piece.replace("~1", "/").replace("~0", "~");
        if !path.is_empty() && !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit()) {
            // tables with numbers for names read like arrays here, which a person can bear
            let _infallible = write!(path, "[{key}]");
            continue;
        }
        if !path.is_empty() {
            path.push('.');
        }
        let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !key.is_empty() && key.bytes().all(bare) {
            path.push_str(&key);
        } else {
            let _infallible = write!(path, "{key:?}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{dotted, join};

    #[test]
    fn pointers_read_as_toml() {
        assert_eq!(dotted("/upstreams/orders/targets/0/url"), "upstreams.orders.targets[0].url");
        assert_eq!(dotted(&join("/routes", "a/b~c d")), "routes.\"a/b~c d\"");
    }
}
