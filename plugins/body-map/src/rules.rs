//! What happens to one kind of message: which bodies are meant, and from body to body.

use sluice_sdk::prelude::*;

use crate::edit::Stop;
use crate::form;
use crate::json::{self, Reason};
use crate::media::{Declared, MediaTypes};
use crate::refusal::{Fault, Refusal, Side};
use crate::steps::{OperationConfig, Program, Render, Stopped};

/// What happens to the bodies of one kind of message.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesConfig {
    /// The transformations, in their order.
    operations: Vec<OperationConfig>,
    /// Media types of the bodies that are meant, `type/subtype` or `+suffix`. If not given, `application/json` and `+json`.
    #[serde(default)]
    types: Option<Vec<String>>,
    /// Whether a body of any other type is refused instead of passed on as it is.
    #[serde(default)]
    require_json: bool,
    /// What becomes of a message that an operation does not suit.
    #[serde(default)]
    on_mismatch: OnMismatch,
    /// Bytes of a body, as it is read and as it is written. Not above the plugin's `limits.body`.
    #[serde(default = "default_max_size")]
    max_size: Size,
}

/// What becomes of a message that an operation does not suit.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum OnMismatch {
    /// It is refused: 422 for a request, 502 for a response.
    #[default]
    Refuse,
    /// It passes as it came, without any of the operations.
    Pass,
}

fn default_max_size() -> Size {
    Size::from_bytes(1 << 20)
}

/// What a body takes at most: a plugin's memory has to hold it several times.
const MAX_SIZE: u64 = 64 << 20;

/// What a document may cost for every byte of its body.
const BUDGET_FACTOR: usize = 6;

/// Checked rules.
#[derive(Debug)]
pub(crate) struct Rules {
    program: Program,
    types: MediaTypes,
    require_json: bool,
    on_mismatch: OnMismatch,
    max_size: usize,
    /// What a document may cost: see [`json::Json::cost`].
    budget: usize,
}

/// What the head says of the body.
#[derive(Debug, PartialEq)]
pub(crate) enum Concern {
    Transform,
    /// To be passed on as it is.
    Leave,
    /// To be refused, if there is any body.
    Refuse,
}

impl Rules {
    pub(crate) fn new(config: RulesConfig, side: Side) -> Result<Self> {
        let name = side.name();
        let program = Program::new(config.operations, &format!("{name}.operations"))?;
        ensure!(
            !program.is_empty(),
            "`{name}.operations` is empty: leave `{name}` out if there is nothing to do"
        );
        let types = match config.types {
            Some(_) if program.from_form => bail!("`{name}.types` has no meaning with `form_to_json`"),
            Some(types) => MediaTypes::new(types).context(format_args!("{name}.types"))?,
            None if program.from_form => MediaTypes::only(form::FORM),
            None => MediaTypes::json(),
        };
        let bytes = config.max_size.bytes();
        ensure!((1..=MAX_SIZE).contains(&bytes), "`{name}.max_size` lies between \"1B\" and \"64MiB\"");
        let max_size = usize::try_from(bytes)?;
        Ok(Self {
            program,
            types,
            require_json: config.require_json,
            on_mismatch: config.on_mismatch,
            max_size,
            budget: (max_size * BUDGET_FACTOR).max(json::LEAST_BUDGET),
        })
    }

    /// Headers of the request that values refer to.
    pub(crate) fn request_headers(&self) -> Vec<HeaderName> {
        self.program.headers()
    }

    /// Which bodies are meant, for people.
    pub(crate) fn wanted(&self) -> Refusal {
        Refusal::new(Fault::MediaType, format!("the body's type is none of {}", self.types.listed()))
    }

    pub(crate) fn concern(&self, headers: &Headers<'_>) -> Result<Concern, Refusal> {
        match self.types.declared(headers) {
            Declared::Meant => Ok(Concern::Transform),
            Declared::Other if self.require_json => Ok(Concern::Refuse),
            Declared::Other => Ok(Concern::Leave),
            Declared::Several => {
                Err(Refusal::new(Fault::AmbiguousType, "there are several `Content-Type` headers"))
            }
        }
    }

    pub(crate) fn max_size(&self) -> usize {
        self.max_size
    }

    /// From body to body; none if it is to pass as it came.
    pub(crate) fn transform(&self, body: &[u8], render: Render<'_>) -> Result<Option<Vec<u8>>, Refusal> {
        let root = if self.program.from_form { self.read_form(body)? } else { self.read_json(body)? };
        let root = match self.program.run(root, self.budget, render) {
            Ok(root) => root,
            Err(Stopped { operation, stop }) => return self.stopped(operation, stop),
        };
        if let Some(operation) = &self.program.to_form {
            return match form::write(&root, self.max_size) {
                Ok(Some(body)) => Ok(Some(body)),
                Ok(None) => Err(self.too_large()),
                Err(stop) => self.stopped(operation, stop),
            };
        }
        json::write(&root, self.max_size).map(Some).map_err(|_| self.too_large())
    }

    /// The type of what the operations make, if it is another than that of what they take.
    pub(crate) fn content_type(&self) -> Option<&'static str> {
        match (&self.program.to_form, self.program.from_form) {
            (Some(_), _) => Some(form::FORM),
            (None, true) => Some("application/json"),
            (None, false) => None,
        }
    }

    fn read_json<'b>(&self, body: &'b [u8]) -> Result<json::Json<'b>, Refusal> {
        json::parse(body, self.budget).map_err(|error| {
            let fault = match error.reason {
                Reason::Malformed(_) => Fault::NotJson,
                Reason::Duplicate(_) => Fault::DuplicateMember,
                Reason::TooDeep | Reason::TooLarge => Fault::TooComplex,
            };
            Refusal::new(fault, format!("the body cannot be read as JSON: {error}"))
        })
    }

    fn read_form<'b>(&self, body: &'b [u8]) -> Result<json::Json<'b>, Refusal> {
        form::read(body, self.budget).map_err(|error| match error {
            form::Unreadable::Malformed(why) => Refusal::new(Fault::NotForm, why),
            form::Unreadable::TooLarge(Stop::TooComplex(why) | Stop::Mismatch(why)) => {
                Refusal::new(Fault::TooComplex, why)
            }
        })
    }

    fn too_large(&self) -> Refusal {
        let detail = format!("the transformed body is larger than the {} bytes of `max_size`", self.max_size);
        Refusal::new(Fault::TooLarge, detail)
    }

    fn stopped(&self, operation: &str, stop: Stop) -> Result<Option<Vec<u8>>, Refusal> {
        let (fault, why) = match stop {
            Stop::Mismatch(_) if self.on_mismatch == OnMismatch::Pass => return Ok(None),
            Stop::Mismatch(why) => (Fault::Mismatch, why),
            Stop::TooComplex(why) => (Fault::TooComplex, why),
        };
        let detail = format!("the body does not suit {operation}: {why}");
        Err(Refusal { fault, detail, operation: Some(operation.to_owned()) })
    }
}
