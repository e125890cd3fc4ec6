//! An operation, and where the members of its documents are in REST.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sluice_sdk::prelude::*;

use crate::config::{OperationConfig, Serve};
use crate::failure::Failure;
use crate::json::{Json, Place};
use crate::mapping::Mapping;
use crate::names::{Names, Tag};
use crate::route::PathTemplate;
use crate::shape::{Parts, Scalar, place};
use crate::stop::Stop;
use crate::template::Makes;

/// An operation.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: PathTemplate,
    /// Members in the path, then those in the query, then those in headers.
    params: Vec<Param>,
    pub(crate) body: BodyPart,
    pub(crate) status: u16,
    pub(crate) response_headers: Vec<Param>,
    pub(crate) action: Option<String>,
    pub(crate) request: Tag,
    pub(crate) response: Tag,
    pub(crate) header: Parts,
    pub(crate) input: Mapping,
    pub(crate) output: Mapping,
}

/// A member that stands outside of the body.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) at: Place,
    pub(crate) stands: Stands,
    scalar: Scalar,
    /// Whether it is an array, which is there though nothing of it is.
    pub(crate) list: bool,
}

/// Where a member stands.
#[derive(Debug, PartialEq)]
pub(crate) enum Stands {
    Path,
    Query(String),
    Header(HeaderName),
}

/// Which part of the input is the body in REST.
#[derive(Debug, PartialEq)]
pub(crate) enum BodyPart {
    None,
    All,
    Member(Place),
}

/// Methods that REST has here. A `HEAD` has no response that could be translated.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl Operation {
    pub(crate) fn new(name: &str, config: OperationConfig, names: &Names, serve: Serve) -> Result<Self> {
        let key = format!("operations.{name}");
        let (method, path) =
            config.rest.split_once(' ').context(format_args!("{key}.rest: write `METHOD /path`"))?;
        ensure!(METHODS.contains(&method), "{key}.rest: `{method}` is none of {}", METHODS.join(", "));
        let path = PathTemplate::parse(path.trim()).context(format_args!("{key}.rest"))?;
        ensure!((200..=299).contains(&config.status), "`{key}.status` lies between 200 and 299");
        let (makes_input, makes_output) = match serve {
            Serve::Soap => (Makes::Json, Makes::Xml),
            Serve::Rest => (Makes::Xml, Makes::Json),
        };
        let OperationConfig { input, input_template, output, output_template, .. } = config;
        let input =
            Mapping::new(input.as_deref(), input_template, makes_input, names, &format!("{key}.input"))?;
        let output =
            Mapping::new(output.as_deref(), output_template, makes_output, names, &format!("{key}.output"))?;
        let header = Parts::of_header(&config.header, names, &format!("{key}.header"))?;
        let mut params: Vec<Param> = path
            .members()
            .into_iter()
            .map(|at| Param::new(at.clone(), Stands::Path, &input, &header))
            .collect();
        for (name, member) in &config.query {
            let at = place(member).context(format_args!("{key}.query.{name}"))?;
            params.push(Param::new(at, Stands::Query(name.clone()), &input, &header));
        }
        let headers = params_in_headers(&config.headers, &input, &header, &format!("{key}.headers"))?;
        params.extend(headers);
        let response_headers = params_in_headers(
            &config.response_headers,
            &output,
            &Parts::default(),
            &format!("{key}.response_headers"),
        )?;
        let body = match config.body.as_deref() {
            None if matches!(method, "POST" | "PUT" | "PATCH") => BodyPart::All,
            None | Some("none") => BodyPart::None,
            Some("*") => BodyPart::All,
            Some(member) => BodyPart::Member(place(member).context(format_args!("{key}.body"))?),
        };
        let request = config.request.unwrap_or_else(|| name.to_owned());
        let response = config.response.unwrap_or_else(|| format!("{request}Response"));
        if let Some(action) = &config.action {
            let good = action.bytes().all(|byte| (byte.is_ascii_graphic() && byte != b'"') || byte == b' ');
            ensure!(good, "`{key}.action` has quotes, or characters other than those of ASCII");
        }
        let operation = Self {
            method: Method::from(method),
            path,
            params,
            body,
            status: config.status,
            response_headers,
            action: config.action.filter(|action| !action.is_empty()),
            request: names.top(&request).context(format_args!("{key}.request"))?,
            response: names.top(&response).context(format_args!("{key}.response"))?,
            header,
            input,
            output,
        };
        operation.check(&key)?;
        Ok(operation)
    }

    /// Members that would be left behind, or that nobody gives.
    fn check(&self, key: &str) -> Result<()> {
        let once = |params: &[&Param]| {
            params
                .iter()
                .enumerate()
                .find(|(index, param)| params[..*index].iter().any(|known| known.at == param.at))
                .map(|(_, param)| param.at.to_string())
        };
        let params: Vec<_> = self.params.iter().collect();
        if let Some(twice) = once(&params) {
            bail!("{key}: `{twice}` stands in more than one of path, `query` and `headers`");
        }
        if let Some(member) = self.params.iter().find(|param| param.at.0.is_empty()) {
            bail!("{key}: `{}` is all of the input and cannot stand in {:?}", member.at, member.stands);
        }
        self.check_response(key, once(&self.response_headers.iter().collect::<Vec<_>>()))?;
        let Some(parts) = self.input.parts() else { return Ok(()) };
        self.check_header(key, parts)?;
        let fields: Vec<_> = parts.places().into_iter().chain(self.header.places()).collect();
        for (at, scalar, list) in &fields {
            let is_param = self.params.iter().find(|param| param.at == **at);
            let in_body = match &self.body {
                BodyPart::All => true,
                BodyPart::None => false,
                BodyPart::Member(member) => at.0.starts_with(&member.0),
            };
            ensure!(
                is_param.is_some() || in_body,
                "{key}.input: `{at}` stands nowhere in REST: name it in the path, `query` or `headers`, or give a `body`"
            );
            if let Some(param) = is_param {
                ensure!(scalar.is_some(), "{key}: `{at}` is no text that could stand in {:?}", param.stands);
                ensure!(
                    !list || param.stands != Stands::Path,
                    "{key}: `{at}` is a list and cannot stand in the path"
                );
            }
        }
        for param in &self.params {
            let is_known = fields.iter().any(|(at, ..)| **at == param.at);
            ensure!(
                is_known,
                "{key}: `input` has no field `{}`, which stands in {:?}",
                param.at,
                param.stands
            );
        }
        Ok(())
    }

    /// A member of the input is in the body or in a block of the header: one would be written over the other.
    fn check_header(&self, key: &str, input: &Parts) -> Result<()> {
        let places = input.places();
        for (at, ..) in self.header.places() {
            let clash =
                places.iter().find(|(known, ..)| known.0.starts_with(&at.0) || at.0.starts_with(&known.0));
            if let Some((known, ..)) = clash {
                bail!("{key}.header: `{at}` and `{known}` of `input` cannot both be there");
            }
        }
        Ok(())
    }

    fn check_response(&self, key: &str, twice: Option<String>) -> Result<()> {
        let key = format!("{key}.response_headers");
        if let Some(twice) = twice {
            bail!("`{key}`: `{twice}` stands in more than one header");
        }
        let places = self.output.parts().map(Parts::places);
        for param in &self.response_headers {
            let at = &param.at;
            ensure!(!at.0.is_empty(), "`{key}`: `{at}` is all of the output and cannot stand in a header");
            let Some(places) = &places else { continue };
            let found = places.iter().find(|(known, ..)| *known == at);
            let (_, scalar, _) = found.context(format_args!("`{key}`: `output` has no field `{at}`"))?;
            ensure!(scalar.is_some(), "`{key}`: `{at}` is no text that could stand in a header");
        }
        Ok(())
    }

    pub(crate) fn params(&self) -> &[Param] {
        &self.params
    }
}

