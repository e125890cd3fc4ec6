//! Meters in the world of a test: what a plugin records, and what it is refused.

use std::time::Duration as StdDuration;

use sluice_sdk::Code;
use sluice_sdk::prelude::*;
use sluice_sdk_testing::{
    Aggregation, Consumer as TestConsumer, Harness, Meter as TestMeter, Refused, Request as TestRequest,
    Response as TestResponse, TestPlugin, json,
};

/// Does as the head says, and tells what came of it.
struct Clerk {
    meter: Meter,
}

#[derive(Deserialize, JsonSchema)]
struct Config {
    meter: String,
    #[serde(default)]
    dimension: Option<String>,
}

impl Clerk {
    fn run(&self, orders: Option<HeaderValue>) -> Result<String> {
        let Some(orders) = orders else { return Ok(String::new()) };
        let mut done = Vec::new();
        for order in orders.to_str()?.split(';') {
            let (what, with) = order.split_once(' ').unwrap_or((order, ""));
            let result = match what {
                "add" => self.meter.add(with.parse()?),
                "decimal" => self.meter.add_decimal(with),
                "seen" => self.meter.seen(with),
                "measure" => self.meter.measure(Measure::ResponseBytes),
                "expect" => self.meter.expect(with.parse()?),
                "dimension" => self.meter.dimension("model", with),
                "unknown" => self.meter.dimension("colour", with),
                "cancel" => self.meter.cancel(),
                "open" => Meter::named(with).map(drop),
                other => bail!("{other} is no order"),
            };
            done.push(result.err().map_or_else(|| "ok".to_owned(), |error| format!("{:?}", error.code())));
        }
        Ok(done.join(";"))
    }
}

#[plugin(name = "clerk", capabilities(meter))]
impl Plugin for Clerk {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let meter = Meter::named(&config.meter)?;
        if let Some(dimension) = config.dimension {
            ensure!(meter.has_dimension(&dimension)?, "`{}` has no `{dimension}`", meter.name());
        }
        Ok(Self { meter })
    }

    fn on_request(&self, request: &mut Request, _: &mut Context) -> Result<Verdict> {
        let done = self.run(request.headers().get("orders"))?;
        request.headers_mut().set("done", done)?;
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, _: &mut Context) -> Result<Verdict> {
        let done = self.run(response.headers().get("orders"))?;
        response.headers_mut().set("done", done)?;
        Ok(Verdict::Continue)
    }

    fn on_complete(&self, _: &Outcome, _: &mut Context) -> Result<()> {
        let refused = [self.meter.add(1), self.meter.cancel(), self.meter.measure(Measure::One)];
        let is_late = |done: Result<()>| done.err().and_then(|error| error.code()) == Some(Code::WrongPhase);
        ensure!(refused.into_iter().all(is_late), "it is too late");
        Ok(())
    }
}

fn clerk(meter: impl Into<TestMeter>) -> TestPlugin {
    Harness::<Clerk>::new(json!({ "meter": "it" })).meter("it", meter).start().expect("there is such a meter")
}

fn refused(config: sluice_sdk_testing::Value) -> Refused {
    let meter = TestMeter::new(Aggregation::Sum).dimension("model");
    Harness::<Clerk>::new(config).meter("it", meter).start().expect_err("it is a mistake")
}

#[test]
fn an_unknown_meter_or_dimension_is_a_mistake_in_the_configuration() {
    assert_eq!(
        refused(json!({ "meter": "tokns" })).message,
        "there is no meter `tokns`: declare it in `[meters]`"
    );
    let refused = refused(json!({ "meter": "it", "dimension": "modal" }));
    assert_eq!(refused.message, "`it` has no `modal`");
    let meter = TestMeter::new(Aggregation::Sum).dimension("model");
    let config = json!({ "meter": "it", "dimension": "model" });
    assert!(Harness::<Clerk>::new(config).meter("it", meter).start().is_ok());
}

