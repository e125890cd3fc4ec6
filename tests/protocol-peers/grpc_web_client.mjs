// Google's gRPC-Web client for browsers, with an XMLHttpRequest for Node.js. `grpc_web_client.mjs ADDRESS DESCRIPTORS EVERYTHING`
// prints a line of JSON for each call; EVERYTHING is a message of that name in JSON.

import { equals, fromJson } from '@bufbuild/protobuf';
import grpcWeb from 'grpc-web';
import xhr2 from 'xhr2';

import { create, fromBinary, library, show as print, toBinary, toJson } from './library.mjs';

const [address, descriptors, everything] = process.argv.slice(2);
const { registry, schema, service } = library(descriptors);
const sent = new Set();

// As in a browser the text is there while it comes, which the package leaves out; and what is sent is looked at.
globalThis.XMLHttpRequest = class extends xhr2 {
  setRequestHeader(name, value) {
    sent.add(name.toLowerCase());
    super.setRequestHeader(name, value);
  }

  _onHttpResponseData(response, data) {
    super._onHttpResponseData(response, data);
    if (this.responseType !== '' && this.responseType !== 'text') return;
    this.responseText = (this.responseText ?? '') + data.toString('latin1');
    this.dispatchEvent(new xhr2.ProgressEvent('readystatechange'));
  }
};

const { MethodDescriptor, MethodType } = grpcWeb;

// The method as generated code describes it.
function described(name, method = service.method[name].name) {
  const { input, output, methodKind } = service.method[name];
  const type = methodKind === 'unary' ? MethodType.UNARY : MethodType.SERVER_STREAMING;
  const write = (message) => toBinary(input, message);
  const read = (bytes) => fromBinary(output, bytes);
  const path = `/library.v1.Library/${method}`;
  return [`http://${address}${path}`, new MethodDescriptor(path, type, Object, Object, write, read)];
}

const Status = schema('google.rpc.Status');

// What a client can learn of an error.
function failure({ code, message, metadata }) {
  const encoded = metadata?.['grpc-status-details-bin'];
  const status = encoded && fromBinary(Status, Buffer.from(encoded, 'base64'));
  return { code, message, details: status ? toJson(Status, status, { registry }).details : [] };
}

const own = (metadata) => Object.fromEntries(Object.entries(metadata ?? {}).filter(([name]) => /^x-(said|parted|timeout)/.test(name)));

async function run(format) {
  const show = (call, seen) => print(`${format} ${call}`, seen);
  const client = new grpcWeb.GrpcWebClientBase({ format });
  const metadata = { 'x-say': 'hello', 'x-say-bin': 'AAEC', deadline: String(Date.now() + 20_000) };

  // All that the client tells of a call, in its order.
  const call = (method, kind, request, headers = {}, most = Infinity) => new Promise((resolve) => {
    const [url, descriptor] = described(method);
    const seen = { events: [], messages: [] };
    const stream = kind === 'stream'
      ? client.serverStreaming(url, request, headers, descriptor)
      : client.rpcCall(url, request, headers, descriptor, (error, message) => {
        if (message) seen.messages.push(message);
        if (error) Object.assign(seen, { error: failure(error) });
        // What comes after the message is told afterwards.
        setTimeout(() => resolve(seen), 20);
      });
    stream.on('metadata', (head) => { seen.head = own(head); });
    stream.on('status', ({ code, metadata: trailers }) => Object.assign(seen, { status: code, trailers: own(trailers) }));
    if (kind !== 'stream') return;
    stream.on('data', (message) => {
      seen.messages.push(message);
      if (seen.messages.length >= most) {
        stream.cancel();
        resolve(seen);
      }
    });
    stream.on('error', (error) => { seen.error = failure(error); resolve(seen); });
    stream.on('end', () => setTimeout(() => resolve(seen), 20));
  });

  const make = (method, values) => create(service.method[method].input, values);
  const got = await call('getBook', 'unary', make('getBook', { name: 'shelves/1/books/2' }), metadata);
  const [book] = got.messages;
  show('get', { book: toJson(schema('library.v1.Book'), book), head: got.head, trailers: got.trailers, status: got.status });
  show('missing', (await call('getBook', 'unary', make('getBook', { name: 'shelves/1/books/– 9' }))).error);
  const Everything = schema('library.v1.Everything');
  const whole = fromJson(Everything, JSON.parse(everything), { registry });
  const [echoed] = (await call('echo', 'unary', whole)).messages;
  show('echo', { document: toJson(Everything, echoed, { registry }) });
  const large = create(Everything, { aBytes: new Uint8Array(300_000).map((_, index) => index) });
  show('large', { equal: equals(Everything, (await call('echo', 'unary', large)).messages[0], large) });
  const [url, descriptor] = described('getBook', 'None');
  const error = await new Promise((resolve) => client.rpcCall(url, make('getBook', {}), {}, descriptor, resolve));
  show('unknown', { code: error.code });
  // Streams are for the text format: in the other a browser has no bytes before the end.
  const listed = await call('listBooks', 'stream', make('listBooks', { parent: 'shelves/1' }));
  show('list', { titles: listed.messages.map(({ title }) => title), status: listed.status });
  show('list missing', (await call('listBooks', 'stream', make('listBooks', { parent: 'shelves/– 7' }))).error);
  const counted = await call('count', 'stream', make('count', { to: 2000 }), metadata);
  const sum = counted.messages.reduce((all, { text }) => all + Number(text), 0);
  show('count', { sum, trailers: counted.trailers, head: counted.head, status: counted.status });
  if (format === 'text') {
    const [first] = (await call('count', 'stream', make('count', { to: 2_000_000_000 }), {}, 1)).messages;
    show('cancelled', { first: first.text });
  }
}

for (const format of ['text', 'binary']) await run(format);
print('asked', { sent: ['POST', ...[...sent].sort()] });
process.exit();
