//! What parts of a sink, and sinks, say of each other.

use std::path::Path;

use super::super::Resolver;
use super::super::at::At;

impl Resolver<'_> {
    /// Each sink of files has a directory of its own: it cuts off what it has not written.
    pub(super) fn check_directory<'a>(
        &mut self,
        at: At<'a>,
        directory: &Path,
        others: &mut Vec<(std::path::PathBuf, At<'a>)>,
    ) {
        let Some((_, first)) = others.iter().find(|(other, _)| other == directory) else {
            others.push((directory.to_owned(), at));
            return;
        };
        let mut problem = at.problem("another sink writes into this directory");
        if let Some(place) = first.place() {
            problem = problem.related(place, format!("`{}`", first.path()));
        }
        self.problems.push(problem.hint("each sink of files has a directory of its own"));
    }
}