#[test]
fn an_exchange_adds_up_from_phase_to_phase() {
    let plugin = clerk(TestMeter::new(Aggregation::Sum).decimals(2).dimension("model"));
    let orders = "expect 700;decimal 1.255;add 4;dimension a;dimension b;measure;unknown c;decimal x";
    let mut exchange = plugin.send(TestRequest::get("/").with_header("orders", orders));
    let done = exchange.forwarded().header("done").unwrap();
    assert_eq!(done, "ok;ok;ok;ok;ok;ok;Some(None);Some(Invalid)");
    let response = TestResponse::new(200).with_header("orders", "add 10;add -1;expect 5;seen a;open it");
    let told = exchange.respond(response);
    assert_eq!(told.header("done"), Some("ok;Some(Invalid);Some(WrongPhase);Some(Invalid);Some(WrongPhase)"));
    let recorded = exchange.recorded("it");
    assert_eq!((recorded.value, recorded.expected), (Some(126 + 4 + 10), Some(700)));
    assert_eq!(recorded.measures, [Measure::ResponseBytes]);
    assert_eq!(recorded.dimensions, [("model".to_owned(), "b".to_owned())]);
    let outcome = Outcome {
        status: 200,
        finished: true,
        request_bytes: 0,
        response_bytes: 0,
        duration_us: 1,
        upstream_us: 0,
    };
    exchange.complete(outcome);
    assert_eq!(exchange.failure(), None);
    assert_eq!(exchange.metered("it"), Some(140));
    assert_eq!(exchange.metered("other"), None);
    // Another exchange has its own.
    assert!(plugin.send(TestRequest::get("/")).recorded("it").is_empty());
}

#[test]
fn what_is_cancelled_does_not_count_and_what_follows_does() {
    let plugin = clerk(Aggregation::Count);
    let mut exchange = plugin.send(TestRequest::get("/").with_header("orders", "add 3;measure"));
    exchange.respond(TestResponse::new(200).with_header("orders", "cancel"));
    assert!(exchange.recorded("it").is_empty());
    let mut exchange = plugin.send(TestRequest::get("/").with_header("orders", "add 3"));
    exchange.respond(TestResponse::new(200).with_header("orders", "cancel;add 2"));
    assert_eq!(exchange.metered("it"), Some(2));
}

#[test]
fn other_aggregations() {
    for (aggregation, orders, value, subject) in [
        (Aggregation::Max, "add 3;add 9;add 4", Some(9), None),
        (Aggregation::Latest, "add 3;add 9;add 4", Some(4), None),
        (Aggregation::Unique, "seen a;seen b", None, Some("b")),
    ] {
        let exchange_of = clerk(aggregation);
        let exchange = exchange_of.send(TestRequest::get("/").with_header("orders", orders));
        let recorded = exchange.recorded("it");
        assert_eq!((recorded.value, recorded.subject.as_deref()), (value, subject));
    }
}

/// Tells the consumer's plan.
struct Plans;

#[derive(Deserialize, JsonSchema)]
struct NoConfig {}

#[plugin(name = "plans")]
impl Plugin for Plans {
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let consumer = ctx.consumer().context("somebody")?;
        let limits: Vec<_> = consumer.limits.iter().map(|limit| (limit.quota, limit.window_ms)).collect();
        request.headers_mut().set("told", format!("{:?} {limits:?}", consumer.plan))?;
        Ok(Verdict::Continue)
    }
}

#[test]
fn a_consumer_tells_its_plan() {
    let limits = [(100, StdDuration::from_secs(60)), (5, StdDuration::from_millis(250))];
    let plugin = Harness::<Plans>::new(json!({}))
        .consumer(TestConsumer::new("acme").plan("pro", &limits))
        .consumer(TestConsumer::new("bolt"))
        .start()
        .unwrap();
    for (name, told) in [("acme", "Some(\"pro\") [(100, 60000), (5, 250)]"), ("bolt", "None []")] {
        let exchange = plugin.send(TestRequest::get("/").consumer(name));
        assert_eq!(exchange.forwarded().header("told"), Some(told));
    }
}
