//! `examples/api-monetization`, played as its README tells, to the last cent: what is shown there is what is checked here.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::examples::start_in;
use crate::harness::faulty_disk::SetClock;
use crate::harness::metering::Books;
use crate::harness::{Connection, Gateway, Response, Setup, root, wait};

#[allow(dead_code, reason = "`main` is for those who try it by hand")]
#[path = "../../examples/api-monetization/upstream.rs"]
mod upstream;

const FOLDER: &str = "examples/api-monetization";
const QUESTION: &str = "Will it rain in Oslo tomorrow?";

/// The gateway that sells, on a day of the test's.
struct Shop {
    gateway: Gateway,
    clock: SetClock,
    books: Books,
}

impl Shop {
    /// At noon in the middle of a month: neither day nor month ends before the test does.
    fn open() -> Self {
        let (setup, clock) = SetClock::of(Setup::new());
        set(&clock, "2026-11-17T12:00:00Z");
        let upstream = upstream::start().unwrap().to_string();
        let upstreams = HashMap::from([("127.0.0.1:9201", upstream)]);
        let gateway = start_in(setup, FOLDER, "127.0.0.1:8085", "127.0.0.1:9906", &upstreams);
        let books = Books::at(&gateway.path("data/ledger.db"));
        Self { gateway, clock, books }
    }

    fn weather(&self, key: &str) -> Response {
        self.gateway.get_with("/weather/oslo", &[("x-api-key", key)])
    }

    /// The statuses of so many requests.
    fn weathers(&self, key: &str, count: usize) -> Vec<u16> {
        let mut client = self.gateway.connect();
        let mut ask = || client.request("GET", "/weather/oslo", &[("x-api-key", key)], b"").status;
        (0..count).map(|_| ask()).collect()
    }

    fn chat(&self, key: &str, model: &str, stream: bool) -> Response {
        let message = json!({ "role": "user", "content": QUESTION });
        let body = json!({ "model": model, "stream": stream, "messages": [message] }).to_string();
        // As `curl -d` sends it.
        let headers = [("x-api-key", key), ("content-type", "application/x-www-form-urlencoded")];
        self.gateway.connect().request("POST", "/v1/chat/completions", &headers, body.as_bytes())
    }

    /// What a customer is told of itself.
    fn own(&self, key: &str) -> Value {
        self.gateway.get_with("/usage", &[("x-api-key", key)]).expect(200).json()
    }

    fn pay(&self, top_up: &Value) -> Response {
        let json = [("content-type", "application/json")];
        let body = top_up.to_string();
        Connection::open(self.gateway.admin).request("POST", "/credit", &json, body.as_bytes())
    }

