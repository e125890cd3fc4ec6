//! Another reader takes every document that is one here, also among those that are nearly one.

use proptest::prelude::*;
use proptest::sample::select;
use sluice_sdk_graphql::{Lexer, TokenKind, parse};

const DOCUMENTS: [&str; 5] = [
    "query Q ( $a : [ Int ! ] ! = [ 1 2 ] $b : In = { x : Y } ) @e ( f : 1 ) { g : h ( i : $a ) { j } }",
    "{ ... F ... on T @a { b } ... @c { d } ... { e } } fragment F on T @g { h }",
    "mutation M { a ( b : { c : [ true null E 1.5 -1e3 X ] } d : $v ) }",
    "subscription { a : b @c @d }",
    "fragment on1 on on { on } query on { query mutation }",
];

const TOKENS: [&str; 28] = [
    "{", "}", "(", ")", "[", "]", ":", "$", "@", "!", "=", "...", "|", "&", "on", "query", "mutation",
    "fragment", "a", "true", "null", "1", "-1.5e2", "01", "1.", "#c\n", "_", "é",
];

#[derive(Clone, Debug)]
enum Edit {
    Remove(usize),
    Replace(usize, &'static str),
    Insert(usize, &'static str),
    Swap(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || any::<prop::sample::Index>().prop_map(|index| index.index(1_000));
    prop_oneof![
        at().prop_map(Edit::Remove),
        (at(), select(&TOKENS[..])).prop_map(|(at, token)| Edit::Replace(at, token)),
        (at(), select(&TOKENS[..])).prop_map(|(at, token)| Edit::Insert(at, token)),
        (at(), at()).prop_map(|(a, b)| Edit::Swap(a, b)),
    ]
}

fn apply(document: &str, edits: &[Edit]) -> String {
    let mut tokens: Vec<&str> = document.split(' ').collect();
    for edit in edits {
        let count = tokens.len();
        match *edit {
            Edit::Remove(at) => drop(tokens.remove(at % count)),
            Edit::Replace(at, token) => tokens[at % count] = token,
            Edit::Insert(at, token) => tokens.insert(at % count, token),
            Edit::Swap(a, b) => tokens.swap(a % count, b % count),
        }
    }
    tokens.join(" ")
}

fn oracle(source: &str) -> bool {
    apollo_parser::Parser::new(source).parse().errors().len() == 0
}

/// Where tokens begin, and how they are written. None if the text has something else in it.
fn tokens(source: &str) -> Option<Vec<(usize, &str)>> {
    let (mut lexer, mut tokens) = (Lexer::new(source, 1_000).strict(), Vec::new());
    loop {
        let token = lexer.advance().ok()?;
        if token.kind == TokenKind::End {
            return Some(tokens);
        }
        tokens.push((token.at, token.text));
    }
}

fn tokens_elsewhere(source: &str) -> Vec<(usize, &str)> {
    use apollo_parser::TokenKind::{Comma, Comment, Eof, Whitespace};
    let (tokens, _) = apollo_parser::Lexer::new(source).lex();
    let tokens = tokens.iter().filter(|token| !matches!(token.kind(), Comma | Comment | Eof | Whitespace));
    tokens.map(|token| (token.index(), token.data())).collect()
}

/// What strings and comments are made of, in pieces that often make a whole.
const PIECES: [&str; 20] = [
    "\"", "\"", "\"\"\"", "\"\"\"", "\\", "\\\"", "\\\"\"\"", "#", "\n", "\n", "\r\n", "\r", "\u{2028}",
    "\u{85}", " ", "a", "{", "1", "é", ",",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Nothing is a token here and in a string or a comment there, nor the other way round.
    #[test]
    fn tokens_are_the_same_elsewhere(pieces in prop::collection::vec(select(&PIECES[..]), 0..14)) {
        let source = pieces.concat();
        if let Some(tokens) = tokens(&source) {
            prop_assert_eq!(tokens, tokens_elsewhere(&source), "{:?}", source);
        }
    }

    /// The other reader takes more than the specification, `{ name }` as an object's value for one. What it does not know is left out
    /// here: descriptions of operations, and commas wherever blanks may be.
    #[test]
    fn what_is_read_here_is_read_elsewhere(
        document in select(&DOCUMENTS[..]),
        edits in prop::collection::vec(edit(), 0..4),
    ) {
        let source = apply(document, &edits);
        let read = parse(&source, 10_000);
        prop_assert!(read.is_err() || oracle(&source), "only we read {source}");
        prop_assert!(read.is_ok() || !edits.is_empty(), "{source}: {read:?}");
    }

    #[test]
    fn no_text_is_too_odd(source in "[{}()\\[\\]:$@!=.\"\\\\u#\\na-d0-9 é\u{0}\u{feff}-]{0,60}") {
        let _ = parse(&source, 100);
    }
}
