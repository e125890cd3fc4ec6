//! What gRPC, gRPC-Web and Connect are on the wire, for plugins: frames that may be cut anywhere, status codes and what they are in
//! HTTP, messages of errors, timeouts, metadata, `google.rpc.Status`.
//!
//! Nothing here knows of the gateway. Every length that is read is held to a bound before anything is kept.
//!
//! ```
//! use sluice_sdk_grpc::{Code, Framing, Next, Status, frame};
//!
//! let framing = Framing::grpc(4 << 20);
//! let body = frame(0, b"a message");
//! let Next::Frame(first, rest) = framing.next(&body)? else { panic!("it is whole") };
//! assert_eq!((first.message, rest), (&b"a message"[..], &b""[..]));
//! // What is not whole says how many bytes it wants, from its beginning on: as `chunk.hold(from, want)` takes it.
//! assert!(matches!(framing.next(&body[..3])?, Next::Wants(5)));
//! assert!(matches!(framing.next(&body[..7])?, Next::Wants(14)));
//!
//! let status = Status::new(Code::NotFound, "no such book");
//! assert_eq!(status.trailers()[0], ("grpc-status", "5".to_owned()));
//! assert_eq!(status.code.http_status(), 404);
//! # Ok::<(), sluice_sdk_grpc::FrameError>(())
//! ```

mod code;
mod frames;
mod media;
pub mod metadata;
mod passage;
pub mod percent;
mod status;
pub mod timeout;
mod wire;

pub use code::Code;
pub use frames::{Frame, FrameError, Framing, HEAD, Next, frame, push_frame};
pub use media::{Media, Protocol};
pub use passage::Passage;
pub use status::{Detail, Status};
