// A SOAP service by node-soap. `soap_server.mjs VERSION WSDL` takes a free port, speaks SOAP 1.1 or 1.2 at `/soap`, and prints
// `listening on ADDRESS`.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import soap from 'soap';

const [version, wsdl] = process.argv.slice(2);

// The same failure in the words of either version.
function fault(message, order) {
  const detail = { 'tns:OrderUnknown': { 'tns:Order': order } };
  const words = version === '1.2'
    ? { Code: { Value: 'soap:Sender', Subcode: { Value: 'tns:NotFound' } }, Reason: { Text: message }, Detail: detail }
    : { faultcode: 'soap:Client', faultstring: message, detail };
  return { Fault: { ...words, statusCode: 500 } };
}

const nil = { attributes: { 'xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance', 'xsi:nil': 'true' } };

const operations = {
  GetOrder({ OrderId, Expand }, _, headers) {
    const id = Number(OrderId);
    if (id === 500) throw new Error('the service is broken');
    if (id !== 42) throw fault(`there is no order ${id} <&>`, id);
    const tenant = headers?.Session?.Tenant ?? 'nobody';
    return {
      attributes: { id },
      'c:Customer': { attributes: { vip: 'true' }, 'c:Name': `Ann & Bo of ${tenant}, ${[Expand ?? []].flat().join(' and ')}` },
      'tns:Total': { attributes: { currency: 'EUR' }, $value: '19.50' },
      'tns:Items': {
        'tns:Item': [
          { attributes: { sku: 'a' }, 'tns:Count': 2, 'tns:Note': nil },
          { attributes: { sku: 'b' }, 'tns:Count': 1, 'tns:Note': 'fragile' },
        ],
      },
    };
  },
  CreateOrder({ Customer, Items }) {
    const items = [Items?.Item ?? []].flat();
    const count = items.reduce((sum, { Count }) => sum + Number(Count), 0);
    return { 'tns:Id': count, 'tns:Link': `/orders/${Customer.Name}/${items.map(({ attributes }) => attributes.sku).join('+')}` };
  },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const services = { Orders: { Soap11: operations, Soap12: operations } };
  const options = { path: '/soap', services, xml: readFileSync(wsdl, 'utf8'), forceSoap12Headers: version === '1.2' };
  soap.listen(server, options);
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
process.stdin.on('end', () => process.exit()).resume();
