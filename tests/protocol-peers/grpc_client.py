"""Google's gRPC client for Python, which calls every kind of method. `grpc_client.py ADDRESS DESCRIPTORS EVERYTHING [half]`
prints a line of JSON for each call; EVERYTHING is a message of that name in JSON. With `half` nobody talks: no stream of requests
is still sent while it is answered."""

import json
import sys
import threading

import grpc
from google.protobuf import json_format
from library import SERVICE, Library

library = Library(sys.argv[2])
Status = library.message("google.rpc.Status")
SAY = (("x-say", "hello"), ("x-say-bin", b"\x00\x01\x02"))


def show(call, **seen):
    print(json.dumps({"call": call, **seen}), flush=True)


def document(message):
    return json_format.MessageToDict(message, descriptor_pool=library.pool)


def metadata(pairs):
    """Metadata of the service's own, bytes in hexadecimal."""
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in pairs or () if key.startswith("x-")}


def failure(error):
    """What a client can learn of an error."""
    seen = {"code": error.code().name, "message": error.details(), "details": []}
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = Status.FromString(value)
            seen["details"] = [json_format.MessageToDict(each, descriptor_pool=library.pool) for each in status.details]
            seen["same"] = (status.code, status.message) == (error.code().value[0], error.details())
    return seen


class Talk:
    """Lines that are said when `say` is called; none any more after `end`."""

    def __init__(self, method, **options):
        self.lines, self.ready = [], threading.Condition()
        self.call = method(iter(self.next, None), **options)

    def next(self):
        with self.ready:
            self.ready.wait_for(lambda: self.lines)
            return self.lines.pop(0)

    def say(self, text):
        with self.ready:
            self.lines.append(None if text is None else Line(text=text))
            self.ready.notify()

    def end(self):
        self.say(None)


Line = library.message("library.v1.Line")
Book = library.message("library.v1.Book")


def main():
    # A connection that the gateway shares with nobody, and messages of up to 4 MiB.
    with grpc.insecure_channel(sys.argv[1]) as channel:

        def method(name):
            kinds = {
                (False, False): channel.unary_unary,
                (False, True): channel.unary_stream,
                (True, False): channel.stream_unary,
                (True, True): channel.stream_stream,
            }
            request, response = library.types(name)
            of = library.methods[name]
            kind = kinds[of.client_streaming, of.server_streaming]
            return kind(f"/{SERVICE}/{name}", request.SerializeToString, response.FromString)

        one_message(method)
        streams(method)
        if sys.argv[4:] != ["half"]:
            talks(method)
        ends(method, channel)


def one_message(method):
    request = library.types("GetBook")[0]
    book, call = method("GetBook").with_call(request(name="shelves/1/books/2"), metadata=SAY, timeout=20)
    show("get", book=document(book), head=metadata(call.initial_metadata()), trailers=metadata(call.trailing_metadata()))
    try:
        method("GetBook")(request(name="shelves/1/books/– 9"), timeout=20)
    except grpc.RpcError as error:
        show("missing", **failure(error))
    Everything = library.types("Echo")[0]
    everything = json_format.Parse(sys.argv[3], Everything(), descriptor_pool=library.pool)
    echoed = method("Echo")(everything, timeout=20)
    show("echo", equal=echoed == everything, document=document(echoed))
    large = Everything(a_bytes=bytes(range(256)) * 2048)
    show("large", equal=method("Echo")(large, timeout=20) == large)
    try:
        show("compressed", equal=method("Echo")(large, timeout=20, compression=grpc.Compression.Gzip) == large)
    except grpc.RpcError as error:
        show("compressed", **failure(error))
    show("empty", equal=method("Echo")(Everything(), timeout=20) == Everything())


def streams(method):
    request = library.types("ListBooks")[0]
    show("list", titles=[book.title for book in method("ListBooks")(request(parent="shelves/1"), timeout=20)])
    show("list none", titles=[book.title for book in method("ListBooks")(request(parent="shelves/1", prefix="Z"), timeout=20)])
    books = (Book(title=f"book {number}") for number in range(300))
    show("add", added=method("AddBooks")(books, timeout=20).added)
    lines = method("Count")(library.types("Count")[0](to=2000), timeout=20)
    show("count", sum=sum(int(line.text) for line in lines))


def talks(method):
    """Each line is answered before the next is said, or the call ends before it is over."""
    talk, said = Talk(method("Talk"), metadata=SAY, timeout=20), []
    for number in range(20):
        talk.say(f"{number}")
        said.append(next(talk.call).text)
    talk.end()
    rest = [line.text for line in talk.call]
    show("talk", said=said, rest=rest, head=metadata(talk.call.initial_metadata()), trailers=metadata(talk.call.trailing_metadata()))
    talk, said = Talk(method("Talk"), timeout=20), []
    talk.say("one")
    talk.say("fail")
    try:
        said.extend(line.text for line in talk.call)
    except grpc.RpcError as error:
        show("talk fails", said=said, **failure(error))
    talk = Talk(method("Talk"), timeout=20)
    talk.say("one")
    said = next(talk.call).text
    talk.call.cancel()
    show("cancelled", said=said, code=talk.call.code().name)
    talk = Talk(method("Talk"), timeout=1)
    talk.say("one")
    said = []
    try:
        said.extend(line.text for line in talk.call)
    except grpc.RpcError as error:
        show("late", said=said, code=error.code().name)


def ends(method, channel):
    """Calls that end before they are over."""
    lines = method("Count")(library.types("Count")[0](to=2_000_000_000), timeout=20)
    first = next(lines).text
    lines.cancel()
    show("count cancelled", first=first, code=lines.code().name)
    unknown = channel.unary_unary(f"/{SERVICE}/None")
    try:
        unknown(b"", timeout=20)
    except grpc.RpcError as error:
        show("unknown", code=error.code().name)
    # The connection has outlived all of this.
    book = method("GetBook")(library.types("GetBook")[0](name="shelves/1/books/1"), timeout=20)
    show("after", title=book.title)


main()
