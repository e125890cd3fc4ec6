"""The service of examples/protocol-translation over Google's gRPC library, which shares no code with the one in Rust.

`library_server.py DESCRIPTORS` takes a free port and prints `listening on ADDRESS`. Each stream of
answers that ends before its last one is a further line: `cancelled METHOD`.
"""

import sys
import threading
from concurrent import futures

import grpc
from library import SERVICE, Library

library = Library(sys.argv[1])
Book = library.message("library.v1.Book")
Line = library.message("library.v1.Line")
ResourceInfo = library.message("google.rpc.ResourceInfo")
Status = library.message("google.rpc.Status")


def book(number, title, author, seconds, copies):
    made = Book(name=f"shelves/1/books/{number}", title=title, authors=[author], copies=copies)
    made.published.seconds = seconds
    return made


class Service:
    def __init__(self):
        first = [
            book(1, "Middlemarch", "George Eliot", -3_094_329_600, 3),
            book(2, "Moby-Dick", "Herman Melville", -3_734_640_000, 9_007_199_254_740_993),
            book(3, "The Waves", "Virginia Woolf", -1_206_835_200, 0),
        ]
        self.books = {each.name: each for each in first}
        self.lock = threading.Lock()

    def GetBook(self, request, context):
        told(context)
        with self.lock:
            found = self.books.get(request.name)
        return found or not_found(context, request.name)

    def CreateBook(self, request, context):
        if not request.book.title:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a book needs a title")
        return self.add(request.parent, request.book)

    def ListBooks(self, request, context):
        with self.lock:
            shelf = [each for name, each in sorted(self.books.items()) if name.startswith(request.parent + "/books/")]
        chosen = [each for each in shelf if each.title.startswith(request.prefix)]
        if not chosen and request.parent != "shelves/1":
            not_found(context, request.parent)
        yield from chosen

    def AddBooks(self, requests, context):
        return library.types("AddBooks")[1](added=sum(1 for each in requests if self.add("shelves/2", each)))

    def Talk(self, requests, context):
        told(context)
        for line in requests:
            if line.text == "fail":
                context.abort(grpc.StatusCode.ABORTED, "as it was asked to")
            yield Line(text=f"{line.text}, you say")

    def Count(self, request, context):
        told(context)
        for number in range(1, request.to + 1):
            yield Line(text=str(number))

    def Echo(self, request, context):
        told(context)
        return request

    def add(self, parent, given):
        with self.lock:
            number = 1
            while f"{parent}/books/{number}" in self.books:
                number += 1
            made = Book()
            made.CopyFrom(given)
            made.name = f"{parent}/books/{number}"
            self.books[made.name] = made
            return made


def told(context):
    """Tells in the head what the call said in `x-say`, and its deadline; in the trailers the same once more."""
    said = [("x-" + key[2:].replace("say", "said"), value) for key, value in context.invocation_metadata() if key in ("x-say", "x-say-bin")]
    remaining = context.time_remaining()
    # Without a deadline it is none, or as good as.
    deadline = [("x-timeout", f"{int(remaining * 1000)}m")] if remaining is not None and remaining < 1e6 else []
    context.send_initial_metadata(said + deadline)
    context.set_trailing_metadata([(key.replace("said", "parted"), value) for key, value in said])


def not_found(context, name):
    """Fails with details, as google.rpc has them."""
    message = f"there is no `{name}`"
    status = Status(code=grpc.StatusCode.NOT_FOUND.value[0], message=message)
    info = ResourceInfo(resource_type="library.v1.Book", resource_name=name)
    status.details.add(type_url="type.googleapis.com/google.rpc.ResourceInfo", value=info.SerializeToString())
    context.set_trailing_metadata([*(context.trailing_metadata() or ()), ("grpc-status-details-bin", status.SerializeToString())])
    context.abort(grpc.StatusCode.NOT_FOUND, message)


def handler(service, name):
    """What grpcio calls."""
    method, (request, response) = library.methods[name], library.types(name)
    behaviour = getattr(service, name)

    def watched(message, context):
        over = threading.Event()
        context.add_callback(lambda: over.is_set() or print("cancelled", name, flush=True))
        yield from behaviour(message, context)
        over.set()

    ways = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    way = ways[method.client_streaming, method.server_streaming]
    return way(watched if method.server_streaming else behaviour, request.FromString, response.SerializeToString)


def main():
    server = grpc.server(futures.ThreadPoolExecutor(32))
    service = Service()
    handlers = {name: handler(service, name) for name in library.methods}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    # Whoever started it keeps stdin open.
    sys.stdin.read()
    server.stop(None)


main()
