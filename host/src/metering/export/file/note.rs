//! What the ledger keeps of the files, for all gateways that share it: how long each was, directory by directory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Directories that are remembered. One that is forgotten is taken up as it is found.
const REMEMBERED: usize = 16;

/// Names and lengths of files.
pub(super) type Lengths = BTreeMap<String, u64>;

/// The directories, the one that was written to last first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    #[serde(default)]
    directories: Vec<Written>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    directory: String,
    files: Lengths,
}

impl Note {
    /// An empty text is that of a new sink.
    pub(super) fn read(text: &str) -> serde_json::Result<Self> {
        if text.is_empty() { Ok(Self::default()) } else { serde_json::from_str(text) }
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers")
    }

    /// How long the files of a directory were.
    pub(super) fn of(&self, directory: &str) -> Lengths {
        let found = self.directories.iter().find(|written| written.directory == directory);
        found.map(|written| written.files.clone()).unwrap_or_default()
    }

    /// Remembers a directory, and forgets the one that was not written to for longest if there are too many.
    pub(super) fn set(&mut self, directory: &str, files: &Lengths) {
        self.directories.retain(|written| written.directory != directory);
        self.directories.insert(0, Written { directory: directory.to_owned(), files: files.clone() });
        self.directories.truncate(REMEMBERED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(length: u64) -> Lengths {
        [("usage.csv".to_owned(), length)].into()
    }

    #[test]
    fn each_directory_has_its_lengths_and_the_oldest_is_forgotten() {
        let mut note = Note::default();
        for number in 0..=16 {
            note.set(&number.to_string(), &lengths(number));
            note.set("ours", &lengths(1000 + number));
        }
        let note = Note::read(&note.to_text()).unwrap();
        assert_eq!((note.of("16"), note.of("2"), note.of("ours")), (lengths(16), lengths(2), lengths(1016)));
        assert_eq!((note.of("0"), note.of("1")), (Lengths::new(), Lengths::new()));
    }

    #[test]
    fn an_empty_note_is_a_note() {
        assert_eq!(Note::read("").unwrap(), Note::default());
        assert!(Note::read("nonsense").is_err());
    }
}
