//! The Pingora peer of the benchmark: a proxy of one worker thread, plain or with the policy in native Rust.
//! `pingora-peer plain|policy LISTEN_PORT ORIGIN_PORT [KEYS_FILE]`

mod arguments;
mod forwarded;
mod keys;
mod plain;
mod policy;

use std::process::ExitCode;

use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::{ProxyHttp, http_proxy_service};

use arguments::{Arguments, Mode};
use plain::Plain;
use policy::Policy;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Arguments::read() {
        Ok(Arguments { mode: Mode::Plain, listen, origin }) => serve(listen, Plain::new(peer(origin))),
        Ok(Arguments { mode: Mode::Policy(keys), listen, origin }) => {
            serve(listen, Policy::new(peer(origin), keys))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn peer(origin: u16) -> HttpPeer {
    HttpPeer::new(("127.0.0.1", origin), false, String::new())
}

/// Serves until SIGTERM or SIGINT; never returns.
fn serve<P>(listen: u16, proxy: P) -> ExitCode
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync,
{
    let mut server = Server::new_with_opt_and_conf(None, configuration());
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, proxy);
    service.add_tcp(&format!("127.0.0.1:{listen}"));
    server.add_service(service);
    server.run_forever()
}

fn configuration() -> ServerConf {
    ServerConf {
        threads: 1,
        // One thread has nobody to steal from: this is Pingora's faster, current-thread runtime.
        work_stealing: false,
        // The default of 128 would close upstream connections when more clients than that are active.
        upstream_keepalive_pool_size: 1024,
        // A stop in a benchmark is not a deployment: the default waits five minutes.
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    }
}
