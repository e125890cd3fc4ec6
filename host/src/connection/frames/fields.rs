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
mod tests;
