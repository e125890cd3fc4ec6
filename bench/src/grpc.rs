//! The origin's gRPC side: the service of `examples/protocol-translation`, as little of it as a comparison of transcoders
//! asks for. What it answers is made beforehand, or is what it got.

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::server::{self, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::TcpStream;

/// What a connection of HTTP/2 begins with, the first bytes of it: no method of HTTP/1.1 is called so.
pub(crate) const PREFACE: &[u8] = b"PRI ";

/// `GetBook` answers this: the book of the example's tests.
const BOOK: [(u8, &[u8]); 4] = [
    (1, b"shelves/1/books/2"),
    (2, b"Moby-Dick"),
    (3, b"Herman Melville"),
    // 1851-08-28T00:00:00Z: seconds, a negative number in ten bytes.
    (4, &[0x08, 0x80, 0xd5, 0x97, 0x8b, 0xf2, 0xff, 0xff, 0xff, 0xff, 0x01]),
];
const COPIES: i32 = 12;

/// How many messages `Count` sends.
pub(crate) const MESSAGES: usize = 1_000;

/// Serves one connection to its end.
pub(crate) async fn serve(stream: TcpStream) -> Result<(), h2::Error> {
    let mut builder = server::Builder::new();
    builder
        .initial_window_size(1 << 20)
        .initial_connection_window_size(16 << 20)
        .max_concurrent_streams(1_000);
    let mut connection = builder.handshake::<_, Bytes>(stream).await?;
    while let Some(call) = connection.accept().await {
        let (request, respond) = call?;
        tokio::spawn(async move {
            let _ = answer(request, respond).await;
        });
    }
    Ok(())
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let asked = whole(request.into_body()).await?;
    let mut head = Response::new(());
    head.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut body = respond.send_response(head, false)?;
    match method.as_str() {
        "GetBook" => send(&mut body, book()).await?,
        "Echo" => send(&mut body, asked).await?,
        "Count" => {
            for number in 1..=MESSAGES {
                send(&mut body, frame(&field(1, number.to_string().as_bytes()))).await?;
            }
        }
        _ => {}
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    body.send_trailers(trailers)
}

async fn whole(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let mut all = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// Sends as much as the window lets it, and the rest as it opens.
async fn send(body: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        body.reserve_capacity(data.len());
        while body.capacity() == 0 {
            std::future::poll_fn(|context| body.poll_capacity(context)).await.transpose()?;
        }
        let part = data.split_to(body.capacity().min(data.len()));
        body.send_data(part, false)?;
    }
    Ok(())
}

fn book() -> Bytes {
    let mut message: Vec<u8> = BOOK.iter().flat_map(|(number, value)| field(*number, value)).collect();
    message.extend([5 << 3, COPIES as u8]);
    frame(&message)
}

/// A field that is a text or a message of less than 128 bytes.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, value.len() as u8], value].concat()
}

/// A message with its length in front of it, not compressed.
fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}
