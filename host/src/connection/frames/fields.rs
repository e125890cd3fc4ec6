//! Field blocks of HTTP/2 (RFC 7541), followed just as far as it takes to notice what hyper's reader of them lets pass: pseudo-header
//! fields in trailers, and a fragment in `:path`, which it cuts off. It knows what it must of each field and holds none.
//!
//! A block that is broken ends the connection in that reader: nothing is said about it here, and nothing after it is followed.

use std::collections::VecDeque;

/// Entries of the static table whose names begin with a colon, and those of them that are `:path` (RFC 7541 appendix A).
const STATIC: usize = 61;
const PSEUDO: std::ops::RangeInclusive<usize> = 1..=14;
const PATHS: std::ops::RangeInclusive<usize> = 4..=5;

/// What hyper announces, by announcing nothing else (RFC 9113 section 6.5.2), in bytes.
const TABLE: usize = 4_096;

/// What each entry counts for beyond its text (RFC 7541 section 4.1).
const OVERHEAD: usize = 32;

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Fragment,
    PseudoInTrailers,
}

/// What a name is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Path,
    Pseudo,
    Other,
}

/// A field, as far as it is known.
#[derive(Clone, Copy, Debug)]
struct Field {
    kind: Kind,
    name: usize,
    value: usize,
    fragment: bool,
}

impl Field {
    const NONE: Self = Self { kind: Kind::Other, name: 0, value: 0, fragment: false };

    fn size(&self) -> usize {
        self.name + self.value + OVERHEAD
    }
}

#[derive(Debug)]
pub(super) struct Fields {
    state: State,
    field: Field,
    /// The field under way is to be remembered.
    remembered: bool,
    /// The newest comes first.
    table: VecDeque<Field>,
    size: usize,
    most: usize,
}

#[derive(Debug)]
enum State {
    /// A field begins.
    Between,
    /// A number that has more bytes (RFC 7541 section 5.1).
    Number { of: Of, value: usize, shift: u32 },
    /// The first byte of a text's length.
    Length(Part),
    /// A text of which so many bytes are to come.
    Text { part: Part, left: usize, text: Text },
    /// It broke.
    Lost,
}

/// What a number says.
#[derive(Clone, Copy, Debug)]
enum Of {
    Indexed,
    Name,
    Table,
    Length { part: Part, huffman: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Name,
    Value,
}

impl Default for Fields {
    fn default() -> Self {
        let table = VecDeque::new();
        Self { state: State::Between, field: Field::NONE, remembered: false, table, size: 0, most: TABLE }
    }
}

impl Fields {
    /// Follows a piece of a block.
    pub(super) fn look(&mut self, mut bytes: &[u8], trailers: bool) -> Result<(), Wrong> {
        while let [byte, rest @ ..] = bytes {
            if let State::Text { part, left, text } = &mut self.state {
                let (here, rest) = bytes.split_at((*left).min(bytes.len()));
                text.look(here);
                *left -= here.len();
                bytes = rest;
                if *left == 0 {
                    let (part, text) = (*part, text.clone());
                    self.told(part, &text, trailers)?;
                }
                continue;
            }
            bytes = rest;
            self.step(*byte, trailers)?;
        }
        Ok(())
    }

    fn step(&mut self, byte: u8, trailers: bool) -> Result<(), Wrong> {
        match self.state {
            State::Between => {
                let (of, bits) = match byte {
                    0x80.. => (Of::Indexed, 7),
                    0x40.. => (Of::Name, 6),
                    0x20.. => (Of::Table, 5),
                    _ => (Of::Name, 4),
                };
                self.remembered = matches!(byte, 0x40..0x80);
                self.number(of, byte, bits, trailers)
            }
            State::Length(part) => {
                let huffman = byte & 0x80 != 0;
                self.number(Of::Length { part, huffman }, byte, 7, trailers)
            }
            State::Number { of, value, shift } => {
                let value = value + (usize::from(byte & 0x7f) << shift);
                // More than any block has.
                if shift > 21 {
                    self.state = State::Lost;
                } else if byte & 0x80 != 0 {
                    self.state = State::Number { of, value, shift: shift + 7 };
                } else {
                    return self.counted(of, value, trailers);
                }
                Ok(())
            }
            State::Text { .. } | State::Lost => Ok(()),
        }
    }

    /// A number begins in the lowest bits of a byte.
    fn number(&mut self, of: Of, byte: u8, bits: u32, trailers: bool) -> Result<(), Wrong> {
        let most = (1 << bits) - 1;
        let value = usize::from(byte) & most;
        if value < most {
            return self.counted(of, value, trailers);
        }
        self.state = State::Number { of, value, shift: 0 };
        Ok(())
    }

