//! The service's methods.

use std::pin::Pin;

use prost::Message as _;
use tokio_stream::{Stream, StreamExt as _};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::proto::google::rpc;
use crate::proto::library::v1::library_server;
use crate::proto::library::v1::{
    AddBooksResponse, Book, CountRequest, CreateBookRequest, Everything, GetBookRequest, Line,
    ListBooksRequest,
};
use crate::shelves::Shelves;

type Many<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service.
#[derive(Default)]
pub(crate) struct Library {
    shelves: Shelves,
}

#[tonic::async_trait]
impl library_server::Library for Library {
    type ListBooksStream = Many<Book>;
    type TalkStream = Many<Line>;
    type CountStream = Many<Line>;

    async fn get_book(&self, request: Request<GetBookRequest>) -> Result<Response<Book>, Status> {
        let (metadata, name) = (request.metadata().clone(), request.into_inner().name);
        let book = self.shelves.get(&name).ok_or_else(|| not_found(&name))?;
        Ok(answered(book, &metadata))
    }

    async fn create_book(&self, request: Request<CreateBookRequest>) -> Result<Response<Book>, Status> {
        let CreateBookRequest { parent, book } = request.into_inner();
        let book = book.filter(|book| !book.title.is_empty());
        let book = book.ok_or_else(|| Status::invalid_argument("a book needs a title"))?;
        Ok(Response::new(self.shelves.add(&parent, book)))
    }

    async fn list_books(
        &self,
        request: Request<ListBooksRequest>,
    ) -> Result<Response<Self::ListBooksStream>, Status> {
        let ListBooksRequest { parent, prefix } = request.into_inner();
        let books = self.shelves.list(&parent, &prefix);
        if books.is_empty() && parent != "shelves/1" {
            return Err(not_found(&parent));
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(books.into_iter().map(Ok)))))
    }

    async fn add_books(
        &self,
        request: Request<Streaming<Book>>,
    ) -> Result<Response<AddBooksResponse>, Status> {
        let (mut books, mut added) = (request.into_inner(), 0);
        while let Some(book) = books.next().await {
            self.shelves.add("shelves/2", book?);
            added += 1;
        }
        Ok(Response::new(AddBooksResponse { added }))
    }

    /// Answers each line when it comes; one that is `fail` with a failure.
    async fn talk(&self, request: Request<Streaming<Line>>) -> Result<Response<Self::TalkStream>, Status> {
        let lines = request.into_inner().map(|line| match line? {
            Line { text } if text == "fail" => Err(Status::aborted("as it was asked to")),
            Line { text } => Ok(Line { text: format!("{text}, you say") }),
        });
        Ok(Response::new(Box::pin(lines)))
    }

    async fn count(&self, request: Request<CountRequest>) -> Result<Response<Self::CountStream>, Status> {
        let lines = (1..=request.into_inner().to).map(|number| Ok(Line { text: number.to_string() }));
        Ok(Response::new(Box::pin(tokio_stream::iter(lines))))
    }

    async fn echo(&self, request: Request<Everything>) -> Result<Response<Everything>, Status> {
        let metadata = request.metadata().clone();
        Ok(answered(request.into_inner(), &metadata))
    }
}

/// An answer with what the call said in `x-say`, and its deadline.
fn answered<T>(message: T, call: &MetadataMap) -> Response<T> {
    let mut response = Response::new(message);
    for (name, told) in [("x-say", "x-said"), ("grpc-timeout", "x-timeout")] {
        if let Some(value) = call.get(name) {
            response.metadata_mut().insert(told, value.clone());
        }
    }
    if let Some(bytes) = call.get_bin("x-say-bin").and_then(|value| value.to_bytes().ok()) {
        response.metadata_mut().insert_bin("x-said-bin", MetadataValue::from_bytes(&bytes));
    }
    response
}

/// A failure with details, as google.rpc has them.
fn not_found(name: &str) -> Status {
    let message = format!("there is no `{name}`");
    let info = rpc::ResourceInfo {
        resource_type: "library.v1.Book".to_owned(),
        resource_name: name.to_owned(),
        ..rpc::ResourceInfo::default()
    };
    let details = prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.ResourceInfo".to_owned(),
        value: info.encode_to_vec(),
    };
    let status =
        rpc::Status { code: Code::NotFound.into(), message: message.clone(), details: vec![details] };
    Status::with_details(Code::NotFound, message, status.encode_to_vec().into())
}
