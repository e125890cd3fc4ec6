//! Values that go elsewhere, get another name or disappear: by JSON Pointer or by JSONPath.

use sluice_sdk::prelude::*;

use super::config::{RenameConfig, TransferConfig};
use crate::edit::{self, Marks, Stop};
use crate::json::{Json, Pointer};
use crate::path::Path;

/// What an operation is about.
#[derive(Debug)]
pub(crate) enum Target {
    Pointer(Pointer),
    Path(Path),
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text.as_bytes() {
            [b'$', ..] => Path::parse(text).map(Self::Path),
            [b'/', ..] | [] => Pointer::parse(text).map(Self::Pointer),
            _ => bail!("`{text}` begins neither with `/`, as a JSON Pointer, nor with `$`, as a JSONPath"),
        }
    }

    /// As [`parse`](Self::parse), of something within the document.
    pub(crate) fn inner(text: &str) -> Result<Self> {
        let target = Self::parse(text)?;
        let whole = match &target {
            Self::Pointer(pointer) => pointer.tokens().is_empty(),
            Self::Path(path) => path.is_root(),
        };
        ensure!(!whole, "`{text}` is the whole document");
        Ok(target)
    }

    /// Removes it. A pointer counts on its value; a path may select nothing.
    pub(crate) fn remove_from(&self, root: &mut Json<'_>) -> edit::Result<()> {
        match self {
            Self::Pointer(pointer) => edit::remove(root, pointer).map(drop),
            Self::Path(path) => {
                let nodes = path.select(root)?;
                if !nodes.is_empty() {
                    let mut marks = Marks::new(root, &nodes);
                    edit::prune(root, &mut marks);
                }
                Ok(())
            }
        }
    }

    /// The one value that it is about, if it is there.
    fn one<'v, 'a>(&self, root: &'v Json<'a>) -> edit::Result<Option<&'v Json<'a>>> {
        match self {
            Self::Pointer(pointer) => Ok(pointer.find(root)),
            Self::Path(path) => match path.select(root)?[..] {
                [] => Ok(None),
                [only] => Ok(Some(only)),
                ref nodes => Err(Stop::Mismatch(format!("`{path}` selects {} values, not one", nodes.len()))),
            },
        }
    }

    fn missing(&self) -> Stop {
        match self {
            Self::Pointer(pointer) => Stop::missing(pointer),
            Self::Path(path) => Stop::Mismatch(format!("`{path}` selects nothing")),
        }
    }
}

/// From where to where.
#[derive(Debug)]
pub(crate) struct Transfer {
    from: Target,
    to: Pointer,
    optional: bool,
}

impl Transfer {
    pub(crate) fn new(config: &TransferConfig, moves: bool) -> Result<Self> {
        let from = if moves { Target::inner(&config.from) } else { Target::parse(&config.from) };
        let from = from.context("`from`")?;
        let to = Pointer::parse(&config.to).context("`to`")?;
        Ok(Self { from, to, optional: config.optional })
    }

    fn absent(&self) -> edit::Result<()> {
        if self.optional { Ok(()) } else { Err(self.from.missing()) }
    }

    /// Takes the value out, then puts it where it belongs in what is left.
    pub(crate) fn moves<'a>(&'a self, root: &mut Json<'a>) -> edit::Result<()> {
        let Some(node) = self.from.one(root)? else { return self.absent() };
        let place = edit::place_of(root, node);
        match place.and_then(|place| edit::take(root, &place)) {
            Some(value) => edit::put(root, &self.to, value),
            None => self.absent(),
        }
    }

    pub(crate) fn copies<'a>(&'a self, root: &mut Json<'a>, budget: usize) -> edit::Result<()> {
        let Some(node) = self.from.one(root)? else { return self.absent() };
        let value = edit::copied(root, node, budget)?;
        edit::put(root, &self.to, value)
    }
}

/// Which members get which name.
#[derive(Debug)]
pub(crate) struct Rename {
    target: Target,
    to: String,
    optional: bool,
}

impl Rename {
    pub(crate) fn new(config: RenameConfig) -> Result<Self> {
        let target = Target::inner(&config.path).context("`path`")?;
        Ok(Self { target, to: config.to, optional: config.optional })
    }

    pub(crate) fn apply<'a>(&'a self, root: &mut Json<'a>) -> edit::Result<()> {
        let nodes = match &self.target {
            Target::Pointer(pointer) => pointer.find(root).into_iter().collect(),
            Target::Path(path) => path.select(root)?,
        };
        if nodes.is_empty() {
            return if self.optional { Ok(()) } else { Err(self.target.missing()) };
        }
        let mut marks = Marks::new(root, &nodes);
        edit::rename(root, &self.to, &mut marks)
    }
}