    fn counted(&mut self, of: Of, value: usize, trailers: bool) -> Result<(), Wrong> {
        match of {
            Of::Indexed => {
                self.state = State::Between;
                let Some(field) = self.known(value) else {
                    self.state = State::Lost;
                    return Ok(());
                };
                judge(field, trailers)
            }
            Of::Name if value == 0 => {
                self.state = State::Length(Part::Name);
                Ok(())
            }
            Of::Name => {
                match self.known(value) {
                    Some(field) => {
                        self.field = Field { value: 0, fragment: false, ..field };
                        self.state = State::Length(Part::Value);
                    }
                    None => self.state = State::Lost,
                }
                Ok(())
            }
            Of::Table => {
                self.state = if value > TABLE { State::Lost } else { State::Between };
                self.most = value;
                self.evict(0);
                Ok(())
            }
            Of::Length { part, huffman } => {
                let text = Text { huffman, ..Text::default() };
                if value == 0 {
                    return self.told(part, &text, trailers);
                }
                self.state = State::Text { part, left: value, text };
                Ok(())
            }
        }
    }

    /// What is known of an entry: of the static table's, enough.
    fn known(&self, index: usize) -> Option<Field> {
        match index {
            0 => None,
            index if PATHS.contains(&index) => Some(Field { kind: Kind::Path, name: 5, ..Field::NONE }),
            index if PSEUDO.contains(&index) => {
                Some(Field { kind: Kind::Pseudo, name: NAMES[index], ..Field::NONE })
            }
            index if index <= STATIC => Some(Field { name: NAMES[index], ..Field::NONE }),
            index => self.table.get(index - STATIC - 1).copied(),
        }
    }

    /// A text is there.
    fn told(&mut self, part: Part, text: &Text, trailers: bool) -> Result<(), Wrong> {
        if part == Part::Name {
            let kind = match text.first {
                Some(b':') if text.is_path && text.length == PATH.len() => Kind::Path,
                Some(b':') => Kind::Pseudo,
                _ => Kind::Other,
            };
            self.field = Field { kind, name: text.length, ..Field::NONE };
            self.state = State::Length(Part::Value);
            return Ok(());
        }
        self.field.value = text.length;
        self.field.fragment = text.fragment;
        self.state = State::Between;
        if self.remembered {
            let room = self.field.size();
            self.evict(room);
            // One that is larger than the table empties it (RFC 7541 section 4.4).
            if room <= self.most {
                self.size += room;
                self.table.push_front(self.field);
            }
        }
        judge(self.field, trailers)
    }

    /// Makes room for an entry of that size.
    fn evict(&mut self, room: usize) {
        while self.size + room > self.most
            && let Some(oldest) = self.table.pop_back()
        {
            self.size -= oldest.size();
        }
    }
}

fn judge(field: Field, trailers: bool) -> Result<(), Wrong> {
    match field.kind {
        Kind::Path | Kind::Pseudo if trailers => Err(Wrong::PseudoInTrailers),
        Kind::Path if field.fragment => Err(Wrong::Fragment),
        _ => Ok(()),
    }
}

const PATH: &[u8] = b":path";

/// What is looked for in a text, while it passes.
#[derive(Clone, Debug, Default)]
struct Text {
    huffman: bool,
    /// Of the code that is not complete.
    code: u32,
    bits: usize,
    /// Characters so far.
    length: usize,
    first: Option<u8>,
    /// So far it is `:path`.
    is_path: bool,
    fragment: bool,
}

impl Text {
    fn look(&mut self, bytes: &[u8]) {
        if !self.huffman {
            for byte in bytes {
                self.character(Some(*byte));
            }
            return;
        }
        for byte in bytes {
            for bit in (0..8).rev() {
                self.code = self.code << 1 | u32::from(byte >> bit & 1);
                self.bits += 1;
                if self.bits > LONGEST {
                    // Padding, or nothing at all.
                    return;
                }
                if self.code < BEYOND[self.bits] {
                    let meant = MEANT.iter().find(|(_, code, bits)| (*code, *bits) == (self.code, self.bits));
                    self.character(meant.map(|(character, ..)| *character));
                    (self.code, self.bits) = (0, 0);
                }
            }
        }
    }

