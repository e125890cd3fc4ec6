//! Phases, bodies and values that live from one phase to the next.

use sluice_sdk::prelude::*;
use sluice_sdk_testing::{Harness, Request as TestRequest, Response as TestResponse, json};

#[derive(Deserialize, JsonSchema)]
struct NoConfig {}

struct Bodies;

const SIZE: Value<usize> = Value::step("size");

#[plugin(capabilities(log))]
impl Plugin for Bodies {
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        ctx.set(&SIZE, &body.len())?;
        if body.text()? == "stop" {
            return Ok(Verdict::respond(
                Reply::json(202, &["stopped"])?.header("x-size", body.len().to_string()),
            ));
        }
        request.headers_mut().set("x-size", body.len().to_string())?;
        body.set(body.text()?.to_uppercase())?;
        Ok(Verdict::Continue)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<()> {
        if chunk.is_last() {
            ensure!(chunk.is_empty(), "the last chunk has nothing in it");
            return chunk.set(format!("(asked {})", ctx.get(&SIZE)?.unwrap_or_default()));
        }
        let bytes = chunk.bytes()?;
        chunk.set([b"<", bytes.as_slice(), b">"].concat())
    }

    fn on_complete(&self, outcome: &Outcome, ctx: &mut Context) -> Result<()> {
        info!("{} after {} bytes of {}", outcome.status, outcome.response_bytes, ctx.path());
        Ok(())
    }
}

#[test]
fn a_body_is_seen_whole_or_chunk_by_chunk() {
    let plugin = Harness::<Bodies>::new(json!({})).start().unwrap();
    let mut exchange = plugin.send(TestRequest::post("/a").with_chunks(["hel", "lo"]));
    assert_eq!(exchange.forwarded().text(), "HELLO");
    assert_eq!(exchange.forwarded().header("x-size"), Some("5"));
    let response = exchange.respond(TestResponse::new(200).with_chunks(["one", "two"]));
    assert_eq!(response.text(), "<one><two>(asked 5)");
    exchange.complete(Outcome {
        status: 200,
        finished: true,
        request_bytes: 5,
        response_bytes: 18,
        duration_us: 1000,
        upstream_us: 500,
    });
    assert_eq!(exchange.logs(), [("info", "200 after 18 bytes of /a")]);
}

#[test]
fn a_body_may_be_answered() {
    let plugin = Harness::<Bodies>::new(json!({})).start().unwrap();
    let answer = plugin.send(TestRequest::post("/").with_body("stop")).answer();
    assert_eq!((answer.status(), answer.text().as_str()), (202, "[\"stopped\"]"));
    assert_eq!(
        (answer.header("content-type"), answer.header("x-size")),
        (Some("application/json"), Some("4"))
    );
}

#[test]
fn a_response_without_a_body_has_no_body_phase() {
    let plugin = Harness::<Bodies>::new(json!({})).start().unwrap();
    let response = plugin.send(TestRequest::new("HEAD", "/")).respond(TestResponse::new(200));
    assert_eq!(response.text(), "");
    let response = plugin.send(TestRequest::get("/")).respond(TestResponse::new(304));
    assert_eq!(response.text(), "");
}

#[test]
fn exchanges_do_not_meet() {
    let plugin = Harness::<Bodies>::new(json!({})).start().unwrap();
    let mut first = plugin.send(TestRequest::post("/").with_body("1"));
    let mut second = plugin.send(TestRequest::post("/").with_body("22"));
    assert_eq!(first.respond(TestResponse::new(200)).text(), "(asked 1)");
    assert_eq!(second.respond(TestResponse::new(200)).text(), "(asked 2)");
}

#[test]
fn the_descriptor_names_what_is_written() {
    let plugin = Harness::<Bodies>::new(json!({})).start().unwrap();
    let descriptor = plugin.descriptor();
    assert_eq!(
        descriptor.phases.iter().map(|phase| phase.name()).collect::<Vec<_>>(),
        ["request_body", "response_chunk", "complete"]
    );
    assert_eq!((descriptor.name.as_str(), descriptor.abi), ("sluice-sdk-testing", 1));
    assert_eq!(descriptor.capabilities, ["log"]);
    assert_eq!(descriptor.config_schema["type"], "object");
}

