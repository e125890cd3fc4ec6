//! The document at work: which operation a request means, and what its schemas say.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sluice_sdk::prelude::*;

use crate::dialect::Direction;
use crate::document::{Document, Node};
use crate::finding::Place;
use crate::operation::{KeySchemes, Operation, Parameter};
use crate::router::{PathValues, Router};
use crate::schemas::{Schema, Schemas};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A document, ready for requests.
pub(crate) struct Api {
    document: Document,
    schemas: Schemas,
    /// Paths before which templates begin, without a slash at their end.
    bases: Vec<String>,
    router: Router<usize>,
    paths: Vec<Path>,
    key_schemes: KeySchemes,
    operations: RefCell<BTreeMap<(usize, usize), Rc<Operation>>>,
    with_responses: bool,
}

struct Path {
    template: String,
    /// Where the path item is.
    pointer: String,
    /// Those it has, of [`METHODS`].
    methods: Vec<usize>,
}

/// One operation: which path, which method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OperationId(usize, usize);

/// What a method and path lead to.
pub(crate) enum Found {
    Operation(OperationId, PathValues),
    /// The path is known, but has these methods only.
    OtherMethods(String),
    Nothing,
}

impl Api {
    pub(crate) fn new(
        document: Document,
        base_path: Option<&str>,
        schemas: Schemas,
        with_responses: bool,
    ) -> Result<Self> {
        let bases = match base_path {
            Some(base) => vec![base.trim_end_matches('/').to_owned()],
            None => server_paths(&document.root())?,
        };
        let (mut router, mut paths) = (Router::new(), Vec::new());
        let items =
            document.root().get("paths")?.map(|items| items.members()).transpose()?.unwrap_or_default();
        for (template, item) in items.into_iter().filter(|(template, _)| template.starts_with('/')) {
            let item = item.resolve()?;
            let members = item.members()?;
            let methods =
                (0..METHODS.len()).filter(|&at| members.iter().any(|(name, _)| name == METHODS[at]));
            for known in router.add(&template, paths.len())? {
                let twice = methods
                    .clone()
                    .find(|at| paths.get(known).is_some_and(|path: &Path| path.methods.contains(at)));
                ensure!(
                    twice.is_none(),
                    "path `{template}` is identical to another but for the names in it, and has a method of it"
                );
            }
            paths.push(Path { methods: methods.collect(), pointer: item.pointer().to_owned(), template });
        }
        let (key_schemes, operations) = (KeySchemes::read(&document)?, RefCell::default());
        Ok(Self { document, schemas, bases, router, paths, key_schemes, operations, with_responses })
    }

    /// Reads everything once, so that what is wrong with the document is said when it is loaded.
    pub(crate) fn test(&self) -> Result<()> {
        let (mut sent, mut answered) = (BTreeSet::new(), BTreeSet::new());
        for (path, Path { template, methods, .. }) in self.paths.iter().enumerate() {
            for &method in methods {
                let operation = self.operation(OperationId(path, method))?;
                for parameter in
                    operation.parameters.iter().filter(|parameter| parameter.place == Place::Path)
                {
                    let expression = format!("{{{}}}", parameter.name);
                    ensure!(
                        template.contains(&expression),
                        "path `{template}` has no `{expression}`, but a parameter of this name"
                    );
                }
                sent.extend(operation.request_schemas().into_iter().map(str::to_owned));
                answered.extend(operation.response_schemas().into_iter().map(str::to_owned));
            }
        }
        // What was read for this is read again when it is needed: an instance need not hold all of it.
        self.operations.borrow_mut().clear();
        self.schemas.test(&self.document, &sent, Direction::Request)?;
        self.schemas.test(&self.document, &answered, Direction::Response)
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        let rests = self.bases.iter().filter_map(|base| path.strip_prefix(base.as_str()));
        let Some(mut found) = rests.map(|rest| self.router.find(rest)).find(|found| !found.is_empty()) else {
            return Found::Nothing;
        };
        let mut methods: Vec<_> =
            found.iter().flat_map(|(path, _)| self.paths[**path].methods.clone()).collect();
        methods.sort_unstable();
        let wanted = |name: &str| methods.iter().copied().find(|&at| METHODS[at].eq_ignore_ascii_case(name));
        // Methods are case-sensitive, but those of OpenAPI are all upper-case on the wire.
        let is_upper = method.as_str().bytes().all(|byte| byte.is_ascii_uppercase());
        let exact = if is_upper { wanted(method.as_str()) } else { None };
        // A `HEAD` that is not described is the `GET` without the body (RFC 9110 section 9.3.2).
        match exact.or_else(|| if *method == Method::Head { wanted("get") } else { None }) {
            Some(method) => {
                found.retain(|(path, _)| self.paths[**path].methods.contains(&method));
                match found.pop() {
                    Some((path, values)) => Found::Operation(OperationId(*path, method), values),
                    None => Found::Nothing,
                }
            }
            None => Found::OtherMethods(allowed(&methods)),
        }
    }

