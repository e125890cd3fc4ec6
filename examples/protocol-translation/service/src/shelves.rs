//! The books there are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prost_types::Timestamp;

use crate::proto::library::v1::Book;

/// Books by their names.
pub(crate) struct Shelves(Mutex<BTreeMap<String, Book>>);

impl Default for Shelves {
    fn default() -> Self {
        let book = |number: u32, title: &str, author: &str, seconds, copies| {
            let name = format!("shelves/1/books/{number}");
            let published = Some(Timestamp { seconds, nanos: 0 });
            let book = Book {
                name: name.clone(),
                title: title.to_owned(),
                authors: vec![author.to_owned()],
                published,
                copies,
            };
            (name, book)
        };
        Self(Mutex::new(BTreeMap::from([
            book(1, "Middlemarch", "George Eliot", -3_094_329_600, 3),
            book(2, "Moby-Dick", "Herman Melville", -3_734_640_000, 9_007_199_254_740_993),
            book(3, "The Waves", "Virginia Woolf", -1_206_835_200, 0),
        ])))
    }
}

impl Shelves {
    pub(crate) fn get(&self, name: &str) -> Option<Book> {
        self.books().get(name).cloned()
    }

    /// Adds one under the next free number of a shelf.
    pub(crate) fn add(&self, parent: &str, book: Book) -> Book {
        let mut books = self.books();
        let name = (1_u32..).map(|number| format!("{parent}/books/{number}"));
        let name = name.into_iter().find(|name| !books.contains_key(name)).unwrap_or_default();
        let book = Book { name: name.clone(), ..book };
        books.insert(name, book.clone());
        book
    }

    /// Those of a shelf whose titles begin so.
    pub(crate) fn list(&self, parent: &str, prefix: &str) -> Vec<Book> {
        let books = self.books();
        let there = books.values().filter(|book| book.name.starts_with(&format!("{parent}/books/")));
        there.filter(|book| book.title.starts_with(prefix)).cloned().collect()
    }

    fn books(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Book>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