/// What breaks the rules, by the path that is asked for.
struct Unruly {
    seen: std::cell::Cell<u32>,
}

#[plugin(name = "unruly", description = "Breaks rules.")]
impl Plugin for Unruly {
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self { seen: std::cell::Cell::new(0) })
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        self.seen.set(self.seen.get() + 1);
        let mut headers = request.headers_mut();
        match ctx.path().as_str() {
            "/panic" => panic!("as asked by {}", ctx.client_address()),
            "/fail" => bail!("no reason"),
            "/number" => drop("x".parse::<u32>().context("the number")?),
            "/count" => headers.set("x-seen", self.seen.get().to_string())?,
            "/framing" => headers.set("content-length", "1")?,
            "/smuggle" => headers.set("x-a", "b\r\nx-c: d")?,
            "/large" => headers.set("x-a", "a".repeat(70_000))?,
            "/status" => return Ok(Verdict::respond(Reply::new(101))),
            "/undeclared" => drop(store::get("a")?),
            "/loop" => while headers.contains("x-endless") {},
            _ => {}
        }
        Ok(Verdict::Continue)
    }
}

fn unruly(path: &str) -> (Option<String>, Option<String>) {
    let plugin = Harness::<Unruly>::new(json!({})).start().expect("it has no configuration");
    let exchange = plugin.send(TestRequest::get(path).with_header("x-endless", "1"));
    (exchange.failure().map(str::to_owned), exchange.fault().map(str::to_owned))
}

#[test]
fn failures_and_faults_say_what_happened() {
    for (path, failure) in [
        ("/fail", "no reason"),
        ("/number", "the number: invalid digit found in string"),
        ("/framing", "set header `content-length`: the plugin was not granted this"),
        ("/smuggle", "set header `x-a`: not valid"),
        ("/large", "set header `x-a`: over a limit of this plugin"),
        ("/status", "answer: not valid"),
    ] {
        assert_eq!(unruly(path), (Some(failure.to_owned()), None), "{path}");
    }
    for (path, fault) in [
        ("/panic", "as asked by 192.0.2.1"),
        ("/undeclared", "capabilities(store)"),
        ("/loop", "more than 10000 host calls"),
    ] {
        let (failure, found) = unruly(path);
        assert!(
            failure.is_none() && found.as_ref().is_some_and(|found| found.contains(fault)),
            "{path}: {found:?}"
        );
    }
}

#[test]
fn instances_take_turns_and_a_fault_takes_one() {
    let plugin = Harness::<Unruly>::new(json!({})).start().unwrap();
    let seen = |path: &str| {
        let exchange = plugin.send(TestRequest::get(path));
        exchange.is_forwarded().then(|| exchange.forwarded().header("x-seen").map(str::to_owned)).flatten()
    };
    assert_eq!(["/count", "/count", "/count"].map(seen), ["1", "1", "2"].map(|seen| Some(seen.to_owned())));
    assert_eq!(seen("/panic"), None);
    assert_eq!(["/count", "/count"].map(seen), ["3", "1"].map(|seen| Some(seen.to_owned())));
}

/// Counts what it sees in itself, which only an instance of its own allows.
struct Alone {
    seen: std::cell::Cell<usize>,
}

mod alone {
    use super::*;

    #[plugin(name = "alone", isolation = "exchange", dispensable)]
    impl Plugin for Alone {
        type Config = NoConfig;

        fn new(_: NoConfig) -> Result<Self> {
            Ok(Self { seen: std::cell::Cell::new(0) })
        }

        fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
            if request.headers().contains("x-skip") {
                ctx.skip_body();
            }
            Ok(Verdict::Continue)
        }

        fn on_request_chunk(&self, chunk: &mut Chunk, _: &mut Context) -> Result<Verdict> {
            self.seen.set(self.seen.get() + chunk.len());
            if self.seen.get() > 8 {
                return Ok(Problem::content_too_large("8 bytes are enough").into());
            }
            Ok(Verdict::Continue)
        }
    }
}

