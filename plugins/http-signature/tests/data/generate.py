"""Makes keys.json, interop.json and cavage.json: requests signed by libraries that are not ours.

python -m venv venv; venv/bin/pip install http-message-signatures==3.0.0; venv/bin/python generate.py RFC9421_SOURCE
The source is the text of RFC 9421, of which the keys of appendix B.1 are taken. Signatures of some algorithms differ in each run.
"""
import base64, datetime, hmac, json, re, sys
from cryptography.hazmat.primitives import hashes, serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms

CREATED = 1767225600  # 2026-01-01T00:00:00Z
RFC = open(sys.argv[1]).read()


def pem(kind, nth=0):
    return re.findall(rf"-----BEGIN {kind}-----.*?-----END {kind}-----\n", RFC, re.S)[nth].encode()


def spki(key):
    return key.public_bytes(ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo).decode()


rfc_rsa = ser.load_pem_public_key(pem("RSA PUBLIC KEY"))
rfc_pss, rfc_p256, rfc_ed = (ser.load_pem_public_key(pem("PUBLIC KEY", n)) for n in range(3))
ed = ed25519.Ed25519PrivateKey.generate()
p256 = ec.generate_private_key(ec.SECP256R1())
p384 = ec.generate_private_key(ec.SECP384R1())
rsa_key = rsa.generate_private_key(65537, 2048)
SECRET = "a shared secret of the interop tests"
keys = {
    "test-key-rsa": spki(rfc_rsa), "test-key-rsa-pss": spki(rfc_pss),
    "test-key-ecc-p256": spki(rfc_p256), "test-key-ed25519": spki(rfc_ed),
    "ed25519": spki(ed.public_key()), "p256": spki(p256.public_key()),
    "p384": spki(p384.public_key()), "rsa": spki(rsa_key.public_key()),
}
json.dump({"secret": SECRET, "public": keys}, open("keys.json", "w"), indent=1)


class Message:
    def __init__(self, method, url, headers):
        self.method, self.url, self.headers = method, url, dict(headers)


class Keys(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id):
        return {"secret": SECRET.encode(), "ed25519": ed, "p256": p256, "rsa": rsa_key}[key_id]


def sign(name, key, algorithm, url, components, method="GET", headers=None, body=None, **options):
    headers = dict(headers or {})
    headers["Host"] = re.match(r"https?://([^/]*)", url)[1]
    if body is not None:
        headers["Content-Length"] = str(len(body.encode()))
    message = Message(method, url, headers)
    signer = HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=Keys())
    signer.sign(message, key_id=key, covered_component_ids=components,
                body=None if body is None else body.encode(),
                created=datetime.datetime.fromtimestamp(CREATED, datetime.timezone.utc), **options)
    return {"name": name, "method": method, "url": url, "headers": list(message.headers.items()), "body": body}


A = algorithms
TARGET = ("@method", "@authority", "@path", "@query")
BODY = TARGET + ("content-digest",)
cases = [
    sign("hmac", "secret", A.HMAC_SHA256, "http://api.example/a/b?c=d", TARGET),
    sign("ed25519", "ed25519", A.ED25519, "https://api.example/a/b?c=d&e", TARGET),
    sign("p256 with a body", "p256", A.ECDSA_P256_SHA256, "https://api.example/", BODY, "POST", body='{"hello": "w\u00f6rld"}'),
    sign("rsa-pss", "rsa", A.RSA_PSS_SHA512, "https://api.example/", BODY, "PUT", body="x"),
    sign("rsa-v1_5", "rsa", A.RSA_V1_5_SHA256, "https://api.example/x", TARGET),
    sign("authority with its scheme's port", "ed25519", A.ED25519, "https://API.Example:443/x", ("@method", "@target-uri")),
    sign("authority with another port", "ed25519", A.ED25519, "https://API.Example:8443/x", ("@method", "@target-uri")),
    sign("no query", "ed25519", A.ED25519, "https://api.example/x", TARGET),
    sign("request target", "ed25519", A.ED25519, "http://api.example/x%2Fy?a=%20", ("@method", "@scheme", "@authority", "@request-target")),
    sign("query parameters", "ed25519", A.ED25519, "https://api.example/p?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&z=",
         TARGET + ('"@query-param";name="var"', '"@query-param";name="bar"', '"@query-param";name="fa%C3%A7ade%22%3A%20"', '"@query-param";name="z"')),
    sign("fields", "ed25519", A.ED25519, "https://api.example/x", TARGET + ("x-empty", "cache-control", "accept"),
         headers={"X-Empty": "", "Cache-Control": "max-age=60,   must-revalidate", "Accept": "a\tb"}),
    sign("structured fields", "ed25519", A.ED25519, "https://api.example/x", TARGET + ('"priority";sf', '"content-digest";key="sha-256"'), "POST",
         headers={"Priority": " u=1,   i"}, body="b"),
    sign("wrapped fields", "ed25519", A.ED25519, "https://api.example/x", TARGET + ('"x-a";bs',), headers={"X-A": "of, commas"}),
    sign("all parameters", "ed25519", A.ED25519, "https://api.example/x", TARGET, nonce="a \"nonce\" \\ of sorts", tag="an app",
         expires=datetime.datetime.fromtimestamp(CREATED + 60, datetime.timezone.utc), label="other", include_alg=True),
    sign("without alg", "p256", A.ECDSA_P256_SHA256, "https://api.example/x", TARGET, include_alg=False),
]


