//! The pages of what was used: usage, balances, invoices to be, credit, the ledger.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::json;

use super::Pages;
use super::pages::{json_page, problem};
use crate::body::Body;
use crate::metering::report::{self, Catalog, Parameters, Question, Refused, WrittenTopUp};
use crate::metering::{Asker, Metering};
use crate::reports;

/// The most bytes of a top-up.
const MOST_BODY: usize = 16 << 10;

/// The pages that ask for a report.
#[derive(Clone, Copy)]
pub(super) enum ReportPage {
    Usage,
    Balance,
    Invoice,
}

impl Pages {
    pub(super) async fn report(&self, page: ReportPage, request: &Request<Body>) -> Response<Body> {
        let Some((metering, catalog)) = self.books() else { return no_ledger() };
        let answered = async {
            let question = question(page, request.uri().query(), Timestamp::now())?;
            metering.ask(Asker::Operator, question, &catalog).await
        };
        reports::response(answered.await, true, None)
    }

    /// Books credit that was paid for, once for each id.
    pub(super) async fn credit(&self, request: Request<Body>) -> Response<Body> {
        let Some((metering, catalog)) = self.books() else { return no_ledger() };
        // A page of another origin cannot send this type without being asked first, which nobody answers.
        let is_json = |value: &HeaderValue| {
            let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        };
        if !request.headers().get(header::CONTENT_TYPE).is_some_and(is_json) {
            let detail = "a top-up is sent as application/json";
            return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail);
        }
        let Ok((body, _)) = request.into_body().collect_bounded(MOST_BODY).await else {
            let detail =
                format!("a top-up is an object of at most {MOST_BODY} bytes, and has to arrive whole");
            return problem(StatusCode::BAD_REQUEST, "invalid-body", &detail);
        };
        let written: WrittenTopUp = match serde_json::from_slice(&body) {
            Ok(written) => written,
            Err(error) => {
                let detail = format!(
                    "expected is {{\"id\": ..., \"consumer\": ..., \"amount\": \"50.00\", \"expires\": ...}}: {error}"
                );
                return problem(StatusCode::BAD_REQUEST, "invalid-body", &detail);
            }
        };
        let top_up = match report::top_up(&written, &catalog, Timestamp::now()) {
            Ok(top_up) => top_up,
            Err(refused) => return reports::response(Err(refused), true, None),
        };
        match metering.top_up(top_up).await {
            Ok(fresh) => {
                tracing::info!(
                    id = written.id,
                    consumer = written.consumer,
                    amount = written.amount,
                    fresh,
                    "a top-up was asked for"
                );
                let status = if fresh { StatusCode::CREATED } else { StatusCode::OK };
                let result = if fresh { "booked" } else { "known" };
                json_page(status, &json!({ "id": written.id, "result": result }))
            }
            Err(refused) => reports::response(Err(refused), true, None),
        }
    }

    pub(super) fn ledger(&self) -> Response<Body> {
        match self.state.borrow().ledger_json() {
            Some(document) => json_page(StatusCode::OK, &document),
            None => no_ledger(),
        }
    }

    /// What is asked, and what is configured now.
    fn books(&self) -> Option<(Arc<Metering>, Arc<Catalog>)> {
        let state = self.state.borrow();
        let metering = Arc::clone(state.metering()?);
        let catalog = Arc::clone(state.snapshot.as_ref()?.tariff.catalog());
        Some((metering, catalog))
    }
}

fn question(page: ReportPage, query: Option<&str>, now: Timestamp) -> Result<Question, Refused> {
    match page {
        ReportPage::Usage => Question::usage(&Parameters::of_query(query, Parameters::USAGE)?, now),
        ReportPage::Balance => Question::balance(&Parameters::of_query(query, Parameters::BALANCE)?),
        ReportPage::Invoice => Question::invoice(&Parameters::of_query(query, Parameters::INVOICE)?, now),
    }
}

fn no_ledger() -> Response<Body> {
    let detail = "nothing is metered: the configuration the gateway was started with has no ledger";
    problem(StatusCode::NOT_FOUND, "no-ledger", detail)
}
