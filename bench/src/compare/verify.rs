//! Checks that a peer does what a scenario is about, before its figures are believed.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::load::{Request, h2load};
use super::scenario::{Case, Check, Load, route_path};
use crate::harness::{Connection, Response};
use crate::origin::document;

/// An error says what the peer did instead.
pub(crate) fn verify(case: &Case, address: SocketAddr) -> Result<()> {
    if case.load == Load::H2load {
        let served = h2load::run(address, &case.requests, Duration::from_secs(1))?;
        ensure!(served.requests > 0 && served.failed == 0, "{served:?}");
        return Ok(());
    }
    let ask = |request: &Request| ask(address, request);
    let first = case.requests.first().context("a request to send")?;
    let usual = ask(first)?;
    ensure!(usual.status == 200, "{} {} got {}", first.method, first.path, describe(&usual));
    match case.check {
        Check::Proxies => {}
        Check::Policy => policy(ask)?,
        Check::Json => {
            let sent = echoed(&ask(&Request::post("/echo", document()))?)?;
            let body = sent.rsplit("\r\n\r\n").next().unwrap_or_default();
            let body: serde_json::Value = serde_json::from_str(body).context("the origin got no JSON")?;
            ensure!(body["secret"].is_null() && body["bench"] == 1, "the body was not rewritten: {body}");
            ensure!(body["items"][3]["sku"] == "A-00003", "the rest of the body was lost: {body}");
        }
        Check::Jwt => jwt(first, ask)?,
        Check::Transcoded => transcoded(first, &usual)?,
        Check::Routes => {
            let last = ask(&Request::get(route_path(case.routes - 1)))?;
            ensure!(last.status == 200, "the last route answers {}", describe(&last));
            let none = ask(&Request::get("/v1/nothing/17"))?;
            ensure!(none.status == 404, "a path of no route got {}", describe(&none));
        }
    }
    Ok(())
}

fn policy(ask: impl Fn(&Request) -> Result<Response>) -> Result<()> {
    let without = ask(&Request::get("/echo"))?;
    ensure!(without.status == 401, "without a key: {}", describe(&without));
    let unknown = ask(&Request::get("/echo").header("x-api-key", "key-0123456789abcdef0123456789abcdef"))?;
    ensure!(matches!(unknown.status, 401 | 403), "with an unknown key: {}", describe(&unknown));
    for key in super::keys::all() {
        let known = ask(&Request::get("/echo").header("x-api-key", &key))?;
        ensure!(known.status == 200, "with the key {key}: {}", describe(&known));
        let sent = echoed(&known)?.to_lowercase();
        ensure!(sent.contains("\r\nx-bench: 1\r\n"), "the request has no new header: {sent}");
        ensure!(known.header("x-served-by") == Some("bench"), "the response has no new header");
    }
    Ok(())
}

fn jwt(good: &Request, ask: impl Fn(&Request) -> Result<Response>) -> Result<()> {
    let without = ask(&Request::get("/128"))?;
    ensure!(without.status == 401, "without a token: {}", describe(&without));
    let (_, token) = good.headers.first().context("a token")?;
    // One sign of the signature's middle, where every bit counts.
    let at = token.len() - 100;
    let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
    let mut forged = token.clone();
    forged.replace_range(at..=at, other);
    let forged = ask(&Request::get("/128").header("authorization", forged))?;
    ensure!(forged.status == 401, "with a forged token: {}", describe(&forged));
    Ok(())
}

fn transcoded(request: &Request, answer: &Response) -> Result<()> {
    let said = answer.text();
    if request.method == "POST" {
        let [sent, got]: [serde_json::Value; 2] =
            [serde_json::from_str(&request.body)?, serde_json::from_str(&said).context(said)?];
        ensure!(sent == got, "what was sent is not what came: {got}");
    } else if request.path.contains("count") {
        let lines: Vec<_> = said.lines().collect();
        let last: serde_json::Value =
            serde_json::from_str(lines.last().unwrap_or(&"")).context(said.clone())?;
        ensure!(lines.len() == crate::grpc::MESSAGES && last["text"] == "1000", "{} lines", lines.len());
    } else {
        let book: serde_json::Value = serde_json::from_str(&said).context(said.clone())?;
        let wanted = serde_json::json!({
            "name": "shelves/1/books/2", "title": "Moby-Dick", "authors": ["Herman Melville"],
            "published": "1851-08-28T00:00:00Z", "copies": "12"
        });
        ensure!(book == wanted, "not the book: {book}");
    }
    Ok(())
}

/// One request on a connection of its own.
pub(crate) fn ask(address: SocketAddr, request: &Request) -> Result<Response> {
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut connection = Connection::try_open(address)?.host("bench.example");
    let answer = connection.try_request(request.method, &request.path, &headers, request.body.as_bytes());
    answer.with_context(|| format!("{} {} got no answer", request.method, request.path))
}

/// The request as the origin received it.
fn echoed(answer: &Response) -> Result<String> {
    ensure!(answer.status == 200, "{}", describe(answer));
    Ok(answer.text())
}

pub(crate) fn describe(answer: &Response) -> String {
    let text: String = answer.text().chars().take(300).collect();
    format!("{} {text}", answer.status)
}
