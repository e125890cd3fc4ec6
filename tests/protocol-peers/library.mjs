// The messages and methods of library.proto, from its descriptor set: nothing is generated.

import { readFileSync } from 'node:fs';

import { createFileRegistry, create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

// The registry of a descriptor set, the service, and `schema` by a message's name.
export function library(path) {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(path)));
  const schema = (name) => registry.getMessage(name);
  return { registry, schema, service: registry.getService('library.v1.Library') };
}

// Prints what was seen of a call.
export function show(call, seen) {
  console.log(JSON.stringify({ call, ...seen }));
}

// Headers or metadata of the service's own.
export function own(headers) {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith('x-') && name !== 'x-request-id'));
}

export { create, fromBinary, toBinary, toJson };
