//! Files that plugins are given with their configuration: `${asset:PATH}`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// What stands in a configuration in front of an asset's name, which is the SHA-256 of its bytes in hex. So a plugin whose asset has
/// changed has another configuration.
const MARK: &str = "asset:";

/// Assets by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Assets(BTreeMap<String, Arc<[u8]>>);

impl Assets {
    /// Adds one; what stands in the configuration for it.
    pub(super) fn add(&mut self, bytes: Vec<u8>) -> String {
        let digest = Sha256::digest(&bytes);
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let value = format!("{MARK}{name}");
        self.0.entry(name).or_insert_with(|| bytes.into());
        value
    }

    /// Takes in those of another file.
    pub(super) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Those of a test, by names of its own.
    pub(crate) fn named(assets: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self(assets.into_iter().map(|(name, bytes)| (name, bytes.into())).collect())
    }

    /// The bytes of one.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<[u8]>> {
        self.0.get(name)
    }

    /// Bytes of all of them.
    pub(crate) fn size(&self) -> usize {
        self.0.values().map(|bytes| bytes.len()).sum()
    }

    /// Those that a configuration names.
    pub(crate) fn of(&self, config: &serde_json::Value) -> Self {
        let mut used = Self::default();
        if !self.0.is_empty() {
            self.collect(config, &mut used);
        }
        used
    }

    fn collect(&self, value: &serde_json::Value, used: &mut Self) {
        match value {
            serde_json::Value::String(text) => {
                let found = text.strip_prefix(MARK).and_then(|name| self.0.get_key_value(name));
                used.0.extend(found.map(|(name, bytes)| (name.clone(), Arc::clone(bytes))));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.collect(item, used)),
            serde_json::Value::Object(members) => members.values().for_each(|item| self.collect(item, used)),
            _ => {}
        }
    }
}

impl fmt::Debug for Assets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_configuration_has_the_assets_that_it_names() {
        let mut assets = Assets::default();
        let (one, two) = (assets.add(vec![0, 255]), assets.add(b"two".to_vec()));
        assert_eq!(assets.add(b"two".to_vec()), two);
        let used = assets.of(&json!({ "a": [{ "b": one }], "c": "asset:none", "d": 1 }));
        assert_eq!(used.size(), 2);
        assert_eq!(used.get(&one[MARK.len()..]).map(|bytes| bytes.to_vec()), Some(vec![0, 255]));
        assert!(used.get(&two[MARK.len()..]).is_none());
    }
}