    /// What a command of `sluice` writes.
    fn sluice(&self, arguments: &[&str]) -> String {
        let output = self.gateway.command(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn invoice(&self, consumer: &str) -> Value {
        let text = self.sluice(&["invoice", consumer, "--period", "2026-11", "--format", "json"]);
        serde_json::from_str(&text).unwrap()
    }
}

fn set(clock: &SetClock, time: &str) {
    let time: Timestamp = time.parse().unwrap();
    clock.set(time.as_second() - Timestamp::now().as_second());
}

/// What is told of a quota or a rate limit.
fn remaining(answer: &Response, name: &str) -> Option<u64> {
    let name = format!("\"{name}\";r=");
    let field = answer.header_all("ratelimit").into_iter().find_map(|field| field.strip_prefix(&*name))?;
    field.split(';').next()?.parse().ok()
}

/// A line of an invoice: what was used, exactly what it costs, and what is to be paid.
fn line<'a>(invoice: &'a Value, description: &str) -> [&'a str; 3] {
    let lines = invoice["sections"][0]["lines"].as_array().unwrap();
    let line = lines.iter().find(|line| line["description"] == description);
    let line = line.unwrap_or_else(|| panic!("no `{description}` in {invoice:#}"));
    ["quantity", "exact", "amount"].map(|name| line[name].as_str().unwrap_or_default())
}

#[test]
fn the_api_that_is_sold() {
    let shop = Shop::open();
    free_until_the_day_is_used_up(&shop);
    pro_with_a_stream_and_much_else(&shop);
    pay_as_you_go_to_the_last_cent(&shop);
    what_was_used(&shop);
    invoices(&shop);
    the_next_month(&shop);
}

fn free_until_the_day_is_used_up(shop: &Shop) {
    let first = shop.weather("free-key").expect(200);
    assert_eq!(first.json()["city"], "oslo");
    assert_eq!((remaining(&first, "requests-day"), remaining(&first, "1m")), (Some(19), Some(29)));
    assert_eq!(shop.weathers("free-key", 21), [[200; 19].as_slice(), &[429; 2]].concat());
    let refused = shop.weather("free-key");
    // Until midnight: twelve hours less what the test has taken so far.
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((40_000..=43_200).contains(&seconds), "{seconds}");
    let problem = refused.problem(429);
    assert_eq!(problem["type"], "urn:sluice:problem:quota-exceeded");
    assert_eq!((&problem["limit"], &problem["per"]), (&json!("20"), &json!("day")));
    // What does not exist is not charged, and neither is who is nobody.
    shop.gateway.get_with("/weather/", &[("x-api-key", "pro-key")]).expect(404);
    shop.weather("another-key").problem(401);
    assert_eq!((shop.books.sum("free-consumer", "requests"), shop.books.sum("", "requests")), (20, 0));
}

fn pro_with_a_stream_and_much_else(shop: &Shop) {
    let stream = shop.chat("pro-key", "forecast-mini", true).expect(200);
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    // Ten words, an end, the usage that nobody but the gateway asked for, and `[DONE]`.
    let text = stream.text();
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    assert_eq!((events.len(), events[12]), (13, "data: [DONE]"));
    let usage: Value = serde_json::from_str(events[11].strip_prefix("data: ").unwrap()).unwrap();
    // 6 words of the question and 10 of the answer.
    assert_eq!(usage["usage"]["total_tokens"], 16);
    assert_eq!(shop.books.sum("pro-consumer", "tokens"), 16);

    assert_eq!(shop.weathers("pro-key", 1_200), [200; 1_200]);
    // 60,016 tokens each, of which 500 were set aside.
    for count in 1..=20 {
        shop.chat("pro-key", "forecast-deep", false).expect(200);
        assert_eq!(shop.books.sum("pro-consumer", "tokens"), 16 + count * 60_016);
    }
    // What cannot be read cannot be counted, and does not pass.
    let headers = [("x-api-key", "pro-key"), ("content-type", "text/plain")];
    shop.gateway.connect().request("POST", "/v1/chat/completions", &headers, b"{").problem(400);
    assert_eq!(shop.books.sum("pro-consumer", "requests"), 1 + 1_200 + 20);
}

fn pay_as_you_go_to_the_last_cent(shop: &Shop) {
    // A request and 16 tokens: 0.01 + 16 × 0.00005 = 0.0108. While it runs, 500 tokens are set aside: 5 - 0.01 - 0.025 = 4.965.
    let stream = shop.chat("paygo-key", "forecast-mini", true).expect(200);
    assert_eq!(stream.header("x-credit-remaining"), Some("4.96 EUR"));
    // Of 4.9892 there are 498 requests at 0.01, and 0.0092 remain.
    assert_eq!(shop.weathers("paygo-key", 500), [[200; 498].as_slice(), &[402; 2]].concat());
    let problem = shop.weather("paygo-key").problem(402);
    assert_eq!(problem["type"], "urn:sluice:problem:quota-exceeded");
    assert_eq!(shop.own("paygo-key")["credit"]["balance"], "0.0092");

    let top_up = json!({ "id": "payment-1", "consumer": "paygo-consumer", "amount": "10.00" });
    shop.pay(&top_up).expect(201);
    // The bank's notice comes twice, the money once.
    shop.pay(&top_up).expect(200);
    // 0.0092 + 10 - 0.01 = 9.9992.
    let answer = shop.weather("paygo-key").expect(200);
    assert_eq!(answer.header("x-credit-remaining"), Some("9.99 EUR"));
    assert_eq!(shop.own("paygo-key")["credit"]["balance"], "9.9992");
}

fn what_was_used(shop: &Shop) {
    let own = shop.own("pro-key");
    assert_eq!((&own["consumer"], &own["plan"]), (&json!("pro-consumer"), &json!("pro")));
    let rows = own["usage"]["rows"].as_array().unwrap();
    let used = |meter: &str| rows.iter().find(|row| row["meter"] == meter).unwrap()["quantity"].clone();
    assert_eq!((used("requests"), used("tokens")), (json!("1221"), json!("1200336")));
    assert!(rows.iter().all(|row| row["consumer"] == "pro-consumer"), "{own:#}");
    let hard = own["quotas"].as_array().unwrap().iter().find(|quota| quota["kind"] == "hard").unwrap();
    // 2,000,000 - 1,200,336.
    assert_eq!(hard["remaining"], "799664");

    shown(&shop.sluice(&["usage"]));
    shown(&shop.sluice(&["usage", "pro-consumer", "--meter", "tokens", "--group", "model"]));
}

fn invoices(shop: &Shop) {
    let pro = shop.invoice("pro-consumer");
    assert_eq!((&pro["status"], &pro["complete"]), (&json!("preview"), &json!(true)));
    assert_eq!(line(&pro, "Pro"), ["", "49", "49.00"]);
    // 1,221 requests, of which 1,000 are included: 221 × 0.002 = 0.442.
    assert_eq!(line(&pro, "Requests"), ["1221", "0.442", "0.44"]);
    // 1,200,336 tokens, of which 100,000 are included. Of the other 1,100,336: 1,000,000 × 0.00002 + 100,336 × 0.00001
    // = 20 + 1.00336.
    assert_eq!(line(&pro, "Tokens"), ["1200336", "21.00336", "21.00"]);
    // 49.00 + 0.44 + 21.00.
    assert_eq!(pro["due"], json!([{ "currency": "EUR", "amount": "70.44" }]));
    shown(&shop.sluice(&["invoice", "pro-consumer", "--period", "2026-11"]));

    let paygo = shop.invoice("paygo-consumer");
    // The stream, 498, and one after the top-up: 500 × 0.01, and 16 × 0.00005 = 0.0008. All of it was paid: 5.0008.
    assert_eq!(line(&paygo, "Requests"), ["500", "5", "5.00"]);
    assert_eq!(line(&paygo, "Tokens"), ["16", "0.0008", "0.00"]);
    assert_eq!(line(&paygo, "Paid by credit"), ["", "-5.0008", "-5.00"]);
    assert_eq!(paygo["sections"][0]["due"], "0.00");
}

/// Then the invoice is final, free requests are there again, and so is what a month includes.
fn the_next_month(shop: &Shop) {
    set(&shop.clock, "2026-12-01T12:00:00Z");
    let invoice = shop.invoice("pro-consumer");
    assert_eq!((&invoice["status"], &invoice["due"][0]["amount"]), (&json!("final"), &json!("70.44")));
    assert_eq!(remaining(&shop.weather("free-key").expect(200), "requests-day"), Some(19));

    // Beyond a soft quota customers are told so. 17 × 60,016 = 1,020,272.
    for _ in 0..17 {
        shop.chat("pro-key", "forecast-deep", false).expect(200);
    }
    wait::until("the customer is told", || {
        // Slower than the rate limit fills up again, which is 25 a second.
        wait::pause(Duration::from_millis(50));
        let answer = shop.chat("pro-key", "forecast-mini", false).expect(200);
        answer.header("x-quota-passed") == Some("\"tokens-month\"")
    });
    // Beyond a hard one they are refused: as soon as fewer than 500 are left, which is what a request is taken to need.
    let refused = (0..20).find(|_| shop.chat("pro-key", "forecast-deep", false).status == 429);
    assert!(refused.is_some());
    let tokens = shop.books.sum("pro-consumer", "tokens") - 1_200_336;
    assert!((1_999_501..=1_999_500 + 60_016).contains(&tokens), "{tokens}");
    // The weather is another meter's matter, but not at any speed.
    let too_fast = (0..10_000).map(|_| shop.weather("pro-key")).find(|answer| answer.status != 200).unwrap();
    assert_eq!(too_fast.problem(429)["step"], "limit");
}

/// What the README shows, word for word.
#[track_caller]
fn shown(text: &str) {
    let readme = fs::read_to_string(root().join(FOLDER).join("README.md")).unwrap();
    assert!(readme.contains(text.trim_end()), "the README does not show\n{text}");
}
