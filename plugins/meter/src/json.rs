//! Finds scalars at known paths in JSON as it passes, with a state that is small however large the document is.

use serde::{Deserialize, Serialize};

use crate::path::{Path, Segment};
use crate::text::{Read, Text};

/// A set of paths, a bit each.
pub(crate) type Mask = u32;

/// Paths that are looked for together.
#[derive(Debug, Default)]
pub(crate) struct Paths(Vec<Path>);

impl Paths {
    /// The most that are looked for together.
    pub(crate) const MAX: usize = Mask::BITS as usize;

    /// Adds one, if there is room: its number.
    pub(crate) fn add(&mut self, path: Path) -> Option<usize> {
        let number = self.0.len();
        (number < Self::MAX).then(|| self.0.push(path))?;
        Some(number)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn every(&self) -> Mask {
        Mask::MAX.checked_shr(Mask::BITS - self.0.len() as u32).unwrap_or(0)
    }

    /// Those of the mask for whose segment at this depth something holds; none behind the last one.
    fn which(&self, mask: Mask, depth: usize, holds: impl Fn(Option<&Segment>) -> bool) -> Mask {
        if mask == 0 {
            return 0;
        }
        let numbered = self.0.iter().enumerate().filter(|(number, _)| mask & (1 << number) != 0);
        numbered
            .filter(|(_, path)| holds(path.segments().get(depth)))
            .fold(0, |mask, (number, _)| mask | 1 << number)
    }
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    /// A string.
    Text(&'a str),
    /// A number, `true` or `false`, as it is written.
    Token(&'a str),
    /// A string of more than 1 KiB or of no UTF-8, or a token of that length.
    Unusable,
}

/// Reads one document after another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scanner {
    #[serde(rename = "s")]
    at: At,
    /// The containers in which something is looked for, outermost first.
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    frames: Vec<Frame>,
    /// The paths on whose way the next value stands.
    #[serde(rename = "m", default)]
    here: Mask,
    #[serde(rename = "t", default)]
    text: Text,
}

/// What is to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum At {
    /// A document.
    #[default]
    Start,
    /// A value, or the end of its array.
    Value,
    /// A member's name, or the end of its object.
    Name,
    /// The rest of a name.
    InName,
    Colon,
    /// The rest of a string that is looked for.
    Text,
    /// The rest of a number or a word.
    Token,
    /// A comma, or the end of the container.
    After,
    /// The rest of what nothing is looked for in: so many containers deep, and whether in a string, behind a backslash.
    Skipped(u32, bool, bool),
    /// Nothing: it is no JSON.
    Malformed,
}

/// A container in which something is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Frame {
    /// The element at hand; `None` in an object.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    element: Option<u32>,
    /// The paths that lead into it.
    #[serde(rename = "m")]
    mask: Mask,
}

