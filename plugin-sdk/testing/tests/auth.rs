//! How those who are let in reach the upstream and later steps.

use sluice_sdk::prelude::*;
use sluice_sdk_testing::{Consumer as TestConsumer, Harness, Request as TestRequest, TestPlugin, json};

/// Several authenticating steps in one.
#[derive(Deserialize, JsonSchema)]
struct Steps {
    /// Consumers; an empty one is a step that recognises somebody who is none, one in brackets lets them in who show nothing.
    found: Vec<String>,
}

struct Authenticates(Steps);

#[plugin(capabilities(consumers))]
impl Plugin for Authenticates {
    type Config = Steps;

    fn new(config: Steps) -> Result<Self> {
        Ok(Self(config))
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        for (number, name) in self.0.found.iter().enumerate() {
            let method = format!("step-{number}");
            match name.strip_prefix('(').and_then(|name| name.strip_suffix(')')) {
                Some(anonymous) => auth::admit_anonymous(request, ctx, &method, anonymous)?,
                None => {
                    let found = consumers::identify(consumers::Identity::Name, name)?;
                    auth::admit(request, ctx, &method, found)?;
                }
            }
        }
        if let Some(auth::Method { name, anonymous, others }) = ctx.get(&auth::METHOD)? {
            request.headers_mut().set("x-method", format!("{name} {anonymous} {others}"))?;
        }
        Ok(Verdict::Continue)
    }
}

fn steps(found: &[&str]) -> TestPlugin {
    let names = ["acme", "bolt", "guest"];
    let world = Harness::<Authenticates>::new(json!({ "found": found }));
    let world = names.into_iter().fold(world, |world, name| world.consumer(TestConsumer::new(name)));
    world.start().expect("the configuration is good")
}

/// The consumer, what the upstream is told of it, and how later steps learn of it.
#[track_caller]
fn check(found: &[&str], request: TestRequest, consumer: Option<&str>, method: &str) {
    let plugin = steps(found);
    let forged = request.with_header("x-consumer-username", "evil").with_header("x-consumer-groups", "evil");
    let exchange = plugin.send(forged.with_header("x-anonymous-consumer", "evil"));
    let told = exchange.forwarded();
    let is_anonymous = method.contains(" true ").then_some("true");
    assert_eq!((exchange.consumer(), told.header("x-consumer-username")), (consumer, consumer), "{found:?}");
    assert_eq!((told.header("x-anonymous-consumer"), told.header("x-consumer-groups")), (is_anonymous, None));
    assert_eq!(told.header("x-method"), Some(method), "{found:?}");
}

#[test]
fn who_is_let_in_is_known_to_the_upstream_and_to_later_steps() {
    for (found, consumer, method) in [
        (&["acme"][..], Some("acme"), "step-0 false false"),
        (&[""], None, "step-0 false true"),
        (&["(guest)"], Some("guest"), "step-0 true false"),
        (&["acme", "acme"], Some("acme"), "step-1 false false"),
        (&["acme", "bolt"], Some("bolt"), "step-1 false true"),
        (&["acme", "bolt", "bolt"], Some("bolt"), "step-2 false true"),
        (&["acme", ""], Some("acme"), "step-1 false true"),
        (&["", "acme"], Some("acme"), "step-1 false true"),
        (&["(guest)", "acme"], Some("acme"), "step-1 false false"),
        (&["(guest)", "", ""], Some("guest"), "step-2 true true"),
        (&["acme", "(guest)"], Some("guest"), "step-1 true true"),
        (&["", "(guest)"], Some("guest"), "step-1 true true"),
        (&["(guest)", "(guest)"], Some("guest"), "step-1 true false"),
    ] {
        check(found, TestRequest::get("/"), consumer, method);
    }
}

#[test]
fn a_consumer_that_another_step_has_set_stays() {
    let request = || TestRequest::get("/").consumer("acme");
    check(&[""], request(), Some("acme"), "step-0 false true");
    check(&["acme"], request(), Some("acme"), "step-0 false false");
    check(&["bolt"], request(), Some("bolt"), "step-0 false true");
}
