//! The operations, checked and in their order, and how they run.

mod config;
#[cfg(test)]
mod conformance;
mod fill;
mod merge;
mod patch;
mod pick;
mod relocate;

use std::collections::BTreeSet;

use sluice_sdk::prelude::*;

use crate::edit::{self, Stop};
use crate::json::Json;
use config::OneOrMany;
pub use config::OperationConfig;
use fill::Filling;
use patch::Patch;
use pick::Pick;
use relocate::{Rename, Target, Transfer};

/// Each operation may walk the whole document.
pub(crate) const MAX_OPERATIONS: usize = 64;

/// Checked operations.
#[derive(Debug, Default)]
pub(crate) struct Program {
    /// The body is a form to begin with.
    pub(crate) from_form: bool,
    /// The operation that writes the body as a form in the end.
    pub(crate) to_form: Option<String>,
    steps: Vec<(String, Step)>,
}

#[derive(Debug)]
enum Step {
    Patch(Patch),
    Merge(Json<'static>),
    Pick(Pick),
    Build(Vec<(String, Pick)>),
    Move(Transfer),
    Copy(Transfer),
    Remove(Vec<Target>),
    Rename(Rename),
    Set(Filling),
}

/// What a value of the configuration finds for its variables.
pub(crate) type Render<'r> = &'r dyn Fn(&sluice_sdk_template::Template) -> Option<String>;

/// The operation that stopped, and why.
#[derive(Debug, PartialEq)]
pub(crate) struct Stopped<'a> {
    pub(crate) operation: &'a str,
    pub(crate) stop: Stop,
}

impl Program {
    pub(crate) fn new(operations: Vec<OperationConfig>, place: &str) -> Result<Self> {
        ensure!(operations.len() <= MAX_OPERATIONS, "`{place}` has more than {MAX_OPERATIONS} entries");
        let mut program = Self::default();
        let last = operations.len().saturating_sub(1);
        for (at, operation) in operations.into_iter().enumerate() {
            let name = format!("{place}[{at}].{}", operation.name());
            match operation {
                OperationConfig::FormToJson => {
                    ensure!(at == 0, "{name}: a form can only be read first");
                    program.from_form = true;
                }
                OperationConfig::JsonToForm => {
                    ensure!(at == last, "{name}: a form can only be written last");
                    program.to_form = Some(name);
                }
                other => {
                    let step = Step::new(other).context(&name)?;
                    program.steps.push((name, step));
                }
            }
        }
        Ok(program)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty() && !self.from_form && self.to_form.is_none()
    }

    /// Headers of the request that values refer to.
    pub(crate) fn headers(&self) -> Vec<HeaderName> {
        let mut names = BTreeSet::new();
        for (_, step) in &self.steps {
            if let Step::Set(filling) = step {
                filling.headers(&mut names);
            }
        }
        names.into_iter().collect()
    }

    /// Runs the operations in their order on a document that may cost `budget`; all of them or none.
    pub(crate) fn run<'a>(
        &'a self,
        mut root: Json<'a>,
        budget: usize,
        render: Render<'_>,
    ) -> Result<Json<'a>, Stopped<'a>> {
        for (operation, step) in &self.steps {
            root = step.run(root, budget, render).map_err(|stop| Stopped { operation, stop })?;
        }
        Ok(root)
    }
}

impl Step {
    fn new(operation: OperationConfig) -> Result<Self> {
        Ok(match operation {
            OperationConfig::Patch(document) => Self::Patch(Patch::new(document.read()?)?),
            OperationConfig::Merge(document) => Self::Merge(document.read()?),
            OperationConfig::Pick(pick) => Self::Pick(Pick::new(pick)?),
            OperationConfig::Build(members) => {
                ensure!(!members.is_empty(), "it names no member");
                let pick = |(name, pick)| -> Result<_> {
                    let pick = Pick::new(pick).context(&name)?;
                    Ok((name, pick))
                };
                Self::Build(members.into_iter().map(pick).collect::<Result<_>>()?)
            }
            OperationConfig::Move(transfer) => Self::Move(Transfer::new(&transfer, true)?),
            OperationConfig::Copy(transfer) => Self::Copy(Transfer::new(&transfer, false)?),
            OperationConfig::Remove(targets) => {
                let targets = match targets {
                    OneOrMany::One(target) => vec![target],
                    OneOrMany::Many(targets) => targets,
                };
                ensure!(!targets.is_empty(), "it names nothing");
                Self::Remove(targets.iter().map(|target| Target::inner(target)).collect::<Result<_>>()?)
            }
            OperationConfig::Rename(rename) => Self::Rename(Rename::new(rename)?),
            OperationConfig::Set(set) => Self::Set(Filling::new(set)?),
            // The program has taken these for itself.
            OperationConfig::FormToJson | OperationConfig::JsonToForm => bail!("a form is no step"),
        })
    }

    fn run<'a>(&'a self, mut root: Json<'a>, budget: usize, render: Render<'_>) -> edit::Result<Json<'a>> {
        match self {
            Self::Patch(patch) => patch.apply(&mut root, budget)?,
            Self::Merge(patch) => merge::merge(&mut root, patch),
            Self::Pick(pick) => {
                if let Some(picked) = pick.of(&root, budget.saturating_sub(root.cost()), 0)? {
                    root = picked;
                }
            }
            Self::Build(members) => root = pick::build(members, &root, budget)?,
            Self::Move(transfer) => transfer.moves(&mut root)?,
            Self::Copy(transfer) => transfer.copies(&mut root, budget)?,
            Self::Remove(targets) => {
                for target in targets {
                    target.remove_from(&mut root)?;
                }
            }
            Self::Rename(rename) => rename.apply(&mut root)?,
            Self::Set(filling) => filling.apply(&mut root, render)?,
        }
        Ok(root)
    }
}
