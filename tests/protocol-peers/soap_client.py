"""zeep, a SOAP client for Python. `soap_client.py ADDRESS CALLS` reads the WSDL at `http://ADDRESS/soap?wsdl` and makes the
calls, which are JSON: `[[port, operation, {arguments}, {headers}], ..]`. It prints a line of JSON for each."""

import json
import sys

import zeep
from zeep.helpers import serialize_object

address, calls = sys.argv[1:]
# What a service answers is held to its schema.
client = zeep.Client(f"http://{address}/soap?wsdl", settings=zeep.Settings(strict=True))
[(_, service)] = client.wsdl.services.items()


def told(element):
    """An element of a fault's detail: its name, and what is in it."""
    children = {child.tag: told(child) for child in element}
    return children or element.text


for number, (port, operation, arguments, headers) in enumerate(json.loads(calls)):
    seen = {"call": number}
    try:
        # The address is the gateway's, whatever the WSDL says.
        proxy = client.create_service(service.ports[port].binding.name, f"http://{address}/soap")
        answer = proxy[operation](**arguments, **({"_soapheaders": headers} if headers else {}))
        seen["answer"] = serialize_object(answer, dict)
    except zeep.exceptions.Fault as fault:
        detail = {child.tag: told(child) for child in fault.detail} if fault.detail is not None else None
        subcodes = [str(code) for code in fault.subcodes or ()]
        seen["fault"] = {"code": fault.code, "message": fault.message, "subcodes": subcodes, "detail": detail}
    print(json.dumps(seen, default=str), flush=True)
