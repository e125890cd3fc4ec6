//! What stands between a browser and a gRPC service.

use serde_json::Value;

use crate::harness::library::Library;
use crate::harness::{Gateway, Setup, config};

/// A gateway with the three steps that a browser needs.
#[track_caller]
pub(super) fn gateway(library: &Library) -> Gateway {
    let origins = "config = { origins = [\"https://shop.example\"], methods = [\"GET\", \"POST\"], headers = [\"content-type\", \
                   \"x-grpc-web\", \"x-user-agent\", \"grpc-timeout\", \"connect-protocol-version\", \"connect-timeout-ms\", \
                   \"x-say\", \"x-say-bin\"], expose = [\"x-said\", \"x-said-bin\"] }";
    let set = "config = { descriptors = \"${asset:library.binpb}\", get = [\"library.v1.Library/GetBook\"] }";
    let text = config::plugin("cors", origins)
        + &config::plugin("grpc-web", "")
        + &config::plugin("connect", set)
        + &library.upstream()
        + "[routes.all]\nsteps = [\"cors\", \"grpc-web\", \"connect\"]\nto = \"service\"\n";
    let mut setup = Setup::new().file("library.binpb", Library::descriptors());
    for name in ["cors", "grpc-web", "connect"] {
        setup = setup.plugin(name, crate::harness::plugin(name));
    }
    setup.start(&text)
}

/// A browser asks before it sends what these clients send, and is allowed to.
#[track_caller]
pub(super) fn may_send(gateway: &Gateway, asked: &Value) {
    let words: Vec<_> = asked["sent"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let (methods, headers): (Vec<_>, Vec<_>) =
        words.into_iter().partition(|word| word.chars().all(char::is_uppercase));
    assert!(methods.contains(&"POST") && headers.contains(&"x-say"), "{asked}");
    // Which needs no permission.
    let headers: Vec<_> = headers.into_iter().filter(|header| *header != "accept").collect();
    for method in methods {
        let path = "/library.v1.Library/GetBook";
        let fields = [
            ("origin", "https://shop.example"),
            ("access-control-request-method", method),
            ("access-control-request-headers", &headers.join(",")),
        ];
        let answer = gateway.connect().request("OPTIONS", path, &fields, b"").expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
        let allowed = answer.header("access-control-allow-headers").expect("they are told");
        let is_allowed = |header: &&str| allowed.split(',').any(|name| name.trim() == *header);
        assert!(headers.iter().all(is_allowed), "{headers:?} of {allowed}");
    }
}
