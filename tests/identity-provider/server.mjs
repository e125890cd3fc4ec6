// An OpenID provider with an introspection endpoint, for tests: the certified `oidc-provider`, with keys that rotate as a line
// of JSON on stdin says. Each line is answered by one with the port and how often keys and tokens were asked for.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import Provider from 'oidc-provider';

// The tests read stdout.
console.info = console.error;

const pairs = new Map();
const asked = { keys: 0, introspections: 0 };
let issuer;
let answer;

// A key has its name as `kid`, and is made when it is first named.
function key(kid) {
  if (!pairs.has(kid)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    pairs.set(kid, { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' });
  }
  return pairs.get(kid);
}

// Which resource is asked for decides what the token is.
const resources = {
  'https://api.example': { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  'https://opaque.example': { accessTokenFormat: 'opaque' },
};

// The provider that publishes these keys and signs with the first. Tokens outlive it: they are in the library's memory.
function provider(keys) {
  const made = new Provider(issuer, {
    jwks: { keys: keys.map(key) },
    clients: ['app', 'gateway'].map((id) => ({
      client_id: id,
      client_secret: `secret of ${id}`,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    })),
    scopes: ['read', 'write'],
    ttl: { ClientCredentials: 600 },
    cookies: { keys: ['none is ever set'] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === 'gateway' },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource) => ({
          scope: 'read write',
          audience: resource,
          accessTokenTTL: 600,
          ...resources[resource],
        }),
      },
    },
  });
  return made.callback();
}

const server = createServer((request, response) => {
  asked.keys += Number(request.url === '/jwks');
  asked.introspections += Number(request.url === '/token/introspection');
  answer(request, response);
});

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  issuer = `http://127.0.0.1:${port}`;
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { keys } = JSON.parse(line);
    if (keys) answer = provider(keys);
    console.log(JSON.stringify({ port, ...asked }));
  });
  // The tests are gone.
  lines.on('close', () => process.exit());
});
