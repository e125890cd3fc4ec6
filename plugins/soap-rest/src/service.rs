//! The configuration as it is meant: a service with its operations.

use sluice_sdk::prelude::*;

use crate::bounds::Bounds;
use crate::config::{Config, Form, Serve, Unknown, Unmatched, VersionConfig};
use crate::envelope::Version;
use crate::failure::Failure;
use crate::fault::Rule;
use crate::media::MediaType;
use crate::names::{Names, Tag, Terms};
use crate::operation::Operation;
use crate::xml::{self, Element};

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) terms: Terms,
    /// For faults, which always have more in them than a rule has fields for.
    pub(crate) fault_terms: Terms,
    /// Those with more in their paths that stands for itself first.
    pub(crate) operations: Vec<Operation>,
    pub(crate) faults: Vec<Rule>,
    pub(crate) version: Option<Version>,
    pub(crate) understood: Vec<Tag>,
    pub(crate) passes_unmatched: bool,
    pub(crate) exposes_detail: bool,
    pub(crate) endpoint: String,
    pub(crate) wsdl: Option<String>,
}

/// Headers of the request that make no sense once it is another one.
const OF_ANOTHER: [&str; 8] = [
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
    "soapaction",
    "content-type",
];

/// Headers of a failure that a client needs to know whatever the answer is.
pub(crate) const KEPT: [&str; 2] = ["retry-after", "www-authenticate"];

impl Service {
    pub(crate) fn new(config: Config) -> Result<Self> {
        let serve = config.serve;
        let bounds = Bounds::new(config.max_size, config.max_depth, config.max_values)?;
        let names = Names::new(&config.namespace, config.elements == Form::Qualified, &config.namespaces)?;
        ensure!(!config.operations.is_empty(), "`operations` is empty");
        let operations = config.operations.into_iter();
        let operations = operations.map(|(name, operation)| Operation::new(&name, operation, &names, serve));
        let mut operations = operations.collect::<Result<Vec<_>>>()?;
        operations.sort_by_cached_key(|operation| operation.path.rank());
        let rules = config.faults.into_iter().enumerate();
        let faults = rules.map(|(index, rule)| Rule::new(rule, &names, &format!("faults[{index}]")));
        let faults = faults.collect::<Result<Vec<_>>>()?;
        let understood = config.understood.iter().map(|name| names.top(name));
        let understood = understood.collect::<Result<Vec<_>>>().context("understood")?;
        let version = config.version.map(|version| match version {
            VersionConfig::V11 => Version::V11,
            VersionConfig::V12 => Version::V12,
        });
        let only_soap = config.wsdl.is_none() && understood.is_empty();
        match serve {
            Serve::Soap => {
                ensure!(config.endpoint.is_none(), "`endpoint` has no meaning with `serve = \"soap\"`");
                apart_in_soap(&operations)?;
            }
            Serve::Rest => {
                ensure!(only_soap, "`wsdl` and `understood` have no meaning with `serve = \"rest\"`");
                apart_in_rest(&operations)?;
                for (index, rule) in faults.iter().enumerate() {
                    ensure!(rule.tells_faults(), "`faults[{index}]` needs `code`, `subcode` or `detail`");
                }
            }
        }
        let endpoint = match (serve, config.endpoint) {
            (Serve::Rest, None) => bail!("`endpoint` is missing: the path of the SOAP upstream"),
            (_, endpoint) => endpoint.unwrap_or_default(),
        };
        let good = endpoint.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        ensure!(good && (endpoint.is_empty() || endpoint.starts_with('/')), "`endpoint` is not a path");
        let terms = Terms { names, bounds, refuses_unknown: config.unknown == Unknown::Refuse };
        Ok(Self {
            fault_terms: Terms { refuses_unknown: false, ..terms.clone() },
            terms,
            operations,
            faults,
            version,
            understood,
            passes_unmatched: config.unmatched == Unmatched::Pass,
            exposes_detail: config.expose_fault_detail,
            endpoint,
            wsdl: config.wsdl,
        })
    }

    /// A body without its content coding.
    pub(crate) fn plain(&self, headers: &Headers<'_>, body: &Body) -> Result<Result<Vec<u8>, Failure>> {
        let lines = headers.get_all("content-encoding");
        let codings: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let codings = (!codings.is_empty()).then(|| codings.join(", "));
        let (bytes, bound) = (body.bytes()?, self.terms.bounds.size);
        if bytes.len() > bound {
            return Ok(Err(Failure::too_large(self.terms.bounds.too_large())));
        }
        let decoded = sluice_sdk_coding::decode(codings.as_deref(), &bytes, bound);
        Ok(decoded.map(std::borrow::Cow::into_owned).map_err(Failure::from))
    }

    /// The root of a document.
    pub(crate) fn root(&self, bytes: Vec<u8>, media: &MediaType) -> Result<Element, Failure> {
        let text = xml::decode(bytes, media.parameter("charset"))?;
        Ok(xml::parse(&text, &self.terms.bounds)?)
    }
}

/// Takes away what is of the request as it was, and asks for a whole response without coding.
pub(crate) fn prepare(request: &mut Request, accept: &str) -> Result<()> {
    let mut headers = request.headers_mut();
    OF_ANOTHER.iter().try_for_each(|name| headers.remove(name).map(drop))?;
    headers.set("accept-encoding", "identity")?;
    headers.set("accept", accept)
}

/// Operations of one element are told apart by their actions.
fn apart_in_soap(operations: &[Operation]) -> Result<()> {
    for (index, one) in operations.iter().enumerate() {
        for other in &operations[..index] {
            let same = one.request.name == other.request.name;
            let apart = one.action != other.action && one.action.is_some() && other.action.is_some();
            ensure!(
                !same || apart,
                "two operations have the element `{}`: give each an `action` of its own",
                one.request.name.local
            );
        }
    }
    Ok(())
}

fn apart_in_rest(operations: &[Operation]) -> Result<()> {
    for (index, one) in operations.iter().enumerate() {
        let same = |other: &&Operation| other.method == one.method && other.path.rank() == one.path.rank();
        if let Some(other) = operations[..index].iter().find(same) {
            bail!(
                "the operations of the elements `{}` and `{}` have the same method and path in `rest`",
                other.request.name.local,
                one.request.name.local
            );
        }
    }
    Ok(())
}

/// Writes a body; fails if the host says that it is too large.
pub(crate) fn write_body(body: &mut Body, bytes: &[u8]) -> Result<Result<(), Failure>> {
    match body.set(bytes) {
        Err(error) if error.code() == Some(sluice_sdk::Code::TooLarge) => {
            let detail =
                format!("what becomes of it has {} bytes, more than the plugin's `limits.body`", bytes.len());
            Ok(Err(Failure::too_large(detail)))
        }
        other => other.map(Ok),
    }
}

pub(crate) fn unexpected(status: u16) -> Failure {
    Failure::new(
        502,
        "response-unexpected",
        format!("the status {status} is neither a success nor a failure"),
    )
}
