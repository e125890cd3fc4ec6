//! Ending without losing anything.

use tokio::sync::Notify;
use tokio::time::Instant;

use super::*;
use crate::net::testing::{run, until};

/// Answers when told to.
async fn waiting() -> (Gateway, Rc<Notify>, Rc<Cell<usize>>) {
    let (go, running) = (Rc::new(Notify::new()), Rc::new(Cell::new(0)));
    let (told, count) = (Rc::clone(&go), Rc::clone(&running));
    let gateway = Gateway::start(settings(), move |_, _| {
        let told = Rc::clone(&told);
        count.set(count.get() + 1);
        async move {
            told.notified().await;
            Ok(Response::new(Body::from("done")))
        }
    })
    .await;
    (gateway, go, running)
}

#[test]
fn what_is_under_way_finishes_and_says_that_it_is_the_last() {
    run(async {
        let (gateway, go, running) = waiting().await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        until(|| running.get() == 1).await;
        gateway.drain.start(Instant::now() + Duration::from_secs(20));
        go.notify_one();
        let (text, clean) = client.rest().await;
        assert!(text.contains("connection: close") && text.ends_with("done") && clean, "{text}");
        gateway.drain.finished().await;
    });
}

#[test]
fn idle_connections_close_and_a_request_that_was_on_its_way_is_answered() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let (mut idle, mut busy, mut fresh) =
            (gateway.connect().await, gateway.connect().await, gateway.connect().await);
        for client in [&mut idle, &mut busy] {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            client.response().await;
        }
        until(|| gateway.begun.get() == 3).await;
        busy.send("GET /last HTTP/1.1\r\nHost: a\r\n\r\n").await;
        gateway.drain.start(Instant::now() + Duration::from_secs(20));
        let (head, body) = busy.response().await;
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(body, "GET /last a ");
        for client in [&mut idle, &mut busy, &mut fresh] {
            assert_eq!(client.rest().await, (String::new(), true));
        }
        gateway.drain.finished().await;
    });
}

#[test]
fn a_response_that_is_streaming_when_draining_starts_is_sent_whole() {
    run(async {
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let told = Rc::new(RefCell::new(Some(told)));
        let gateway = Gateway::start(settings(), move |_, _| {
            let told = told.borrow_mut().take().unwrap();
            async move { Ok(Response::new(Body::stream(Slow { told: Some(told), first: true }))) }
        })
        .await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.until("first").await;
        gateway.drain.start(Instant::now() + Duration::from_secs(20));
        tell.send(()).unwrap();
        let (text, clean) = client.rest().await;
        assert!(text.ends_with("4\r\nlast\r\n0\r\n\r\n") && clean, "{text:?}");
        gateway.drain.finished().await;
    });
}

#[test]
fn the_deadline_ends_what_does_not_end_itself() {
    run(async {
        let (gateway, _go, running) = waiting().await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        until(|| running.get() == 1).await;
        gateway.drain.start(Instant::now() + Duration::from_millis(50));
        assert_eq!(client.rest().await.0, "");
        gateway.drain.finished().await;
    });
}

#[test]
fn a_slow_reader_gets_the_last_bytes_although_its_exchange_is_over() {
    run(async {
        const LARGE: usize = 30 << 20;
        let gateway =
            Gateway::start(settings(), |_, _| async { Ok(Response::new(Body::from("x".repeat(LARGE)))) })
                .await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.head().await;
        gateway.drain.start(Instant::now() + Duration::from_secs(20));
        // Longer than an idle connection would be left alone.
        tokio::time::sleep(Duration::from_millis(600)).await;
        let (text, clean) = client.rest().await;
        assert_eq!((text.len(), clean), (LARGE, true));
        gateway.drain.finished().await;
    });
}

/// A chunk, a wait, a chunk.
struct Slow {
    told: Option<tokio::sync::oneshot::Receiver<()>>,
    first: bool,
}

impl http_body::Body for Slow {
    type Data = bytes::Bytes;
    type Error = crate::body::BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, crate::body::BodyError>>> {
        if std::mem::take(&mut self.first) {
            return std::task::Poll::Ready(Some(Ok(http_body::Frame::data("first".into()))));
        }
        let Some(told) = &mut self.told else { return std::task::Poll::Ready(None) };
        let _ = std::task::ready!(Pin::new(told).poll(cx));
        self.told = None;
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data("last".into()))))
    }
}
