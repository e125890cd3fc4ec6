//! A library over gRPC: what the example translates, and what the tests of translation talk to.
//!
//! `library-service ADDRESS` listens there (`127.0.0.1:50051` if nothing is said) and prints `listening on ADDRESS`.

mod library;
mod shelves;

/// What the descriptor set says, as code.
#[allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "it is made from the descriptor set"
)]
mod proto {
    pub(crate) mod google {
        pub(crate) mod rpc {
            tonic::include_proto!("google.rpc");
        }
    }
    pub(crate) mod library {
        pub(crate) mod v1 {
            tonic::include_proto!("library.v1");
        }
    }
}

use std::error::Error;

use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use library::Library;
use proto::library::v1::library_server::LibraryServer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let listener = TcpListener::bind(&address).await?;
    #[expect(clippy::print_stdout, reason = "whoever started it waits for this")]
    {
        println!("listening on {}", listener.local_addr()?);
    }
    let service = LibraryServer::new(Library::default());
    // Without it an answer whose trailers follow its message waits for an acknowledgement.
    let incoming = TcpListenerStream::new(listener)
        .map(|stream| stream.inspect(|stream| drop(stream.set_nodelay(true))));
    Server::builder().add_service(service).serve_with_incoming(incoming).await?;
    Ok(())
}
