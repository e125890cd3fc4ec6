// The service of examples/protocol-translation over Connect's own library, which speaks nothing but Connect here.
// `connect_server.mjs VERSION DESCRIPTORS` takes a free port, over HTTP/1.1 (h1) or HTTP/2 (h2), and prints `listening on ADDRESS`.

import { createServer as createServer1 } from 'node:http';
import { createServer as createServer2 } from 'node:http2';

import { Code, ConnectError } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';

import { create, library, own } from './library.mjs';

const [version, descriptors] = process.argv.slice(2);
const { registry, schema, service } = library(descriptors);

const book = (number, title, author, seconds, copies) => ({
  name: `shelves/1/books/${number}`, title, authors: [author], published: { seconds, nanos: 0 }, copies,
});
const books = new Map();
for (const each of [
  book(1, 'Middlemarch', 'George Eliot', -3_094_329_600n, 3n),
  book(2, 'Moby-Dick', 'Herman Melville', -3_734_640_000n, 9_007_199_254_740_993n),
  book(3, 'The Waves', 'Virginia Woolf', -1_206_835_200n, 0n),
]) {
  books.set(each.name, create(schema('library.v1.Book'), each));
}

function add(parent, given) {
  let number = 1;
  while (books.has(`${parent}/books/${number}`)) number += 1;
  const name = `${parent}/books/${number}`;
  books.set(name, create(schema('library.v1.Book'), { ...given, name }));
  return books.get(name);
}

// Tells in the head what the call said in `x-say`, and its deadline; in the trailers the same once more.
function told(context) {
  for (const [name, value] of Object.entries(own(context.requestHeader))) {
    if (!name.startsWith('x-say')) continue;
    context.responseHeader.set(name.replace('say', 'said'), value);
    context.responseTrailer.set(name.replace('say', 'parted'), value);
  }
  const timeout = context.timeoutMs();
  if (timeout !== undefined) context.responseHeader.set('x-timeout', `${Math.floor(timeout)}m`);
}

function notFound(name) {
  const details = [{
    desc: schema('google.rpc.ResourceInfo'),
    value: { resourceType: 'library.v1.Book', resourceName: name },
  }];
  return new ConnectError(`there is no \`${name}\``, Code.NotFound, undefined, details);
}

const methods = {
  getBook({ name }, context) {
    told(context);
    if (!books.has(name)) throw notFound(name);
    return books.get(name);
  },
  createBook({ parent, book: given }) {
    if (!given?.title) throw new ConnectError('a book needs a title', Code.InvalidArgument);
    return add(parent, given);
  },
  async *listBooks({ parent, prefix }) {
    const shelf = [...books.values()].filter(({ name }) => name.startsWith(`${parent}/books/`));
    const chosen = shelf.filter(({ title }) => title.startsWith(prefix));
    if (chosen.length === 0 && parent !== 'shelves/1') throw notFound(parent);
    yield* chosen;
  },
  async addBooks(requests) {
    let added = 0;
    for await (const each of requests) {
      add('shelves/2', each);
      added += 1;
    }
    return { added };
  },
  async *talk(requests, context) {
    told(context);
    for await (const { text } of requests) {
      if (text === 'fail') throw new ConnectError('as it was asked to', Code.Aborted);
      yield { text: `${text}, you say` };
    }
  },
  async *count({ to }, context) {
    told(context);
    let number = 0;
    context.signal.addEventListener('abort', () => number < to && console.log('cancelled Count'), { once: true });
    while (number < to) {
      number += 1;
      yield { text: String(number) };
    }
  },
  echo(request, context) {
    told(context);
    return request;
  },
};

const handler = connectNodeAdapter({
  routes: (router) => router.service(service, methods),
  connect: true,
  grpc: false,
  grpcWeb: false,
  // What `Any` may have within, in JSON.
  jsonOptions: { registry },
  requestPathPrefix: '',
});
const server = (version === 'h2' ? createServer2 : createServer1)(handler);
server.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
process.stdin.on('end', () => process.exit()).resume();
