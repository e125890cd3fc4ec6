//! Lets SOAP clients call REST services, and REST clients SOAP services.

mod bounds;
mod config;
mod convention;
mod envelope;
mod failure;
mod fault;
mod json;
mod mapping;
mod media;
mod names;
mod operation;
mod outgoing;
mod rest;
mod route;
mod service;
mod shape;
mod soap;
mod stop;
mod template;
mod xml;

use sluice_sdk::prelude::*;

pub use config::Config;
use config::Serve;
use service::Service;

/// The policy.
#[derive(Debug)]
pub struct SoapRest {
    serve: Serve,
    service: Service,
}

#[plugin]
impl Plugin for SoapRest {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self { serve: config.serve, service: Service::new(config)? })
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        match self.serve {
            Serve::Soap => self.service.soap_request(request, ctx),
            Serve::Rest => self.service.rest_request(request, ctx),
        }
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        match self.serve {
            Serve::Soap => self.service.soap_request_body(request, body, ctx),
            Serve::Rest => self.service.rest_request_body(request, body, ctx),
        }
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        match self.serve {
            Serve::Soap => self.service.soap_response(response, ctx),
            Serve::Rest => self.service.rest_response(response, ctx),
        }
    }

    fn on_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        match self.serve {
            Serve::Soap => self.service.soap_response_body(response, body, ctx),
            Serve::Rest => self.service.rest_response_body(response, body, ctx),
        }
    }
}
