//! What the benchmarks of the call path reach of the crate's inside. Compiled with the feature `measure` alone: no part
//! of a gateway, and no interface for anyone else.

mod plugins;
mod routes;
mod takes;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub use plugins::{Exchange, Plugin, Steps, Workshop, sealed};
pub use routes::Routes;
pub use takes::Takes;

/// Runs what never waits, without the cost of a runtime around it.
fn finish<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("nothing that is measured waits"),
    }
}
