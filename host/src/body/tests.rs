//! Bodies that are whole, and those that end early.

use super::*;

fn trailers() -> HeaderMap {
    [(http::HeaderName::from_static("x-sum"), http::HeaderValue::from_static("1"))].into_iter().collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_whole_body_has_an_exact_length_and_one_frame() {
    let mut body = Body::from("hello");
    assert_eq!(body.exact(), Some(5));
    assert!(!body.is_end_stream());
    let frame = block_on(std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)));
    assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "hello");
    assert!(body.is_end_stream());
    assert_eq!(body.exact(), Some(0));
}

#[test]
fn trailers_survive_collecting() {
    let body = Body::from_parts(Bytes::from_static(b"abc"), Some(trailers()));
    let (bytes, found) = block_on(body.collect_bounded(3)).unwrap();
    assert_eq!((&bytes[..], found), (&b"abc"[..], Some(trailers())));
}

#[test]
fn collecting_stops_at_the_limit() {
    let two = Body::stream(Chunks(vec!["ab", "cd"]));
    assert!(matches!(block_on(two.collect_bounded(3)), Err(CollectError::TooLarge)));
    let two = Body::stream(Chunks(vec!["ab", "cd"]));
    assert_eq!(block_on(two.collect_bounded(4)).unwrap().0, "abcd");
    assert!(matches!(block_on(Body::from("abcd").collect_bounded(3)), Err(CollectError::TooLarge)));
    assert_eq!(block_on(Body::Empty.collect_bounded(0)).unwrap().0, "");
}

struct Chunks(Vec<&'static str>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(self.0.remove(0))))))
    }
}