    /// The next character, if it is one of those that matter.
    fn character(&mut self, character: Option<u8>) {
        if self.length == 0 {
            self.first = character;
            self.is_path = true;
        }
        self.is_path &= PATH.get(self.length).copied() == character;
        self.fragment |= character == Some(b'#');
        self.length += 1;
    }
}

/// The codes of the characters that matter, and their bits (RFC 7541 appendix B).
const MEANT: [(u8, u32, usize); 6] =
    [(b'a', 0x3, 5), (b't', 0x9, 5), (b'h', 0x27, 6), (b'p', 0x2b, 6), (b':', 0x5c, 7), (b'#', 0xffa, 12)];

/// Bits of the longest code.
const LONGEST: usize = 30;

/// The code after the last one of so many bits (RFC 7541 appendix B): codes are in order, so that one is whole as soon as it is below. Where there
/// is none of a length, no code is.
const BEYOND: [u32; LONGEST + 1] = {
    let mut beyond = [0; LONGEST + 1];
    let codes: [(usize, u32); 21] = [
        (5, 0xa),
        (6, 0x2e),
        (7, 0x7c),
        (8, 0xfe),
        (10, 0x3fd),
        (11, 0x7fd),
        (12, 0xffc),
        (13, 0x1ffe),
        (14, 0x3ffe),
        (15, 0x7fff),
        (19, 0x7_fff3),
        (20, 0xf_ffee),
        (21, 0x1f_ffe9),
        (22, 0x3f_ffec),
        (23, 0x7f_fff5),
        (24, 0xff_fff6),
        (25, 0x1ff_fff0),
        (26, 0x3ff_ffef),
        (27, 0x7ff_fff1),
        (28, 0xfff_ffff),
        (30, 0x4000_0000),
    ];
    let mut at = 0;
    while at < codes.len() {
        beyond[codes[at].0] = codes[at].1;
        at += 1;
    }
    beyond
};

/// How long the names of the static table are.
#[rustfmt::skip]
const NAMES: [usize; STATIC + 1] = [
    0, 10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14,
    15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14, 16, 13, 12,
    6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12,
    18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3, 16,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.replace(' ', "").as_bytes()).unwrap()
    }

    /// How large the table is after each block.
    fn sizes(most: usize, blocks: &[&str]) -> Vec<usize> {
        let mut fields = Fields { most, ..Fields::default() };
        let size = |block: &&str| {
            fields.look(&hex(block), false).unwrap();
            assert!(matches!(fields.state, State::Between), "{block}");
            assert_eq!(fields.size, fields.table.iter().map(Field::size).sum::<usize>());
            fields.size
        };
        blocks.iter().map(size).collect()
    }

    #[test]
    fn the_table_is_that_of_the_specification_s_examples() {
        // RFC 7541 appendix C.3: requests without Huffman coding.
        let plain = [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ];
        assert_eq!(sizes(TABLE, &plain), [57, 110, 164]);
        // C.4: with it.
        let coded = [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ];
        assert_eq!(sizes(TABLE, &coded), [57, 110, 164]);
        // C.6: responses, in a table of 256 bytes.
        let evicting = [
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
            "4883 640e ffc1 c0bf",
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        ];
        assert_eq!(sizes(256, &evicting), [222, 222, 215]);
    }

    fn verdict(block: &[u8], trailers: bool) -> Result<(), Wrong> {
        Fields::default().look(block, trailers)
    }

    fn literal(first: u8, texts: &[&str]) -> Vec<u8> {
        let mut block = vec![first];
        for text in texts {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
        block
    }

    #[test]
    fn a_fragment_is_seen_in_every_spelling_of_a_path() {
        for path in [
            literal(0x00, &[":path", "/a#b"]),
            literal(0x40, &[":path", "/a#b"]),
            literal(0x10, &[":path", "/a#b"]),
            literal(0x04, &["/a#b"]),
            literal(0x44, &["/a#b"]),
            literal(0x15, &["#"]),
            // `:path` and `/a#b` in Huffman's code.
            hex("0084 b958 d33f 04 2f612362"),
            // `/#` is 011000 111111111010, and padding.
            hex("0483 63fe bf"),
        ] {
            assert_eq!(verdict(&path, false), Err(Wrong::Fragment), "{path:x?}");
        }
        // The name of one that is remembered, whose path has none.
        let known = [literal(0x40, &[":path", "/a"]), literal(0x0f, &[]), vec![62 - 15], literal(2, &[])];
        let mut block = known[..3].concat();
        block.extend_from_slice(b"\x02/#");
        assert_eq!(verdict(&block, false), Err(Wrong::Fragment));
        for other in
            [literal(0, &["x-a", "#"]), literal(1, &["a#b"]), literal(0, &[":pat", "#"]), literal(4, &["/a"])]
        {
            assert_eq!(verdict(&other, false), Ok(()));
        }
    }

    #[test]
    fn pseudo_header_fields_are_seen_in_trailers() {
        for field in [
            vec![0x82],
            vec![0x88],
            literal(0x04, &["/"]),
            literal(0x48, &["200"]),
            literal(0, &[":x", ""]),
            literal(0, &[":", ""]),
            hex("0084 b958 d33f 00"),
        ] {
            assert_eq!(verdict(&field, true), Err(Wrong::PseudoInTrailers), "{field:x?}");
            assert_eq!(verdict(&field, false), Ok(()));
        }
        assert_eq!(verdict(&literal(0, &["grpc-status", "0"]), true), Ok(()));
        // One that was remembered in a head.
        let mut fields = Fields::default();
        fields.look(&literal(0x44, &["/a"]), false).unwrap();
        assert_eq!(fields.look(&[0xbe], true), Err(Wrong::PseudoInTrailers));
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_makes_no_difference(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cuts in prop::collection::vec(any::<usize>(), 0..8),
            trailers in any::<bool>(),
        ) {
            let whole = verdict(&bytes, trailers);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut fields = Fields::default();
            let pieces = cuts.windows(2).try_for_each(|pair| fields.look(&bytes[pair[0]..pair[1]], trailers));
            assert_eq!(whole, pieces);
            assert!(fields.size <= TABLE && fields.table.len() <= TABLE / OVERHEAD);
        }
    }
}
