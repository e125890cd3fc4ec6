//! Pieces of `gateway.toml` that tests repeat.

use std::fmt::Display;

/// `[upstreams.<name>]` with one target.
pub(crate) fn upstream(name: &str, address: impl Display) -> String {
    format!("[upstreams.{name}]\ntargets = [{{ url = \"http://{address}\" }}]\n")
}

/// One upstream `service` and one route `all` to it, with these steps.
pub(crate) fn service(address: impl Display, steps: &[&str]) -> String {
    upstream("service", address) + &route("all", "/**", steps)
}

/// `[routes.<name>]` to `service`, with these steps.
pub(crate) fn route(name: &str, path: &str, steps: &[&str]) -> String {
    format!("[routes.{name}]\nmatch = {{ path = \"{path}\" }}\nsteps = {steps:?}\nto = \"service\"\n")
}

/// `[plugins.<name>]` from `plugins/<name>.wasm`, with further lines.
pub(crate) fn plugin(name: &str, more: &str) -> String {
    format!("[plugins.{name}]\nmodule = \"plugins/{name}.wasm\"\n{more}\n")
}