#[test]
fn an_exchange_may_have_an_instance_of_its_own() {
    let plugin = Harness::<Alone>::new(json!({})).start().unwrap();
    let descriptor = plugin.descriptor();
    assert_eq!((descriptor.isolation, descriptor.dispensable), (sluice_sdk::Isolation::Exchange, true));
    let first = plugin.send(TestRequest::post("/").with_chunks(["one", "two"]));
    let second = plugin.send(TestRequest::post("/").with_chunks(["three", "four"]));
    assert_eq!(first.forwarded().text(), "onetwo");
    assert_eq!(second.answer().status(), 413);
}

#[test]
fn a_body_that_is_skipped_passes_unseen() {
    let plugin = Harness::<Alone>::new(json!({})).start().unwrap();
    let request = TestRequest::post("/").with_header("x-skip", "1").with_body("more than eight bytes");
    assert_eq!(plugin.send(request).forwarded().text(), "more than eight bytes");
}

/// Takes a body as it is told to.
struct Either(EitherConfig);

#[derive(Clone, Copy, Deserialize, JsonSchema)]
struct EitherConfig {
    whole: bool,
    chunks: bool,
}

#[plugin(name = "either")]
impl Plugin for Either {
    type Config = EitherConfig;

    fn new(config: EitherConfig) -> Result<Self> {
        Ok(Self(config))
    }

    fn skips(&self, phase: Phase) -> bool {
        match phase {
            Phase::RequestBody => !self.0.whole,
            Phase::RequestChunk => !self.0.chunks,
            _ => false,
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        match request.headers().get("x-mode") {
            Some(mode) if mode.as_bytes() == b"whole" => ctx.body_mode(BodyMode::Whole),
            Some(_) => ctx.body_mode(BodyMode::Skip),
            None => {}
        }
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, _: &mut Request, body: &mut Body, _: &mut Context) -> Result<Verdict> {
        body.set("whole")?;
        Ok(Verdict::Continue)
    }

    fn on_request_chunk(&self, chunk: &mut Chunk, _: &mut Context) -> Result<Verdict> {
        if !chunk.is_last() {
            chunk.set("chunk")?;
        }
        Ok(Verdict::Continue)
    }
}

#[test]
fn a_configuration_chooses_how_a_body_is_taken() {
    let started = |whole, chunks| {
        Harness::<Either>::new(json!({ "whole": whole, "chunks": chunks }))
            .start()
            .map_err(|error| error.message)
    };
    for (whole, chunks, expected) in [(true, false, "whole"), (false, true, "chunk"), (false, false, "body")]
    {
        let plugin = started(whole, chunks).unwrap();
        let exchange = plugin.send(TestRequest::post("/").with_body("body"));
        assert_eq!(exchange.forwarded().text(), expected);
    }
    // Unless it says otherwise, one that could take it either way takes it in chunks.
    let plugin = started(true, true).unwrap();
    assert_eq!(plugin.send(TestRequest::post("/").with_body("body")).forwarded().text(), "chunk");
    let whole = TestRequest::post("/").with_header("x-mode", "whole").with_body("body");
    assert_eq!(plugin.send(whole.clone()).forwarded().text(), "whole");
    let skipped = TestRequest::post("/").with_header("x-mode", "skip").with_body("body");
    assert_eq!(plugin.send(skipped).forwarded().text(), "body");
    // A phase that the configuration leaves out cannot be chosen.
    let plugin = started(false, true).unwrap();
    assert!(plugin.send(whole).fault().unwrap().contains("say how the body is taken"));
}

/// Takes words apart that are ended by a dot, one in each call.
struct Words(Vec<u8>);

#[derive(Deserialize, JsonSchema)]
struct WordsConfig {
    end: Asset,
}

#[plugin(name = "words")]
impl Plugin for Words {
    type Config = WordsConfig;

