//! What is looked for in bodies, and what was found.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sluice_sdk::prelude::*;

use crate::config::Pick;
use crate::json::{Paths, Scalar};
use crate::path::Path;
use crate::stream::Stream;

/// The most paths of one value, the first of which that is found counts.
const MAX_ALTERNATIVES: usize = 4;

/// What is looked for in the bodies of one direction.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    paths: Paths,
    wants: Vec<Want>,
    /// As they are written, for the log.
    texts: Vec<String>,
}

/// What is made of the scalars at a path.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// A number in the meter's smallest units.
    Amount(Meter, Pick),
    /// The last text.
    Text,
}

/// What was found at a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Found {
    Amount(i64),
    Text(String),
}

/// What was found in a body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Findings {
    /// By the paths' numbers.
    #[serde(rename = "f")]
    found: Vec<Option<Found>>,
    /// The last path at which something stood that cannot be used.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    unusable: Option<usize>,
}

impl Targets {
    /// Looks for a value at the first of these paths that has one: their numbers.
    pub(crate) fn add(&mut self, paths: &OneOrMany<String>, want: &Want) -> Result<Range<usize>> {
        let begin = self.wants.len();
        for text in paths.iter() {
            let path = Path::parse(text)?;
            self.paths.add(path).context(format_args!("more than {} paths in all", Paths::MAX))?;
            self.wants.push(want.clone());
            self.texts.push(text.clone());
        }
        let range = begin..self.wants.len();
        ensure!((1..=MAX_ALTERNATIVES).contains(&range.len()), "1 to {MAX_ALTERNATIVES} paths");
        Ok(range)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    pub(crate) fn nothing(&self) -> Findings {
        Findings { found: vec![None; self.wants.len()], unusable: None }
    }

    /// Reads on.
    pub(crate) fn feed(&self, stream: &mut Stream, piece: &[u8], findings: &mut Findings) {
        stream.feed(&self.paths, piece, &mut self.note(findings));
    }

    /// Nothing more comes.
    pub(crate) fn end(&self, stream: &mut Stream, findings: &mut Findings) {
        stream.end(&mut self.note(findings));
    }

    fn note<'f>(&'f self, findings: &'f mut Findings) -> impl FnMut(usize, Scalar<'_>) + 'f {
        move |number, scalar| {
            if let (Some(want), Some(found)) = (self.wants.get(number), findings.found.get_mut(number))
                && !want.note(found, scalar)
            {
                findings.unusable = Some(number);
            }
        }
    }
}

impl Want {
    /// Whether it can be used.
    fn note(&self, found: &mut Option<Found>, scalar: Scalar<'_>) -> bool {
        let (Scalar::Text(text) | Scalar::Token(text)) = scalar else { return false };
        let (meter, pick) = match self {
            Self::Text => {
                *found = Some(Found::Text(text.to_owned()));
                return true;
            }
            Self::Amount(meter, pick) => (meter, pick),
        };
        let Ok(value) = meter.units(text) else { return false };
        let before = found.as_ref().and_then(Found::amount);
        *found = Some(Found::Amount(match (pick, before) {
            (Pick::Last, _) | (_, None) => value,
            // Beyond the end no quota goes either.
            (Pick::Sum, Some(before)) => before.saturating_add(value),
            (Pick::Max, Some(before)) => before.max(value),
        }));
        true
    }
}

impl Findings {
    /// The first of these paths at which something was found.
    pub(crate) fn first(&self, range: &Range<usize>) -> Option<&Found> {
        self.found.get(range.clone())?.iter().flatten().next()
    }

    /// The path at which something stood that cannot be used.
    pub(crate) fn unusable<'t>(&self, targets: &'t Targets) -> Option<&'t str> {
        self.unusable.and_then(|number| targets.texts.get(number)).map(String::as_str)
    }
}

impl Found {
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn amount(&self) -> Option<i64> {
        if let Self::Amount(amount) = self { Some(*amount) } else { None }
    }
}
