//! Documents made of what JSONPaths select.

use std::borrow::Cow;

use sluice_sdk::prelude::*;

use super::config::{PickConfig, PickTable, Shape};
use crate::edit::{self, Stop};
use crate::json::Json;
use crate::path::Path;

/// A path, and what becomes of its nodes.
#[derive(Debug)]
pub(crate) struct Pick {
    path: Path,
    into: Shape,
    optional: bool,
}

impl Pick {
    pub(crate) fn new(config: PickConfig) -> Result<Self> {
        let PickTable { path, into, optional } = match config {
            PickConfig::Path(path) => PickTable { path, into: Shape::Only, optional: false },
            PickConfig::Table(table) => table,
        };
        Ok(Self { path: Path::parse(&path)?, into, optional })
    }

    /// What it picks, to stand `levels` below the root and cost `budget` at most; none if it may select nothing and does.
    pub(crate) fn of<'a>(
        &self,
        root: &Json<'a>,
        budget: usize,
        levels: usize,
    ) -> edit::Result<Option<Json<'a>>> {
        let nodes = self.path.select(root)?;
        let nothing = || Stop::Mismatch(format!("`{}` selects nothing", self.path));
        edit::affordable(nodes.iter().map(|node| node.cost()).sum(), budget)?;
        let picked = match (self.into, &nodes[..]) {
            (_, []) if self.optional => return Ok(None),
            (Shape::List, nodes) => Json::Array(nodes.iter().map(|node| (*node).clone()).collect()),
            (_, []) => return Err(nothing()),
            (Shape::Only, [_, _, ..]) => {
                return Err(Stop::Mismatch(format!(
                    "`{}` selects {} values, not one",
                    self.path,
                    nodes.len()
                )));
            }
            (Shape::Only | Shape::First, [node, ..]) => (*node).clone(),
        };
        edit::fits(levels, &picked)?;
        Ok(Some(picked))
    }
}

/// An object of what is picked for each member.
pub(crate) fn build<'a>(
    members: &'a [(String, Pick)],
    root: &Json<'a>,
    budget: usize,
) -> edit::Result<Json<'a>> {
    let mut built = Vec::with_capacity(members.len());
    let mut left = budget.saturating_sub(root.cost());
    for (name, pick) in members {
        if let Some(picked) = pick.of(root, left, 1)? {
            left = left.saturating_sub(picked.cost());
            built.push((Cow::Borrowed(&**name), picked));
        }
    }
    Ok(Json::Object(built))
}