def fixed(signature, size):
    r, s = decode_dss_signature(signature)
    return r.to_bytes(size) + s.to_bytes(size)


# The library has no P-384: its base is written out here.
params = f'("@method" "@authority" "@path" "@query");created={CREATED};keyid="p384";alg="ecdsa-p384-sha384"'
base = f'"@method": GET\n"@authority": api.example\n"@path": /x\n"@query": ?\n"@signature-params": {params}'
made = base64.b64encode(fixed(p384.sign(base.encode(), ec.ECDSA(hashes.SHA384())), 48)).decode()
cases.append({"name": "p384", "method": "GET", "url": "https://api.example/x", "body": None,
              "headers": [["Host", "api.example"], ["Signature-Input", f"sig={params}"], ["Signature", f"sig=:{made}:"]]})
json.dump(cases, open("interop.json", "w"), indent=1)

# Appendix C of draft-cavage-http-signatures-12, whose 1024-bit key is too small for the gateway: the same request and signing
# strings with another key.
DATE, HOST, BODY = "Thu, 01 Jan 2026 00:00:00 GMT", "example.com", '{"hello": "world"}'
OLD_DIGEST = "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="
lines = {"(request-target)": "post /foo?param=value&pet=dog", "host": HOST, "date": DATE, "content-type": "application/json",
         "digest": OLD_DIGEST, "content-length": "18", "(created)": str(CREATED), "(expires)": str(CREATED + 60)}
makers = {
    "rsa-sha256": lambda text: rsa_key.sign(text, padding.PKCS1v15(), hashes.SHA256()),
    "rsa-pss": lambda text: rsa_key.sign(text, padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512()),
    "hmac-sha256": lambda text: hmac.digest(SECRET.encode(), text, "sha256"),
    "hmac-sha512": lambda text: hmac.digest(SECRET.encode(), text, "sha512"),
    "ed25519": lambda text: ed.sign(text),
}


def cavage(name, key, maker, algorithm, headers, times=""):
    covered = headers.split() if headers else ["(created)"]
    text = "\n".join(f"{line}: {lines[line]}" for line in covered)
    signature = base64.b64encode(makers[maker](text.encode())).decode()
    fields = f'keyId="{key}",' + (f'algorithm="{algorithm}",' if algorithm else "") + times
    fields += (f'headers="{headers}",' if headers else "") + f'signature="{signature}"'
    return {"name": name, "covered": covered, "credentials": fields}


FULL = "(request-target) host date content-type digest content-length"
json.dump([
    cavage("C.1 default test", "rsa", "rsa-sha256", "rsa-sha256", "date"),
    cavage("C.2 basic test", "rsa", "rsa-sha256", "rsa-sha256", "(request-target) host date"),
    cavage("C.3 all headers test", "rsa", "rsa-sha256", "rsa-sha256", FULL),
    cavage("hs2019 with rsa", "rsa", "rsa-pss", "hs2019", "(request-target) host (created) (expires) digest",
           f"created={CREATED},expires={CREATED + 60},"),
    cavage("hs2019 with hmac", "secret", "hmac-sha512", "hs2019", "(request-target) (created) digest", f"created={CREATED},"),
    cavage("no algorithm", "ed25519", "ed25519", None, "(request-target) (created)", f"created={CREATED},"),
    cavage("no headers", "ed25519", "ed25519", "hs2019", None, f"created={CREATED},"),
    cavage("hmac-sha256", "secret", "hmac-sha256", "hmac-sha256", FULL),
], open("cavage.json", "w"), indent=1)
