//! The pages, by path and method.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::json;
use tokio::sync::oneshot;

use super::Pages;
use super::usage::ReportPage;
use crate::body::Body;
use crate::gateway::{ReloadRequest, Reloaded};
use crate::problem_document::ProblemDocument;

impl Pages {
    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if self.settings.borrow().bind.ip().is_loopback() && !names_this_machine(&request) {
            let detail = "on loopback this listener is called by an address or as localhost";
            return problem(StatusCode::MISDIRECTED_REQUEST, "host-refused", detail);
        }
        let (admin, metrics) = self.served();
        let known = match request.uri().path() {
            "/healthz" => Some(Method::GET),
            "/metrics" if metrics => Some(Method::GET),
            _ if !admin => None,
            "/readyz" | "/snapshot" | "/usage" | "/balance" | "/invoices/preview" | "/ledger" => {
                Some(Method::GET)
            }
            "/reload" | "/credit" => Some(Method::POST),
            _ => None,
        };
        let Some(method) = known else {
            return problem(StatusCode::NOT_FOUND, "no-page", "there is no such page on this listener");
        };
        let asked = request.method();
        if *asked != method && !(method == Method::GET && *asked == Method::HEAD) {
            let mut response =
                problem(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this page has another method");
            let allow = HeaderValue::from_static(if method == Method::GET { "GET, HEAD" } else { "POST" });
            response.headers_mut().insert(header::ALLOW, allow);
            return response;
        }
        // Who changes something is a program. A browser says for which page it asks, and none of ours does.
        if method == Method::POST && request.headers().contains_key(header::ORIGIN) {
            let detail = "a page in a browser cannot change anything here";
            return problem(StatusCode::FORBIDDEN, "origin-refused", detail);
        }
        match request.uri().path() {
            "/readyz" => self.ready(),
            "/snapshot" => json_page(StatusCode::OK, &self.state.borrow().to_json()),
            "/metrics" => {
                text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.metrics.render())
            }
            "/reload" => self.reload().await,
            "/usage" => self.report(ReportPage::Usage, &request).await,
            "/balance" => self.report(ReportPage::Balance, &request).await,
            "/invoices/preview" => self.report(ReportPage::Invoice, &request).await,
            "/credit" => self.credit(request).await,
            "/ledger" => self.ledger(),
            _ => text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned()),
        }
    }

    fn ready(&self) -> Response<Body> {
        let (status, word) = if self.state.borrow().is_ready() {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        };
        text(status, "text/plain; charset=utf-8", word.to_owned())
    }

    async fn reload(&self) -> Response<Body> {
        let (reply, answer) = oneshot::channel();
        // Where nobody takes it, the reply is dropped with it, which is the answer below.
        let _ = self.reload.send(ReloadRequest { reason: "admin", reply: Some(reply) }).await;
        match answer.await {
            Ok(Reloaded::Published(generation)) => {
                json_page(StatusCode::OK, &json!({ "result": "published", "generation": generation }))
            }
            Ok(Reloaded::Unchanged(generation)) => {
                json_page(StatusCode::OK, &json!({ "result": "unchanged", "generation": generation }))
            }
            Ok(Reloaded::Refused(problems)) => json_page(
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!({ "result": "refused", "problems": problems }),
            ),
            Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the gateway is stopping"),
        }
    }
}

/// Whether a request is for an address or for `localhost`. A page in a browser can have its own name lead to loopback (DNS rebinding),
/// and would read what is here as if it were its own.
fn names_this_machine(request: &Request<Body>) -> bool {
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let authority = host.and_then(|host| host.parse().ok()).or_else(|| request.uri().authority().cloned());
    let Some(authority): Option<Authority> = authority else { return host.is_none_or(str::is_empty) };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let name = name.to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

pub(super) fn problem(status: StatusCode, kind: &str, detail: &str) -> Response<Body> {
    ProblemDocument::new(status, kind, detail).into_response(None)
}

pub(super) fn json_page(status: StatusCode, document: &serde_json::Value) -> Response<Body> {
    text(status, "application/json", format!("{document:#}\n"))
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_anybody_may_have_lead_here_is_none_of_ours() {
        let asked = |host: &str| {
            let request = Request::builder().uri("/usage").header(header::HOST, host);
            names_this_machine(&request.body(Body::Empty).unwrap())
        };
        for host in [
            "127.0.0.1",
            "127.0.0.1:9901",
            "[::1]:9901",
            "localhost:9901",
            "LOCALHOST.",
            "sluice.localhost",
            "",
        ] {
            assert!(asked(host), "{host}");
        }
        for host in
            ["rebound.example", "rebound.example:9901", "localhost.example", "127.0.0.1.example", "a b"]
        {
            assert!(!asked(host), "{host}");
        }
        let h2 = |uri: &str| names_this_machine(&Request::builder().uri(uri).body(Body::Empty).unwrap());
        assert!(h2("http://127.0.0.1:9901/usage") && !h2("http://rebound.example/usage"));
    }
}
