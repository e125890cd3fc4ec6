//! Over HTTP: requests to a billing system, each on a connection of its own, so that no late answer is taken for another's.

mod lanes;
mod verdict;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response};
use jiff::Timestamp;

use super::format::{cloudevents, lago, stripe};
use super::outcome::Outcome;
use super::record::Record;
use super::settings::{HttpFormat, HttpTarget};
use lanes::Job;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Events that are sent to Stripe between two looks at what became of them.
const STRIPE_MOST: usize = 100;

type Answering = Pin<Box<dyn Future<Output = Result<Response<Bytes>, String>> + Send>>;

type Exchange = dyn Fn(Request<Bytes>, Duration) -> Answering + Send + Sync;

/// HTTP without knowing how: whoever starts the exports says what sends a request to an absolute URL within a time, and drops the
/// connection of one that is dropped.
#[derive(Clone)]
pub(crate) struct Http(Arc<Exchange>);

impl Http {
    /// An error's text is for the log: it says what went wrong, and nothing that is secret.
    pub(crate) fn new<F>(exchange: impl Fn(Request<Bytes>, Duration) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Response<Bytes>, String>> + Send + 'static,
    {
        Self(Arc::new(move |request, within| Box::pin(exchange(request, within))))
    }

    async fn send(&self, request: Request<Bytes>, within: Duration) -> Result<Response<Bytes>, String> {
        // Who sends it has the same bound; this one holds whatever they do.
        let late = |_| format!("no answer within {within:?}");
        tokio::time::timeout(within, (self.0)(request, within)).await.map_err(late)?
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

/// Sends events to one URL.
#[derive(Debug)]
pub(super) struct HttpSender {
    target: HttpTarget,
    timeout: Duration,
    http: Http,
    /// Answers of Stripe so far that it may have kept for their idempotency key. The next key is another one, or Stripe would go on
    /// answering the same without looking.
    kept_answers: u64,
    /// Tells those keys from the ones of earlier senders, which counted from 0 too.
    nonce: u64,
}

impl HttpSender {
    pub(super) fn new(target: HttpTarget, timeout: Duration, http: Http) -> Self {
        Self { target, timeout, http, kept_answers: 0, nonce: RandomState::new().hash_one(timeout) }
    }

    /// Events that it takes at once.
    pub(super) fn most(&self, batch: usize) -> usize {
        match self.target.format {
            HttpFormat::CloudEvents => batch,
            HttpFormat::Lago => batch.min(lago::MOST),
            HttpFormat::Stripe => batch.min(STRIPE_MOST),
        }
    }

    pub(super) async fn send(&mut self, records: &[Record<'_>], now: Timestamp) -> Outcome {
        let (body, content) = match self.target.format {
            HttpFormat::CloudEvents => (cloudevents::batch(records), cloudevents::BATCH),
            HttpFormat::Lago => (lago::batch(records), "application/json"),
            HttpFormat::Stripe => return self.send_each(records, now).await,
        };
        match self.http.send(self.request(body.into(), content), self.timeout).await {
            Ok(answer) => verdict::of(self.target.format, &answer, records.len(), now),
            Err(reason) => Outcome::later(reason),
        }
    }

    /// To Stripe: one in a request.
    async fn send_each(&mut self, records: &[Record<'_>], now: Timestamp) -> Outcome {
        let jobs = records.iter().map(|record| self.job(record, now)).collect();
        let (outcome, kept) = lanes::run(&self.http, jobs, self.timeout, now).await;
        self.kept_answers += kept;
        outcome
    }

    fn job(&self, record: &Record<'_>, now: Timestamp) -> Job {
        if now.duration_since(record.event.at) > stripe::OLDEST {
            return Job::Dead("it is older than the 35 days that Stripe takes");
        }
        let mut request = self.request(stripe::form(record).into(), "application/x-www-form-urlencoded");
        let mut key = stripe::identifier(&record.id);
        if self.kept_answers > 0 {
            key = format!("{key}.{:016x}.{}", self.nonce, self.kept_answers);
        }
        if let Ok(key) = HeaderValue::from_str(&key) {
            request.headers_mut().insert(IDEMPOTENCY_KEY, key);
        }
        let lane = (record.customer.to_string(), record.event.meter.to_string());
        Job::Send { lane, request: Box::new(request) }
    }

    fn request(&self, body: Bytes, content: &'static str) -> Request<Bytes> {
        let mut request = Request::new(body);
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.target.url.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.1"));
        for (name, value) in &self.target.headers {
            headers.insert(name, value.clone());
        }
        request
    }
}
