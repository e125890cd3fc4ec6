// A GraphQL client for browsers, `graphql-request`, and the audit of servers that comes with `graphql-http`.
// `graphql_client.mjs ADDRESS CALLS` makes the calls, which are JSON, `[[method, document, variables], ..]`, and prints a line of
// JSON for each; `graphql_client.mjs ADDRESS audit` one for each demand of «GraphQL over HTTP».

import { serverAudits } from 'graphql-http';
import { GraphQLClient } from 'graphql-request';

const [address, calls] = process.argv.slice(2);
const url = `http://${address}/graphql`;

if (calls === 'audit') {
  for (const { id, name, fn } of serverAudits({ url, fetchFn: fetch })) {
    const { status, reason, response } = await fn();
    console.log(JSON.stringify({ call: id, name, status, reason, answer: response?.status }));
  }
} else {
  for (const [number, [method, document, variables]] of JSON.parse(calls).entries()) {
    const client = new GraphQLClient(url, { method });
    try {
      const { data, status } = await client.rawRequest(document, variables);
      console.log(JSON.stringify({ call: number, status, data }));
    } catch (error) {
      const { status, errors, kind, type } = error.response ?? { errors: String(error) };
      console.log(JSON.stringify({ call: number, status, errors, type: type ?? kind }));
    }
  }
}
