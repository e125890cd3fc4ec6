//! Which fields are structured (RFC 9651): `sf` and `key` mean nothing for any other.

use std::collections::BTreeMap;
use std::convert::Infallible;

use sfv::visitor::{DictionaryVisitor, EntryVisitor};
use sfv::{Dictionary, KeyRef, Parser};
use sluice_sdk::prelude::*;

/// What a structured field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Structure {
    /// One item.
    Item,
    /// A list.
    List,
    /// A dictionary.
    Dictionary,
}

/// Fields of requests whose specifications make them structured, by the registry of HTTP fields.
const KNOWN: [(&str, Structure); 22] = [
    ("accept-ch", Structure::List),
    ("accept-signature", Structure::Dictionary),
    ("cache-status", Structure::List),
    ("capsule-protocol", Structure::Item),
    ("client-cert", Structure::Item),
    ("client-cert-chain", Structure::List),
    ("content-digest", Structure::Dictionary),
    ("priority", Structure::Dictionary),
    ("proxy-status", Structure::List),
    ("repr-digest", Structure::Dictionary),
    ("sec-ch-ua", Structure::List),
    ("sec-ch-ua-mobile", Structure::Item),
    ("sec-ch-ua-platform", Structure::Item),
    ("sec-fetch-dest", Structure::Item),
    ("sec-fetch-mode", Structure::Item),
    ("sec-fetch-site", Structure::Item),
    ("sec-fetch-user", Structure::Item),
    ("signature", Structure::Dictionary),
    ("signature-input", Structure::Dictionary),
    ("sec-gpc", Structure::Item),
    ("want-content-digest", Structure::Dictionary),
    ("want-repr-digest", Structure::Dictionary),
];

/// The fields that are known to be structured.
#[derive(Debug, Default)]
pub(crate) struct Structured(BTreeMap<HeaderName, Structure>);

impl Structured {
    pub(crate) fn new(more: BTreeMap<HeaderName, Structure>) -> Self {
        Self(more)
    }

    pub(crate) fn of(&self, name: &str) -> Option<Structure> {
        let configured =
            self.0.iter().find(|(known, _)| known.as_str() == name).map(|(_, structure)| *structure);
        configured.or_else(|| KNOWN.iter().find(|(known, _)| *known == name).map(|(_, structure)| *structure))
    }
}

/// A dictionary whose keys are each there once. Elsewhere the last one would win (RFC 9651 section 4.2.2): here that would leave
/// it to a stranger what counts, for those before it are in no signature.
pub(crate) fn dictionary(text: &str) -> Option<Dictionary> {
    Parser::new(text).parse_dictionary_with_visitor(Once::default()).ok().flatten()
}

/// A dictionary, and how many members were read: more than it has if a key came twice.
#[derive(Default)]
struct Once {
    members: Dictionary,
    read: usize,
}

impl<'de> DictionaryVisitor<'de> for Once {
    type Out = Option<Dictionary>;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        self.read += 1;
        DictionaryVisitor::entry(&mut self.members, key)
    }

    fn finish(self) -> Result<Self::Out, Infallible> {
        Ok(Some(self.members).filter(|members| members.len() == self.read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_refused() {
        assert_eq!(dictionary("a=1, b=(a a), c").map(|dictionary| dictionary.len()), Some(3));
        assert_eq!(dictionary("").map(|dictionary| dictionary.len()), Some(0));
        for bad in ["a=1, a=1", "a, b, a", "a=()\t,\ta", "A", "a,"] {
            assert_eq!(dictionary(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_configured_comes_first() {
        let structured =
            Structured::new(BTreeMap::from([(HeaderName::from_static("Priority"), Structure::Item)]));
        assert_eq!(structured.of("priority"), Some(Structure::Item));
        assert_eq!(structured.of("content-digest"), Some(Structure::Dictionary));
        assert_eq!(structured.of("date"), None);
    }
}
