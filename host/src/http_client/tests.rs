//! Answers of every shape, from a server that says exactly what the test says.

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::tls::testing::Authority;

const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), body: 16 };

/// Says `answer` to the one request that comes, which it returns.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    // Who does not want the answer closes before it is all there.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
    String::from_utf8(request).unwrap()
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

/// The answer as the client has it, and the request as the server has it.
async fn ask(answer: &str) -> (Result<Response<Bytes>, HttpError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a?b=c", listener.local_addr().unwrap());
    let server = async { serve(listener.accept().await.unwrap().0, answer).await };
    let client = HttpClient::new(None).unwrap();
    tokio::join!(client.send(get(&url), BOUNDS), server)
}

#[tokio::test]
async fn a_request_is_whole_and_the_only_one_of_its_connection() {
    let (answer, request) = ask("HTTP/1.1 200 OK\r\ncontent-length: 2\r\netag: \"x\"\r\n\r\nhi").await;
    let answer = answer.unwrap();
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, &b"hi"[..]));
    assert_eq!(answer.headers()["etag"], "\"x\"");
    let request = request.to_ascii_lowercase();
    assert!(request.starts_with("get /a?b=c http/1.1\r\n"), "{request}");
    for line in
        ["host: 127.0.0.1:", "connection: close\r\n", "user-agent: sluice/", "accept-encoding: identity\r\n"]
    {
        assert_eq!(request.matches(line).count(), 1, "{request}");
    }
}

#[tokio::test]
async fn a_body_is_sent_with_its_length() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = async {
        let mut stream = listener.accept().await.unwrap().0;
        let mut request = Vec::new();
        while !request.ends_with(b"{\"a\":1}") {
            request.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 204 OK\r\n\r\n").await.unwrap();
        String::from_utf8(request).unwrap()
    };
    let request = Request::builder().method(Method::POST).uri(&url).body(Bytes::from("{\"a\":1}")).unwrap();
    let client = HttpClient::new(None).unwrap();
    let (answer, request) = tokio::join!(client.send(request, BOUNDS), server);
    assert_eq!(answer.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(
        request.starts_with("POST / HTTP/1.1\r\n") && request.contains("content-length: 7\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn every_framing_ends_and_none_is_longer_than_its_bound() {
    let body = |answer: &'static str| async move { ask(answer).await.0.map(|answer| answer.into_body()) };
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
    assert_eq!(body(chunked).await.unwrap(), "0123456789abcdef");
    assert_eq!(body("HTTP/1.1 200 OK\r\n\r\nuntil the end").await.unwrap(), "until the end");
    let more = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n11\r\n0123456789abcdefg\r\n0\r\n\r\n";
    for answer in
        [more, "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n0123456789abcdefg"]
    {
        assert!(matches!(body(answer).await, Err(HttpError::TooLarge(16))), "{answer}");
    }
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi",
        "HTTP/1.1 200",
        "",
        "HTTP/2 200 OK\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        assert!(matches!(body(answer).await, Err(HttpError::Http(_))), "{answer}");
    }
    let coded = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nhi";
    assert!(matches!(body(coded).await, Err(HttpError::Encoded)));
}

#[tokio::test(start_paused = true)]
async fn a_success_is_delivered_whatever_becomes_of_its_body() {
    let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1000));
    for (answer, status) in [
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nhi", Some(200)),
        (&long, Some(200)),
        ("HTTP/1.1 202 OK\r\ncontent-length: 5\r\n\r\nhi", Some(202)),
        ("HTTP/1.1 204 OK\r\n\r\n", Some(204)),
        ("HTTP/1.1 400 No\r\ncontent-length: 2\r\n\r\nhi", Some(400)),
        ("HTTP/1.1 400 No\r\ncontent-length: 5\r\n\r\nhi", None),
        ("HTTP/1.1 200 OK\r\ncontent-le", None),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = async { serve(listener.accept().await.unwrap().0, answer).await };
        let client = HttpClient::new(None).unwrap();
        let (answered, _) = tokio::join!(client.deliver(get(&url), BOUNDS), server);
        assert_eq!(answered.ok().map(|answer| answer.status().as_u16()), status, "{answer}");
    }
    // A body that never ends.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = HttpClient::new(None).unwrap();
    let server = async {
        let mut stream = listener.accept().await.unwrap().0;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi").await.unwrap();
        std::future::pending::<()>().await
    };
    tokio::select! {
        answered = client.deliver(get(&url), BOUNDS) => assert_eq!(answered.unwrap().status(), StatusCode::OK),
        () = server => {}
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_others() {
    let (answer, _) =
        ask("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(answer.unwrap().status(), StatusCode::FOUND);
}

#[tokio::test]
async fn a_head_without_end_is_an_error() {
    let answer = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(2 * MAX_HEAD));
    assert!(matches!(ask(&answer).await.0, Err(HttpError::Http(_))));
}

#[tokio::test]
async fn tls_is_for_https_alone_and_needs_a_name_that_is_trusted() {
    let authority = Authority::new();
    let client = HttpClient::new(Some(authority.pem().as_bytes())).unwrap();
    let acceptor = authority.acceptor("localhost");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = async {
        let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        serve(stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await
    };
    let request = get(&format!("https://localhost:{port}/"));
    let (answer, _) = tokio::join!(client.send(request, BOUNDS), server);
    assert_eq!(answer.unwrap().body(), "hi");
    let server = async { acceptor.accept(listener.accept().await.unwrap().0).await.map(drop) };
    let request = get(&format!("https://127.0.0.1:{port}/"));
    let (answer, _) = tokio::join!(client.send(request, BOUNDS), server);
    assert!(matches!(answer, Err(HttpError::Tls(TlsError::Handshake(_)))), "{answer:?}");
}

#[tokio::test]
async fn who_cannot_be_reached_or_named_is_an_error() {
    let client = HttpClient::new(None).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let answer = client.send(get(&url), BOUNDS).await;
    assert!(matches!(answer, Err(HttpError::Connect(..))), "{answer:?}");
    for url in ["/path", "ftp://a.example/", "http://me@127.0.0.1/"] {
        let answer = client.send(get(url), BOUNDS).await;
        assert!(matches!(answer, Err(HttpError::Url(_))), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = HttpClient::new(None).unwrap().send(get(&url), BOUNDS).await;
    assert!(matches!(answer, Err(HttpError::Late(_))), "{answer:?}");
}
