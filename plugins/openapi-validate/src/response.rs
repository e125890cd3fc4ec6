//! Responses: what is wrong with one, in words for the log.

use sluice_sdk::prelude::*;
use sluice_sdk_coding::CodingError;

use crate::api::OperationId;
use crate::check::CheckError;
use crate::dialect::Direction;
use crate::request::{Matched, Refused, matching};
use crate::{OpenApiValidate, joined};

impl OpenApiValidate {
    /// What is wrong with a response's head.
    pub(crate) fn check_response(&self, id: OperationId, response: &Response) -> Result<Option<String>> {
        let operation = self.api.operation(id)?;
        let status = response.status();
        let Some(answer) = operation.response(status) else {
            return Ok((!self.unknown_status).then(|| format!("status {status} is not described")));
        };
        let headers = response.headers();
        let mut check = self.check(Direction::Response);
        check.headers(answer, &|name| joined(headers, name, ","))?;
        if !check.findings.is_empty() {
            return Ok(Some(check.findings.line()));
        }
        let is_unknown = matches!(matching(&answer.content, headers), Matched::Unknown);
        Ok((is_unknown && !answer.content.is_empty()).then(|| "its media type is not described".to_owned()))
    }

    /// Whether there is anything in a body that could be wrong.
    pub(crate) fn wants_response_body(&self, id: OperationId, response: &Response) -> Result<bool> {
        let operation = self.api.operation(id)?;
        let Some(answer) = operation.response(response.status()) else { return Ok(false) };
        Ok(match matching(&answer.content, response.headers()) {
            Matched::Content(content, syntax) => content.is_checked(syntax),
            Matched::Untyped => !answer.content.is_empty(),
            Matched::Unknown => false,
        })
    }

    pub(crate) fn check_response_body(
        &self,
        id: OperationId,
        response: &Response,
        body: &Body,
    ) -> Result<Option<String>> {
        let operation = self.api.operation(id)?;
        let Some(answer) = operation.response(response.status()) else { return Ok(None) };
        let headers = response.headers();
        let Matched::Content(content, syntax) = matching(&answer.content, headers) else {
            return Ok((!body.is_empty()).then(|| "its body has no media type".to_owned()));
        };
        let bytes = match self.decode(headers, body.bytes()?) {
            Ok(bytes) => bytes,
            Err(CodingError::TooLarge { bound }) => return Ok(Some(Refused::TooLarge(bound).reason())),
            Err(error) => return Ok(Some(format!("its content coding cannot be undone: {error}"))),
        };
        let mut check = self.check(Direction::Response);
        match check.body(content, syntax, &bytes) {
            Ok(()) if check.findings.is_empty() => Ok(None),
            Ok(()) => Ok(Some(check.findings.line())),
            Err(CheckError::TooComplex) => Ok(Some(Refused::TooComplex(self.memory).reason())),
            Err(CheckError::Failed(error)) => Err(error),
        }
    }
}
