//! Bodies of JSON: one document, one in each line, or one in each server-sent event.

use serde::{Deserialize, Serialize};

use crate::json::{Emit, Paths, Scanner};

/// How documents lie in a body.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Framing {
    /// The body is one.
    Whole,
    /// Each line is one (NDJSON, JSON Lines).
    Lines,
    /// The data of each event is one (server-sent events).
    Events,
}

/// A body that passes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stream {
    #[serde(rename = "k")]
    framing: Framing,
    #[serde(rename = "l")]
    line: Line,
    #[serde(rename = "j", default)]
    scanner: Scanner,
}

/// Where in a line of an event stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Line {
    /// So many bytes into the field's name, which is `data` so far.
    Name(u8),
    /// In the data. The space that it may begin with is nothing to JSON.
    Data,
    /// In something else.
    Other,
    /// Behind a carriage return, which ends a line alone or with the line feed that follows.
    Return,
}

const FIELD: &[u8] = b"data";

impl Stream {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, line: Line::Name(0), scanner: Scanner::default() }
    }

    /// Reads on.
    pub(crate) fn feed(&mut self, paths: &Paths, piece: &[u8], emit: Emit<'_>) {
        match self.framing {
            Framing::Whole => self.scanner.feed(paths, piece, emit),
            Framing::Lines => {
                for (number, line) in piece.split(|byte| *byte == b'\n').enumerate() {
                    if number > 0 {
                        self.scanner.end(emit);
                    }
                    self.scanner.feed(paths, line, emit);
                }
            }
            Framing::Events => self.feed_events(paths, piece, emit),
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self, emit: Emit<'_>) {
        self.scanner.end(emit);
    }

    fn feed_events(&mut self, paths: &Paths, mut piece: &[u8], emit: Emit<'_>) {
        while let Some(&byte) = piece.first() {
            if self.line == Line::Return {
                self.line = Line::Name(0);
                if byte == b'\n' {
                    piece = &piece[1..];
                    continue;
                }
            }
            if matches!(self.line, Line::Data | Line::Other) {
                let end = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(piece.len());
                if self.line == Line::Data {
                    self.scanner.feed(paths, &piece[..end], emit);
                }
                piece = &piece[end..];
                if piece.is_empty() {
                    return;
                }
            }
            match piece[0] {
                end @ (b'\n' | b'\r') => {
                    match self.line {
                        // An empty line ends the event.
                        Line::Name(0) => self.scanner.end(emit),
                        // Several lines of data are one text, with line feeds between them.
                        Line::Data => self.scanner.feed(paths, b"\n", emit),
                        Line::Name(_) | Line::Other | Line::Return => {}
                    }
                    self.line = if end == b'\r' { Line::Return } else { Line::Name(0) };
                    piece = &piece[1..];
                }
                byte => {
                    self.line = self.line.after(byte);
                    piece = &piece[1..];
                }
            }
        }
    }
}

impl Line {
    fn after(self, byte: u8) -> Self {
        match self {
            // Of a byte order mark in front of the first field.
            Self::Name(0) if matches!(byte, 0xef | 0xbb | 0xbf) => self,
            Self::Name(count) if usize::from(count) == FIELD.len() && byte == b':' => Self::Data,
            Self::Name(count) if FIELD.get(usize::from(count)) == Some(&byte) => Self::Name(count + 1),
            _ => Self::Other,
        }
    }
}
