//! Documents that the operator knows: clients may refer to them, or have nothing else.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use sluice_sdk::prelude::*;

/// Documents that are known.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersistedConfig {
    /// The documents by their ids: a table, or a file of JSON, `"${asset:operations.json}"`, with the same or a manifest of Apollo's
    /// format.
    #[serde(default)]
    pub(crate) documents: Option<DocumentsConfig>,
    /// SHA-256 digests of further documents, hexadecimal. Clients have to send their text.
    #[serde(default)]
    pub(crate) sha256: Vec<String>,
    /// Whether any other document is refused.
    #[serde(default = "yes")]
    pub(crate) only: bool,
}

/// Where the documents are.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum DocumentsConfig {
    /// JSON.
    File(Asset),
    /// By their ids.
    Table(BTreeMap<String, String>),
}

fn yes() -> bool {
    true
}

/// Apollo's `apollo-persisted-query-manifest`. It has more members.
#[derive(Deserialize)]
struct Manifest {
    operations: Vec<ManifestOperation>,
}

#[derive(Deserialize)]
struct ManifestOperation {
    id: String,
    body: String,
}

type Fingerprint = [u8; 32];

/// The documents that are known.
pub(crate) struct Persisted {
    by_id: BTreeMap<String, Box<str>>,
    /// Of documents whose text is known, the id.
    by_digest: BTreeMap<Fingerprint, Option<String>>,
    pub(crate) only: bool,
}

impl Persisted {
    pub(crate) fn new(config: PersistedConfig) -> Result<Self> {
        let documents = match config.documents {
            Some(DocumentsConfig::File(file)) => {
                file.bytes().and_then(|text| read(&text)).context("`persisted.documents`")?
            }
            Some(DocumentsConfig::Table(table)) => table,
            None => BTreeMap::new(),
        };
        let mut by_digest = BTreeMap::new();
        for (at, text) in config.sha256.iter().enumerate() {
            let digest = fingerprint(text);
            let Some(digest) = digest else {
                bail!("`persisted.sha256[{at}]` is not 64 hexadecimal digits");
            };
            by_digest.insert(digest, None);
        }
        let mut by_id = BTreeMap::new();
        for (id, text) in documents {
            ensure!(!id.is_empty(), "`persisted.documents`: an id is empty");
            by_digest.insert(of_text(&text), Some(id.clone()));
            by_id.insert(id, text.into_boxed_str());
        }
        ensure!(!by_digest.is_empty(), "`persisted` names no document: give `documents` or `sha256`");
        Ok(Self { by_id, by_digest, only: config.only })
    }

    pub(crate) fn documents(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_id.iter().map(|(id, text)| (id.as_str(), &**text))
    }

    /// The document of an id, or of the digest that an id is.
    pub(crate) fn find(&self, id: &str) -> Option<&str> {
        let by_digest = || {
            let digest = of_id(id)?;
            self.by_id.get(self.by_digest.get(&digest)?.as_ref()?)
        };
        self.by_id.get(id).or_else(by_digest).map(|text| &**text)
    }

    pub(crate) fn knows(&self, text: &str) -> bool {
        self.by_digest.contains_key(&of_text(text))
    }
}

/// Whether an id is the digest of a text.
pub(crate) fn is_digest(id: &str, text: &str) -> bool {
    of_id(id).is_some_and(|digest| digest == of_text(text))
}

fn of_text(text: &str) -> Fingerprint {
    Sha256::digest(text.as_bytes()).into()
}

fn of_id(id: &str) -> Option<Fingerprint> {
    fingerprint(id.strip_prefix("sha256:").unwrap_or(id))
}

fn read(text: &[u8]) -> Result<BTreeMap<String, String>> {
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(text) {
        return Ok(manifest.operations.into_iter().map(|operation| (operation.id, operation.body)).collect());
    }
    serde_json::from_slice(text).context("neither an object of ids and documents nor a manifest")
}

fn fingerprint(hex: &str) -> Option<Fingerprint> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Option<Vec<u8>> = hex.as_bytes().iter().map(digit).collect();
    let bytes: Vec<u8> =
        digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    bytes.try_into().ok().filter(|_| hex.len() == 64)
}