    pub(crate) fn operation(&self, OperationId(path, method): OperationId) -> Result<Rc<Operation>> {
        if let Some(known) = self.operations.borrow().get(&(path, method)) {
            return Ok(Rc::clone(known));
        }
        let item = self.paths.get(path).context("an operation of another document")?;
        let method_name = METHODS.get(method).context("an operation of another document")?;
        let item = self.document.at(&item.pointer)?;
        let operation =
            Operation::read(&self.document, &item, method_name, &self.key_schemes, self.with_responses);
        let operation = Rc::new(operation?);
        self.operations.borrow_mut().insert((path, method), Rc::clone(&operation));
        Ok(operation)
    }

    /// How the log calls an operation.
    pub(crate) fn name(&self, OperationId(path, method): OperationId) -> String {
        let method = METHODS.get(method).copied().unwrap_or_default().to_ascii_uppercase();
        format!("{method} {}", self.paths.get(path).map_or("", |path| &path.template))
    }

    pub(crate) fn schema(&self, pointer: &str, direction: Direction) -> Result<Rc<Schema>> {
        self.schemas.get(&self.document, pointer, direction)
    }

    /// The schemas of what is declared at `name`, together.
    pub(crate) fn group(
        &self,
        name: &str,
        declared: &[Parameter],
        direction: Direction,
    ) -> Result<Rc<Schema>> {
        let pointers: Vec<_> = declared.iter().filter_map(|parameter| parameter.schema.as_deref()).collect();
        self.schemas.group(&self.document, name, &pointers, direction)
    }
}

/// The value of `Allow`.
fn allowed(methods: &[usize]) -> String {
    let mut names: Vec<_> = methods.iter().map(|&at| METHODS[at].to_ascii_uppercase()).collect();
    if names.iter().any(|name| name == "GET") && !names.iter().any(|name| name == "HEAD") {
        names.push("HEAD".to_owned());
    }
    names.sort();
    names.join(", ")
}

/// The paths of the document's servers.
fn server_paths(root: &Node<'_>) -> Result<Vec<String>> {
    let servers = root.get("servers")?.map(|servers| servers.items()).transpose()?.unwrap_or_default();
    let mut paths = Vec::new();
    for server in servers {
        let url = server.required("url")?.text()?;
        let behind_scheme = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        // An authority goes before the first slash; a relative URL has none.
        let path = behind_scheme.find('/').map_or("", |at| &behind_scheme[at..]);
        ensure!(
            !path.contains('{'),
            "#{}: the path of `{url}` has a variable: say with `base_path` what it is",
            server.pointer()
        );
        paths.push(path.trim_end_matches('/').to_owned());
    }
    paths.sort();
    paths.dedup();
    // The longest first: `/v1/pets` is `/pets` of `/v1`, if there are both.
    paths.reverse();
    Ok(if paths.is_empty() { vec![String::new()] } else { paths })
}