    fn new(config: WordsConfig) -> Result<Self> {
        Ok(Self(config.end.bytes()?))
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, _: &mut Context) -> Result<()> {
        let bytes = chunk.bytes()?;
        if let Some(end) = bytes.iter().position(|byte| *byte == b'.') {
            chunk.set([b"<", &bytes[..end], b">"].concat())?;
            return chunk.again(end + 1);
        }
        if !chunk.is_last() {
            return if bytes.is_empty() { Ok(()) } else { chunk.hold(0, bytes.len() + 1) };
        }
        let sum = chunk.trailers().get("x-sum").map(|sum| sum.as_bytes().to_vec()).unwrap_or_default();
        chunk.trailers_mut().set("x-length", sum.len().to_string())?;
        chunk.set([&bytes, self.0.as_slice()].concat())
    }
}

#[test]
fn the_host_keeps_what_a_plugin_holds_and_calls_it_again() {
    let plugin =
        Harness::<Words>::new(json!({ "end": "asset:end" })).asset("end", [b'!', 0xff]).start().unwrap();
    for cuts in
        [&["one.two.thr", "ee.f", "our"][..], &["one", ".", "two.three.four"], &["one.two.three.four"]]
    {
        let mut exchange = plugin.send(TestRequest::get("/"));
        let response = TestResponse::new(200).with_chunks(cuts).with_trailer("x-sum", "abc");
        let response = exchange.respond(response);
        assert_eq!(response.body(), b"<one><two><three>four!\xff", "{cuts:?}");
        assert_eq!(response.chunks().len(), 4, "each call's bytes go on by themselves");
        assert_eq!((response.trailer("x-sum"), response.trailer("x-length")), (Some("abc"), Some("3")));
    }
    let refused = Harness::<Words>::new(json!({ "end": "asset:none" })).start().err().unwrap();
    assert!(refused.message.contains("find an asset"), "{}", refused.message);
}

/// Writes first, and decides then, by what a body says.
struct Hasty;

#[plugin]
impl Plugin for Hasty {
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn on_request_chunk(&self, chunk: &mut Chunk, _: &mut Context) -> Result<Verdict> {
        let bytes = chunk.bytes()?;
        chunk.set("written")?;
        Ok(if bytes == b"no" { Problem::bad_request("no").into() } else { Verdict::Continue })
    }

    fn on_response(&self, response: &mut Response, _: &mut Context) -> Result<Verdict> {
        response.headers_mut().set("x-written", "yes")?;
        ensure!(response.status() != 500, "as the status says");
        Ok(Verdict::Continue)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, _: &mut Context) -> Result<()> {
        let bytes = chunk.bytes()?;
        chunk.set([&bytes[..], b"!"].concat())?;
        if bytes == b"hold" {
            chunk.hold(1, 100)?;
        }
        if chunk.is_last() {
            chunk.trailers_mut().set("x-written", "yes")?;
        }
        assert_ne!(bytes, b"panic", "as the chunk says");
        ensure!(!bytes.ends_with(b"fail") && !bytes.is_empty(), "as the chunk says");
        Ok(())
    }
}

#[test]
fn what_a_failed_call_has_written_is_nowhere() {
    let plugin = Harness::<Hasty>::new(json!({})).start().unwrap();
    let respond = |chunks: &[&str]| {
        let mut exchange = plugin.send(TestRequest::get("/"));
        let response = TestResponse::new(200).with_chunks(chunks).with_trailer("x-late", "l");
        let response = exchange.respond(response);
        assert!(exchange.failure().or(exchange.fault()).is_some_and(|told| told.contains("as the chunk")));
        assert_eq!(response.header("x-written"), Some("yes"));
        assert!(response.is_cut_off());
        assert_eq!((response.trailer("x-late"), response.trailer("x-written")), (None, None));
        response.text()
    };
    assert_eq!(respond(&["a", "fail", "b"]), "a!");
    assert_eq!(respond(&["a", "panic", "b"]), "a!");
    assert_eq!(respond(&["a", "b"]), "a!b!", "the last has failed");
    assert_eq!(respond(&["hold", "fail"]), "hold!", "what was held is gone with it");

    let mut exchange = plugin.send(TestRequest::get("/"));
    let response = exchange.respond(TestResponse::new(500).with_body("a"));
    assert_eq!((response.header("x-written"), response.text().as_str()), (None, "a"));

    let mut exchange = plugin.send(TestRequest::post("/"));
    assert_eq!(exchange.send_piece("yes"), b"written");
    assert_eq!(exchange.send_piece("no"), b"");
    assert_eq!(exchange.answer().status(), 400);
}
