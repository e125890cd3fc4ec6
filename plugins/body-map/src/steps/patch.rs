//! JSON Patch (RFC 6902).

use sluice_sdk::prelude::*;

use crate::edit::{self, Stop};
use crate::json::{Json, Pointer};

const MAX_OPERATIONS: usize = 256;

/// A checked patch document.
#[derive(Debug)]
pub(crate) struct Patch(Vec<Operation>);

#[derive(Debug)]
enum Operation {
    Add(Pointer, Json<'static>),
    Remove(Pointer),
    Replace(Pointer, Json<'static>),
    Move(Pointer, Pointer),
    Copy(Pointer, Pointer),
    Test(Pointer, Json<'static>),
}

impl Patch {
    pub(crate) fn new(document: Json<'static>) -> Result<Self> {
        let Json::Array(operations) = document else {
            bail!("a JSON Patch is an array of operations, and this is {}", document.kind())
        };
        ensure!(operations.len() <= MAX_OPERATIONS, "it has more than {MAX_OPERATIONS} operations");
        let read = |(at, operation)| Operation::new(&operation).context(format_args!("operation {at}"));
        Ok(Self(operations.into_iter().enumerate().map(read).collect::<Result<_>>()?))
    }

    /// Applies it. What is left of the document if it stops is not meant for use.
    pub(crate) fn apply<'a>(&'a self, root: &mut Json<'a>, budget: usize) -> edit::Result<()> {
        self.0.iter().enumerate().try_for_each(|(at, operation)| {
            operation.apply(root, budget).map_err(|stop| match stop {
                Stop::Mismatch(why) => {
                    Stop::Mismatch(format!("operation {at} (`{}`): {why}", operation.name()))
                }
                other => other,
            })
        })
    }
}

impl Operation {
    fn new(operation: &Json<'static>) -> Result<Self> {
        ensure!(matches!(operation, Json::Object(_)), "it is {} and not an object", operation.kind());
        let text = |name: &str| match operation.member(name) {
            Some(Json::Text(text)) => Ok(&**text),
            Some(other) => bail!("`{name}` is {} and not a string", other.kind()),
            None => bail!("`{name}` is missing"),
        };
        let pointer = |name: &str| Pointer::parse(text(name)?).context(format_args!("`{name}`"));
        let value = || operation.member("value").cloned().context("`value` is missing");
        let path = pointer("path");
        Ok(match text("op")? {
            "add" => Self::Add(path?, value()?),
            "remove" => Self::Remove(path?),
            "replace" => Self::Replace(path?, value()?),
            "move" => {
                let (from, path) = (pointer("from")?, path?);
                ensure!(from == path || !from.holds(&path), "`{from}` cannot move into itself");
                Self::Move(from, path)
            }
            "copy" => Self::Copy(pointer("from")?, path?),
            "test" => Self::Test(path?, value()?),
            other => {
                bail!("there is no operation `{other}`; there are add, remove, replace, move, copy and test")
            }
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Add(..) => "add",
            Self::Remove(_) => "remove",
            Self::Replace(..) => "replace",
            Self::Move(..) => "move",
            Self::Copy(..) => "copy",
            Self::Test(..) => "test",
        }
    }

    fn apply<'a>(&'a self, root: &mut Json<'a>, budget: usize) -> edit::Result<()> {
        match self {
            Self::Add(path, value) => edit::add(root, path, value.borrowed()),
            Self::Remove(path) if path.tokens().is_empty() => {
                *root = Json::Null;
                Ok(())
            }
            Self::Remove(path) => edit::remove(root, path).map(drop),
            Self::Replace(path, value) => edit::replace(root, path, value.borrowed()),
            Self::Move(from, path) if from == path => {
                from.find(root).map(drop).ok_or_else(|| Stop::missing(from))
            }
            Self::Move(from, path) => {
                let value = edit::remove(root, from)?;
                edit::add(root, path, value)
            }
            Self::Copy(from, path) => {
                let value = from.find(root).ok_or_else(|| Stop::missing(from))?;
                let value = edit::copied(root, value, budget)?;
                edit::add(root, path, value)
            }
            Self::Test(path, value) => match path.find(root) {
                Some(found) if found == value => Ok(()),
                Some(_) => Err(Stop::Mismatch(format!("`{path}` has another value"))),
                None => Err(Stop::missing(path)),
            },
        }
    }
}