/// Passes a piece of text to whoever looks for it: the path's number, and what is there.
pub(crate) type Emit<'e> = &'e mut dyn FnMut(usize, Scalar<'_>);

impl Scanner {
    /// Reads on.
    pub(crate) fn feed(&mut self, paths: &Paths, mut piece: &[u8], emit: Emit<'_>) {
        while !piece.is_empty() {
            let used = match self.at {
                At::Malformed => return,
                At::Skipped(depth, in_string, escaped) => self.skip(piece, depth, in_string, escaped),
                At::InName | At::Text => self.read_text(paths, piece, emit),
                At::Token => self.read_token(piece, emit),
                _ if matches!(piece[0], b' ' | b'\t' | b'\n' | b'\r') => 1,
                // Those of a byte order mark, which some put in front (RFC 8259 section 8.1 lets readers pass it over).
                At::Start if matches!(piece[0], 0xef | 0xbb | 0xbf) => 1,
                At::Name if piece[0] == b'"' => self.begin_name(paths, piece),
                _ => self.read_one(paths, piece[0]),
            };
            piece = &piece[used..];
        }
    }

    /// The document ends here, whole or not.
    pub(crate) fn end(&mut self, emit: Emit<'_>) {
        // Only a number at the outermost place ends with its document.
        if self.at == At::Token && self.frames.is_empty() {
            self.give(true, emit);
        }
        self.at = At::Start;
        self.frames.clear();
        self.text.clear();
    }

    /// One byte of structure; 0 if it has to be read again.
    fn read_one(&mut self, paths: &Paths, byte: u8) -> usize {
        match (self.at, byte) {
            (At::Start, _) => {
                self.here = paths.every();
                self.begin(paths, byte);
            }
            (At::Value, b']') if self.in_array() => self.close(),
            (At::Value, _) => self.begin(paths, byte),
            (At::Name, b'}') => self.close(),
            (At::Colon, b':') => self.at = At::Value,
            // Another document follows.
            (At::After, _) if self.frames.is_empty() => {
                self.at = At::Start;
                return 0;
            }
            (At::After, b',') => self.next(paths),
            (At::After, b']') if self.in_array() => self.close(),
            (At::After, b'}') if !self.in_array() => self.close(),
            _ => self.at = At::Malformed,
        }
        1
    }

    fn in_array(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.element.is_some())
    }

    fn close(&mut self) {
        self.frames.pop();
        self.at = At::After;
    }

    /// Behind a comma.
    fn next(&mut self, paths: &Paths) {
        let depth = self.frames.len() - 1;
        let Some(Frame { element: Some(element), mask }) = self.frames.last_mut() else {
            self.at = At::Name;
            return;
        };
        *element = element.saturating_add(1);
        let wanted = *element;
        self.here = paths.which(*mask, depth, |segment| segment == Some(&Segment::Element(wanted)));
        self.at = At::Value;
    }

    /// The first byte of a value.
    fn begin(&mut self, paths: &Paths, byte: u8) {
        let depth = self.frames.len();
        let is_array = byte == b'[';
        match byte {
            b'{' | b'[' => {
                let leads = |segment: Option<&Segment>| match segment {
                    Some(Segment::Member(_)) => !is_array,
                    Some(Segment::Element(_)) => is_array,
                    None => false,
                };
                let mask = paths.which(self.here, depth, leads);
                if mask == 0 {
                    self.at = At::Skipped(1, false, false);
                    return;
                }
                self.frames.push(Frame { element: is_array.then_some(0), mask });
                self.at = if is_array { At::Value } else { At::Name };
                self.here = paths.which(mask, depth, |segment| segment == Some(&Segment::Element(0)));
            }
            b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.here = paths.which(self.here, depth, |segment| segment.is_none());
                if self.here != 0 {
                    self.text.clear();
                }
                if byte != b'"' {
                    if self.here != 0 {
                        self.text.push(&[byte]);
                    }
                    self.at = At::Token;
                } else if self.here == 0 {
                    self.at = At::Skipped(0, true, false);
                } else {
                    self.at = At::Text;
                }
            }
            _ => self.at = At::Malformed,
        }
    }

    /// A name, or a string that is looked for.
    fn read_text(&mut self, paths: &Paths, piece: &[u8], emit: Emit<'_>) -> usize {
        let used = match self.text.read(piece) {
            Read::All => return piece.len(),
            Read::Malformed => {
                self.at = At::Malformed;
                return piece.len();
            }
            Read::End(at) => at + 1,
        };
        if self.at == At::Text {
            self.give(false, emit);
            self.at = At::After;
            return used;
        }
        self.here = self.named(paths, |name| self.text.is(name));
        self.at = At::Colon;
        used
    }

    /// A name from its quote. One that is there as a whole, and as it is written, is not copied: there may be very many.
    fn begin_name(&mut self, paths: &Paths, piece: &[u8]) -> usize {
        let rest = &piece[1..];
        let stop = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
        let Some(length) = stop.filter(|stop| rest[*stop] == b'"') else {
            self.text.clear();
            self.at = At::InName;
            return 1;
        };
        self.here = self.named(paths, |name| name.as_bytes() == &rest[..length]);
        self.at = At::Colon;
        length + 2
    }

    /// The paths that go on with this member of the object at hand.
    fn named(&self, paths: &Paths, is: impl Fn(&str) -> bool) -> Mask {
        let Some(frame) = self.frames.last() else { return 0 };
        let is_named = |segment: Option<&Segment>| matches!(segment, Some(Segment::Member(name)) if is(name));
        paths.which(frame.mask, self.frames.len() - 1, is_named)
    }

    fn read_token(&mut self, piece: &[u8], emit: Emit<'_>) -> usize {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let used = piece.iter().position(|byte| !is_part(byte));
        if self.here != 0 {
            self.text.push(&piece[..used.unwrap_or(piece.len())]);
        }
        let Some(used) = used else { return piece.len() };
        self.give(true, emit);
        self.at = At::After;
        used
    }

    /// Tells what was read.
    fn give(&mut self, is_token: bool, emit: Emit<'_>) {
        if self.here == 0 {
            return;
        }
        let scalar = match self.text.get() {
            Some("null") if is_token => return,
            Some(token) if is_token => Scalar::Token(token),
            Some(text) => Scalar::Text(text),
            None => Scalar::Unusable,
        };
        while self.here != 0 {
            emit(self.here.trailing_zeros() as usize, scalar);
            self.here &= self.here - 1;
        }
    }

    /// Passes over what nothing is looked for in.
    fn skip(&mut self, piece: &[u8], mut depth: u32, mut in_string: bool, mut escaped: bool) -> usize {
        let mut at = 0;
        while at < piece.len() {
            if escaped {
                (escaped, at) = (false, at + 1);
                continue;
            }
            let is_plain = |byte: &u8| match byte {
                b'"' => false,
                b'\\' => !in_string,
                b'{' | b'[' | b'}' | b']' => in_string,
                _ => true,
            };
            at += piece[at..].iter().position(|byte| !is_plain(byte)).unwrap_or(piece.len() - at);
            let Some(&byte) = piece.get(at) else { break };
            at += 1;
            match byte {
                b'"' => in_string = !in_string,
                b'\\' => escaped = true,
                b'{' | b'[' => depth = depth.saturating_add(1),
                _ => depth = depth.saturating_sub(1),
            }
            if depth == 0 && !in_string {
                self.at = At::After;
                return at;
            }
        }
        self.at = At::Skipped(depth, in_string, escaped);
        piece.len()
    }
}
