// Clients of Connect's own libraries for browsers and Node.js. `connect_client.mjs TRANSPORT,.. ADDRESS DESCRIPTORS EVERYTHING`
// prints a line of JSON for each call; EVERYTHING is a message of that name in JSON.

import { ConnectError, Code, createClient } from '@connectrpc/connect';
import * as node from '@connectrpc/connect-node';
import * as web from '@connectrpc/connect-web';
import { equals, fromJson } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';

import { create, library, own, show as print, toJson } from './library.mjs';

const [names, address, descriptors, everything] = process.argv.slice(2);
const { registry, schema, service } = library(descriptors);
// Methods, types, statuses and names of the headers that a browser would have to ask for.
const asked = new Set();
const sent = new Set();

// What a browser does, with a look at it.
async function watched(input, init) {
  const request = new Request(input, init);
  sent.add(request.method);
  const answer = await fetch(input, init);
  asked.add(`${request.method} ${answer.status} ${answer.headers.get('content-type')}`);
  for (const [header] of new Headers(init.headers)) sent.add(header);
  return answer;
}

const baseUrl = `http://${address}`;
const jsonOptions = { registry };
const options = { baseUrl, jsonOptions, fetch: watched };
const gzip = { baseUrl, httpVersion: '1.1', sendCompression: node.compressionGzip, compressMinBytes: 0 };
const transports = {
  'web-proto': () => web.createConnectTransport({ ...options, useBinaryFormat: true }),
  'web-json': () => web.createConnectTransport({ ...options, useBinaryFormat: false }),
  'web-get-proto': () => web.createConnectTransport({ ...options, useBinaryFormat: true, useHttpGet: true }),
  'web-get-json': () => web.createConnectTransport({ ...options, useHttpGet: true }),
  'web-grpc-web': () => web.createGrpcWebTransport({ ...options, useBinaryFormat: true }),
  'node-h1-json': () => node.createConnectTransport({ baseUrl, jsonOptions, httpVersion: '1.1', useBinaryFormat: false }),
  'node-h1-proto': () => node.createConnectTransport({ baseUrl, httpVersion: '1.1' }),
  'node-h1-json-gzip': () => node.createConnectTransport({ ...gzip, jsonOptions, useBinaryFormat: false }),
  'node-h1-proto-gzip': () => node.createConnectTransport(gzip),
  'node-h2-proto': () => node.createConnectTransport({ baseUrl, httpVersion: '2' }),
  'node-h2-json': () => node.createConnectTransport({ baseUrl, jsonOptions, httpVersion: '2', useBinaryFormat: false }),
  'node-h1-grpc-web': () => node.createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
  'node-h2-grpc': () => node.createGrpcTransport({ baseUrl }),
};
// What a client can learn of an error.
async function failing(show, call, run, seen = {}) {
  try {
    await run(seen);
    show(call, { ...seen, code: 'none' });
  } catch (raised) {
    const error = ConnectError.from(raised);
    const details = error.findDetails(registry).map(({ $typeName, ...detail }) => toJson(schema($typeName), create(schema($typeName), detail)));
    show(call, { ...seen, code: Code[error.code], message: error.rawMessage, details });
  }
}

async function collect(stream, key = 'text') {
  const texts = [];
  for await (const message of stream) texts.push(message[key]);
  return texts;
}

// Messages that are taken when they are said.
function speech() {
  const lines = [];
  let wake = () => {};
  const say = (text) => { lines.push(text); wake(); };
  async function* messages() {
    for (;;) {
      while (lines.length === 0) await new Promise((resolve) => { wake = resolve; });
      const text = lines.shift();
      if (text === undefined) return;
      yield { text };
    }
  }
  return { say, messages: messages() };
}

// Calls every kind of method that the transport can.
async function run(name) {
  const show = (call, seen) => print(`${name} ${call}`, seen);
  const client = createClient(service, transports[name]());
  const isNode = name.startsWith('node');
  // Bodies that are still sent while they are answered need HTTP/2.
  const isDuplex = name.startsWith('node-h2');
  let head;
  let trailers;
  const metadata = {
    headers: { 'x-say': 'hello', 'x-say-bin': 'AAEC' },
    onHeader: (headers) => { head = own(headers); },
    onTrailer: (headers) => { trailers = own(headers); },
    timeoutMs: 20_000,
  };
  const found = await client.getBook({ name: 'shelves/1/books/2' }, metadata);
  show('get', { book: toJson(schema('library.v1.Book'), found), head, trailers });
  await failing(show, 'missing', () => client.getBook({ name: 'shelves/1/books/– 9' }));
  const Everything = schema('library.v1.Everything');
  const whole = fromJson(Everything, JSON.parse(everything), { registry });
  const echoed = await client.echo(whole);
  show('echo', { document: toJson(Everything, echoed, { registry }) });
  const large = create(Everything, { aBytes: new Uint8Array(300_000).map((_, index) => index) });
  show('large', { equal: equals(Everything, await client.echo(large), large) });
  show('empty', { equal: equals(Everything, await client.echo({}), create(Everything)) });
  show('list', { titles: await collect(client.listBooks({ parent: 'shelves/1' }), 'title') });
  show('list none', { titles: await collect(client.listBooks({ parent: 'shelves/1', prefix: 'Z' }), 'title') });
  await failing(show, 'list missing', (seen) => collect(client.listBooks({ parent: 'shelves/– 7' })));
  const counted = await collect(client.count({ to: 2000 }, metadata));
  show('count', { sum: counted.reduce((sum, text) => sum + Number(text), 0), head, trailers });
  await failing(show, 'cancelled', async (seen) => {
    const stop = new AbortController();
    for await (const { text } of client.count({ to: 2_000_000_000 }, { signal: stop.signal })) {
      seen.first ??= text;
      stop.abort();
    }
  });
  if (isNode) {
    const books = Array.from({ length: 300 }, (_, number) => ({ title: `book ${number}` }));
    show('add', { added: (await client.addBooks((async function* () { yield* books; })())).added });
    await failing(show, 'talk fails', async (seen) => {
      const lines = ['one', 'fail'].map((text) => ({ text }));
      seen.said = [];
      for await (const { text } of client.talk((async function* () { yield* lines; })())) seen.said.push(text);
    });
  }
  if (isDuplex) {
    const { say, messages } = speech();
    const answers = client.talk(messages, metadata)[Symbol.asyncIterator]();
    const said = [];
    for (let number = 0; number < 20; number += 1) {
      say(String(number));
      said.push((await answers.next()).value.text);
    }
    say(undefined);
    show('talk', { said, rest: await collect({ [Symbol.asyncIterator]: () => answers }), head, trailers });
    await failing(show, 'late', async (seen) => {
      const late = speech();
      late.say('one');
      seen.said = [];
      for await (const { text } of client.talk(late.messages, { timeoutMs: 700 })) seen.said.push(text);
    });
  }
}

// GetBook may be called by GET, as the .proto could say.
service.method.getBook.idempotency = MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
for (const name of names.split(',')) {
  await run(name);
  print(`${name} asked`, { asked: [...asked].sort(), sent: [...sent].sort() });
  asked.clear();
  sent.clear();
}
process.exit();
