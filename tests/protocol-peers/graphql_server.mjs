// A GraphQL service by the reference implementation: `graphql` and `graphql-http`. It takes a free port, serves `/graphql`, and
// prints `listening on ADDRESS`, then a line for each operation that is executed: its name and its variables.

import { createServer } from 'node:http';

import { GraphQLError, buildSchema } from 'graphql';
import { createHandler } from 'graphql-http/lib/use/http';

const schema = buildSchema(`
  enum Sort { PRICE NAME }
  input ReviewInput { text: String! stars: Int! = 5 }
  type Review { id: ID! text: String! stars: Int! author: String! }
  type Product { id: ID! name: String! price: Float stock: Int reviews(first: Int = 3): [Review!]! related: [Product!]! }
  type Edge { node: Product }
  type Products { edges: [Edge!]! about: String! }
  type Query {
    product(id: ID!): Product
    products(search: String, sort: Sort! = NAME, first: Int! = 20, tags: [String!], tenant: ID!): Products!
  }
  type Mutation { addReview(product: ID!, review: ReviewInput!, author: String!): Review }
`);

const failure = (message, code) => new GraphQLError(message, { extensions: { code } });

const product = (id, name, price) => ({
  id,
  name,
  price,
  stock: () => { throw failure('the warehouse is closed', 'WAREHOUSE_CLOSED'); },
  reviews: ({ first }) => Array.from({ length: first }, (_, number) => ({ id: `r${number}`, text: 'good', stars: 4, author: 'ann' })),
  related: () => [...products.values()],
});
const products = new Map([['7', product('7', 'Chair', 49.5)], ['8', product('8', 'Table', 120)]]);

const rootValue = {
  product({ id }) {
    if (id === 'secret') throw failure('you may not', 'FORBIDDEN');
    if (id === 'broken') throw new Error('password of the database');
    return products.get(id) ?? null;
  },
  products({ first, ...rest }) {
    const edges = [...products.values()].slice(0, first).map((node) => ({ node }));
    return { edges, about: JSON.stringify({ first, ...rest }) };
  },
  addReview({ product: id, review, author }) {
    if (!products.has(id)) throw failure('no such product', 'NOT_FOUND');
    if (review.text === 'none left') throw failure('sold out', 'OUT_OF_STOCK');
    return { id: 'r9', ...review, author };
  },
};

const handler = createHandler({
  schema,
  rootValue,
  onOperation: (_, { operationName, variableValues }) => {
    console.log(JSON.stringify({ operation: operationName ?? null, variables: variableValues ?? {} }));
  },
});
const server = createServer((request, response) => {
  if (new URL(request.url, 'http://a').pathname === '/graphql') handler(request, response);
  else response.writeHead(404).end();
});
server.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
process.stdin.on('end', () => process.exit()).resume();