fn params_in_headers(
    headers: &BTreeMap<HeaderName, String>,
    mapping: &Mapping,
    header: &Parts,
    key: &str,
) -> Result<Vec<Param>> {
    let mut params = Vec::new();
    for (name, member) in headers {
        let own = ["host", "content-type", "content-encoding", "soapaction"].contains(&name.as_str());
        ensure!(!name.is_reserved() && !own, "`{key}.{name}` is not a header that can be given");
        let at = place(member).context(format_args!("{key}.{name}"))?;
        params.push(Param::new(at, Stands::Header(name.clone()), mapping, header));
    }
    Ok(params)
}

impl Param {
    fn new(at: Place, stands: Stands, mapping: &Mapping, header: &Parts) -> Self {
        let places = mapping.parts().map(Parts::places).unwrap_or_default();
        let found = places.into_iter().chain(header.places()).find(|(known, ..)| **known == at);
        let (scalar, list) =
            found.map_or((Scalar::String, false), |(_, scalar, list)| (scalar.unwrap_or_default(), list));
        Self { at, stands, scalar, list }
    }

    /// The value that these texts are.
    pub(crate) fn read(&self, texts: &[String]) -> Result<Json, Failure> {
        let one = |text: &String| {
            let value = self.scalar.to_json(text);
            value.map_err(|why| Failure { field: Some(self.at.to_string()), ..self.unsuited(&why) })
        };
        match texts {
            texts if self.list => texts.iter().map(one).collect::<Result<_, _>>().map(Json::Array),
            [text] => one(text),
            _ => Err(self.unsuited("it is given more than once")),
        }
    }

    fn unsuited(&self, why: &str) -> Failure {
        let name = match &self.stands {
            Stands::Path => format!("`{}` in the path", self.at),
            Stands::Query(name) => format!("the query parameter `{name}`"),
            Stands::Header(name) => format!("the header `{name}`"),
        };
        Failure {
            field: Some(self.at.to_string()),
            ..Failure::new(400, "parameter-invalid", format!("{name}: {why}"))
        }
    }

    /// The texts that a value is; none if there is nothing.
    pub(crate) fn write(&self, value: Option<Json>) -> Result<Vec<String>, Stop> {
        let text = |value: &Json| {
            // Types were checked as the document was made.
            Scalar::String.to_text(value).map(Cow::into_owned).map_err(|why| Stop::mismatch(&self.at, why))
        };
        match value {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Array(items)) if self.stands != Stands::Path => items.iter().map(text).collect(),
            Some(value) => Ok(vec![text(&value)?]),
        }
    }
}
