//! What a plugin is granted: store, clock, randomness, crypto, fetches, consumers.

use std::time::Duration as StdDuration;

use sluice_sdk::crypto::{Digest, Key};
use sluice_sdk::prelude::*;
use sluice_sdk_testing::{
    Consumer as TestConsumer, Harness, Request as TestRequest, Response as TestResponse, TestPlugin, json,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    secret: String,
    #[serde(default = "ttl")]
    ttl: Duration,
    #[serde(default)]
    methods: Vec<Method>,
    #[serde(default = "room")]
    room: Size,
}

fn room() -> Size {
    Size::from_bytes(1024)
}

fn ttl() -> Duration {
    Duration::from_secs(5)
}

struct Everything {
    config: Config,
    key: Key,
}

#[plugin(capabilities(store, clock, random, crypto, secret, fetch, consumers, log))]
impl Plugin for Everything {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let key = Key::secret(&config.secret)?;
        Ok(Self { config, key })
    }

    fn self_test(&self) -> Result<()> {
        ensure!(self.config.methods.first() != Some(&Method::Trace), "TRACE is not for us");
        Ok(())
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let reply = match request.path().as_str() {
            "/count" => store::add("count", 2, Some(self.config.ttl.get()))?.to_string(),
            "/set" => {
                let value = request.query().unwrap_or_default();
                ensure!(value.len() as u64 <= self.config.room.bytes(), "there is no room");
                store::set("value", value, None)?;
                store::delete("nothing")?;
                format!("{:?}", store::get("value")?)
            }
            "/cache" => {
                let led = store::lead("cached", self.config.ttl.get(), StdDuration::ZERO)?;
                let before = store::get("cached")?.is_some();
                store::set_evictable("cached", "made", Some(self.config.ttl.get()))?;
                let late = store::lead("cached", self.config.ttl.get(), StdDuration::ZERO)?;
                format!(
                    "{before} {} {}",
                    led == store::Lead::Leader,
                    late == store::Lead::Value(b"made".into())
                )
            }
            "/cache/long" => {
                let refused = store::set_evictable("cached", vec![b'v'; (64 << 10) + 1], None);
                format!("{:?}", refused.err().and_then(|error| error.code()))
            }
            "/time" => format!("{:?} {:?}", clock::since_epoch(), clock::monotonic()),
            "/random" => format!("{:x}", random::number()),
            "/digest" => hex(&crypto::digest(Digest::Sha256, "abc")?),
            "/hmac" => {
                let tag = self.key.hmac(Digest::Sha256, "what do ya want for nothing?")?;
                ensure!(
                    self.key.verify_hmac(Digest::Sha256, "what do ya want for nothing?", &tag)?,
                    "it verifies"
                );
                ensure!(!self.key.verify_hmac(Digest::Sha256, "something else", &tag)?, "it does not verify");
                ensure!(crypto::equal("a", "a") && !crypto::equal("a", "b"), "equality");
                hex(&tag)
            }
            "/fetch" => {
                let answers =
                    fetch_all([Fetch::get("people", "/1").header("x-a", "b"), Fetch::get("people", "/2")])?;
                let told = answers.into_iter().map(|answer| match answer {
                    Ok(fetched) => {
                        format!("{} {}", fetched.status(), String::from_utf8_lossy(fetched.body()))
                    }
                    Err(error) => format!("{error} {:?}", error.code()),
                });
                told.collect::<Vec<_>>().join(", ")
            }
            "/who" => {
                let Some(consumer) = consumers::identify_key("k")? else { bail!("nobody") };
                let groups = format!("{} {}", consumer.groups.join("+"), consumer.is_in("gold"));
                ctx.set_consumer(consumer);
                format!("{:?} {:?} {groups}", ctx.consumer(), ctx.consumer_name())
            }
            path => bail!("what is {path}?"),
        };
        debug!("told {}", reply.len());
        Ok(Verdict::respond(Reply::text(200, reply)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn harness() -> Harness<Everything> {
    Harness::new(json!({ "secret": "jefe" })).secret("jefe", "Jefe")
}

fn ask(plugin: &TestPlugin, path: &str) -> String {
    plugin.send(TestRequest::get(path)).answer().text()
}

#[test]
fn the_store_outlives_exchanges_and_forgets_in_time() {
    let plugin = harness().start().unwrap();
    assert_eq!(["/count", "/count"].map(|path| ask(&plugin, path)), ["2", "4"]);
    plugin.advance(StdDuration::from_secs(4));
    assert_eq!(ask(&plugin, "/count"), "6", "an addition does not prolong it");
    plugin.advance(StdDuration::from_secs(1));
    assert_eq!(ask(&plugin, "/count"), "2");
    assert_eq!(ask(&plugin, "/set?ab"), "Some([97, 98])");
}

#[test]
fn what_may_be_dropped_ends_a_lead_and_in_time() {
    let plugin = harness().start().unwrap();
    assert_eq!(["/cache", "/cache"].map(|path| ask(&plugin, path)), ["false true true", "true false true"]);
    plugin.advance(StdDuration::from_secs(5));
    assert_eq!(ask(&plugin, "/cache"), "false true true");
    assert_eq!(ask(&plugin, "/cache/long"), "Some(TooLarge)");
}

#[test]
fn time_stands_still_until_it_is_moved() {
    let plugin = harness().at(1_500).start().unwrap();
    assert_eq!(ask(&plugin, "/time"), "1.5s 0ns");
    plugin.advance(StdDuration::from_millis(250));
    assert_eq!(ask(&plugin, "/time"), "1.75s 250ms");
}

#[test]
fn randomness_comes_from_the_seed() {
    assert_eq!(ask(&harness().seed(0).start().unwrap(), "/random"), "e220a8397b1dcdaf");
}

#[test]
fn digests_and_hmacs_are_those_of_the_standards() {
    let plugin = harness().start().unwrap();
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(ask(&plugin, "/digest"), sha256);
    // RFC 4231, test case 2.
    let hmac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(ask(&plugin, "/hmac"), hmac);
}

#[test]
fn fetches_are_answered_as_the_test_says() {
    let world = harness().fetch("people", "GET", "/1", TestResponse::new(404).with_body("nobody"));
    let plugin = world.fetch_timeout("people", "GET", "/2").start().unwrap();
    let exchange = plugin.send(TestRequest::get("/fetch"));
    let told = "404 nobody, fetch: `people` did not answer in time Some(Timeout)";
    assert_eq!(exchange.answer().text(), told);
    let sent = exchange.fetched();
    assert_eq!((sent.len(), sent[0].path.as_str(), sent[0].headers[0].0.as_str()), (2, "/1", "x-a"));
}

#[test]
fn consumers_are_found_by_their_keys() {
    let plugin =
        harness().consumer(TestConsumer::new("acme").key("k").group("gold").group("eu")).start().unwrap();
    let exchange = plugin.send(TestRequest::get("/who"));
    assert_eq!(exchange.answer().text(), "Some(Consumer(acme)) Some(\"acme\") gold+eu true");
    assert_eq!(exchange.consumer(), Some("acme"));
    assert_eq!(exchange.logs()[0].0, "debug");
    assert_eq!(harness().start().unwrap().send(TestRequest::get("/who")).failure(), Some("nobody"));
}

#[test]
fn a_plugin_is_refused_at_the_stage_that_refuses() {
    use sluice_sdk_testing::protocol::Stage;
    for (config, stage, reason) in [
        (json!({ "secret": "jefe", "ttl": "5 s" }), Stage::Config, ""),
        (json!({ "secret": "jefe", "room": "1TiB" }), Stage::Config, ""),
        (json!({ "secret": "jefe", "other": 1 }), Stage::Config, "other"),
        (json!({ "secret": "none" }), Stage::Config, "none: use a secret: "),
        (json!({ "secret": "jefe", "methods": ["TRACE"] }), Stage::SelfTest, "TRACE is not for us"),
    ] {
        let refused = Harness::<Everything>::new(config.clone()).secret("jefe", "Jefe").start().unwrap_err();
        assert!(refused.stage == stage && refused.message.contains(reason), "{config}: {refused:?}");
    }
}
