"""Makes tokens.json with PyJWT and cryptography: signers that share no code with the gateway.

    python -m venv venv && venv/bin/pip install pyjwt cryptography && venv/bin/python generate.py > tokens.json

Keys are new in every run. Private keys are not written.
"""

import base64
import hashlib
import hmac
import json

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

NOW = 1_800_000_000
ISSUER, AUDIENCE = "https://issuer.example", "https://api.example"
SECRET = "a secret of more than sixty-four bytes, which HS512 wants at the very least"
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW - 60, "exp": NOW + 3600, "scope": "read write"}
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

private = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "rsa-other": rsa.generate_private_key(65537, 2048),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
kinds = {"rsa": jwt.algorithms.RSAAlgorithm, "p": jwt.algorithms.ECAlgorithm, "ed25519": jwt.algorithms.OKPAlgorithm}


def pem(name):
    return private[name].public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def jwk(name):
    kind = next(kind for prefix, kind in kinds.items() if name.startswith(prefix))
    made = kind.to_jwk(private[name].public_key(), as_dict=True)
    made.pop("key_ops", None)
    return {**made, "kid": name}


def b64(data):
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(name, claims=CLAIMS, algorithm=None, **header):
    default = {"rsa": "RS256", "rsa-other": "RS256", "p256": "ES256", "p384": "ES384", "p521": "ES512", "ed25519": "EdDSA"}
    return jwt.encode(claims, private[name], algorithm or default[name], headers={"kid": name, **header})


def es256(header, payload=None):
    """Signs texts as they are, for headers and claims that PyJWT would not write."""
    payload = json.dumps(CLAIMS) if payload is None else payload
    signed = b64(header) + "." + b64(payload)
    r, s = utils.decode_dss_signature(private["p256"].sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return signed + "." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def hs256(secret, header):
    signed = b64(json.dumps(header)) + "." + b64(json.dumps(CLAIMS))
    return signed + "." + b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())


def with_claims(**changes):
    return sign("p256", {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None})


def with_signature(raw):
    return sign("p256").rsplit(".", 1)[0] + "." + b64(raw)


def number(value, size=32):
    return value.to_bytes(size, "big")


good = sign("p256")
signed, signature = good.rsplit(".", 1)
raw = base64.urlsafe_b64decode(signature + "==")
rs = sign("rsa")
der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
claims_text, own_jwk = json.dumps(CLAIMS), jwk("rsa-other")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def leftover(part):
    """The same bytes with other bits left over at the end."""
    return part[:-1] + ALPHABET[ALPHABET.index(part[-1]) ^ 1]


def outsider(**header):
    return jwt.encode(CLAIMS, private["rsa-other"], "RS256", headers=header)


MALFORMED, SIGNATURE, ALGORITHM = "the token is malformed", "the signature is not valid", "the algorithm is not accepted"
UNKNOWN = "the token is signed with a key that is not known"
refused = {
    # RFC 8725 section 2.1: algorithms that the token chooses.
    "alg none": (b64('{"alg":"none"}') + "." + b64(claims_text) + ".", ALGORITHM),
    "alg none with a signature": (b64('{"alg":"none"}') + "." + b64(claims_text) + "." + signature, ALGORITHM),
    "alg None": (b64('{"alg":"None"}') + "." + b64(claims_text) + ".", ALGORITHM),
    "alg NONE": (b64('{"alg":"NONE"}') + "." + b64(claims_text) + ".", ALGORITHM),
    "alg nOnE": (b64('{"alg":"nOnE"}') + "." + b64(claims_text) + ".", ALGORITHM),
    "alg empty": (es256('{"alg":""}'), ALGORITHM),
    "alg with a blank": (es256('{"alg":"ES256 "}'), ALGORITHM),
    "alg in lower case": (es256('{"alg":"es256"}'), ALGORITHM),
    "alg missing": (es256('{"typ":"JWT"}'), MALFORMED),
    "alg twice": (es256('{"alg":"none","alg":"ES256"}'), MALFORMED),
    "alg twice with an escape": (es256('{"alg":"ES256","\\u0061lg":"none"}'), MALFORMED),
    "RSA key in PEM as an HMAC secret": (hs256(pem("rsa").encode(), {"alg": "HS256", "kid": "rsa"}), ALGORITHM),
    "RSA key in PEM without its last newline": (hs256(pem("rsa").strip().encode(), {"alg": "HS256", "kid": "rsa"}), ALGORITHM),
    "RSA key in DER as an HMAC secret": (hs256(private["rsa"].public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo), {"alg": "HS256", "kid": "rsa"}), ALGORITHM),
    "RSA modulus as an HMAC secret": (hs256(jwk("rsa")["n"].encode(), {"alg": "HS256", "kid": "rsa"}), ALGORITHM),
    "HMAC with an empty secret": (hs256(b"", {"alg": "HS256", "kid": "rsa"}), ALGORITHM),
    "ES256 key named for RS256": (es256('{"alg":"RS256","kid":"p256"}'), UNKNOWN),
    "RS256 signature called PS256": (b64('{"alg":"PS256","kid":"rsa"}') + "." + rs.split(".", 1)[1], SIGNATURE),
    # Signatures.
    "signature missing": (signed + ".", "the token is not signed"),
    "signature and its dot missing": (signed, MALFORMED),
    "signature of zeros": (with_signature(bytes(64)), SIGNATURE),
    "signature of one zero": (with_signature(bytes(1)), SIGNATURE),
    "r is zero": (with_signature(bytes(32) + raw[32:]), SIGNATURE),
    "s is zero": (with_signature(raw[:32] + bytes(32)), SIGNATURE),
    "r and s are the order": (with_signature(number(P256_ORDER) * 2), SIGNATURE),
    "r is one and s is one": (with_signature(number(1) * 2), SIGNATURE),
    "r and s are swapped": (with_signature(raw[32:] + raw[:32]), SIGNATURE),
    "r plus the order": (with_signature(number((int.from_bytes(raw[:32], "big") + P256_ORDER) % 2**256) + raw[32:]), SIGNATURE),
    "signature in DER": (with_signature(der), SIGNATURE),
    "signature cut short": (with_signature(raw[:-1]), SIGNATURE),
    "signature cut in half": (with_signature(raw[:32]), SIGNATURE),
    "signature with a byte more": (with_signature(raw + b"\0"), SIGNATURE),
    "signature with a byte before": (with_signature(b"\0" + raw), SIGNATURE),
    "signature of other claims": (signed + "." + with_claims(sub="bob").rsplit(".", 1)[1], SIGNATURE),
    "claims of another token": (with_claims(sub="admin").rsplit(".", 1)[0] + "." + signature, SIGNATURE),
    "header of another token": (b64('{"alg":"ES256"}') + "." + signed.split(".")[1] + "." + signature, SIGNATURE),
    "RSA signature cut short": (rs.rsplit(".", 1)[0] + "." + b64(base64.urlsafe_b64decode(rs.rsplit(".", 1)[1] + "==")[:-1]), SIGNATURE),
    "RSA signature of zeros": (rs.rsplit(".", 1)[0] + "." + b64(bytes(256)), SIGNATURE),
    "RSA signature of one": (rs.rsplit(".", 1)[0] + "." + b64(number(1, 256)), SIGNATURE),
    # Keys that the token brings or points to (RFC 8725 sections 2.6, 3.10).
    "jwk in the header": (outsider(jwk=own_jwk), SIGNATURE),
    "jwk in the header and its kid": (outsider(jwk=own_jwk, kid="rsa-other"), UNKNOWN),
    "jku in the header": (outsider(jku="http://127.0.0.1:1/jwks.json", kid="rsa-other"), UNKNOWN),
    "x5u in the header": (outsider(x5u="http://127.0.0.1:1/cert.pem", kid="rsa-other"), UNKNOWN),
    "x5c in the header": (outsider(x5c=["AAAA"], kid="rsa"), SIGNATURE),
    "kid that is a path": (sign("p256", kid="../../../../dev/null"), UNKNOWN),
    "kid that is SQL": (sign("p256", kid="p256' OR '1'='1"), UNKNOWN),
    "kid that is a URL": (sign("p256", kid="http://127.0.0.1:1/key"), UNKNOWN),
    "kid with a zero": (es256('{"alg":"ES256","kid":"p256\\u0000"}'), MALFORMED),
    "kid empty": (es256('{"alg":"ES256","kid":""}'), MALFORMED),
    "kid too long": (es256(json.dumps({"alg": "ES256", "kid": "k" * 257})), MALFORMED),
    "kid of another key": (sign("p256", kid="rsa"), UNKNOWN),
    # Headers.
    "crit": (es256('{"alg":"ES256","crit":["exp"],"exp":1}'), "the token has critical extensions, of which none is understood"),
    "crit empty": (es256('{"alg":"ES256","crit":[]}'), "the token has critical extensions, of which none is understood"),
    "b64": (es256('{"alg":"ES256","b64":false}'), "the token has a payload that is not encoded"),
    "zip": (es256('{"alg":"ES256","zip":"DEF"}'), "the token is compressed"),
    "nested": (es256('{"alg":"ES256","cty":"JWT"}', good), "the token is nested in another one"),
    "encrypted": (b64('{"alg":"dir","enc":"A128GCM"}') + "..AAAA.AAAA.AAAA", "the token is encrypted"),
    "header that is a list": (es256('["ES256"]'), MALFORMED),
    "header that is not JSON": (es256("ES256"), MALFORMED),
    "header with more after it": (es256('{"alg":"ES256"}{}'), MALFORMED),
    "header that is not UTF-8": (es256(b'{"alg":"ES256","x":"\xff"}'), MALFORMED),
    "typ of a logout token": (es256('{"alg":"ES256","typ":"logout+jwt"}'), "the token is of another type"),
    "typ of a DPoP proof": (es256('{"alg":"ES256","typ":"dpop+jwt"}'), "the token is of another type"),
    # The way of writing it.
    "padded": (good + "=", MALFORMED),
    "bits left over": (signed + "." + leftover(signature), MALFORMED),
    "base64 of the other alphabet": (good.replace("-", "+").replace("_", "/") if set(good) & set("-_") else good + "+", MALFORMED),
    "a dot more": (good + ".", MALFORMED),
    "an inner blank": (signed + ". " + signature, MALFORMED),
    "a token in quotes": ('"' + good + '"', MALFORMED),
    "the JSON form": (json.dumps({"payload": signed.split(".")[1], "protected": signed.split(".")[0], "signature": signature}), MALFORMED),
    "two tokens in one": (good + "," + good, "the token is encrypted"),
    "too long": (es256('{"alg":"ES256"}', json.dumps({**CLAIMS, "x": "x" * 16384})), "the token is too long"),
    # Claims.
    "claims that are not JSON": (es256('{"alg":"ES256"}', "hello"), "the claims are malformed"),
    "claims that are a list": (es256('{"alg":"ES256"}', "[]"), "the claims are malformed"),
    "claims empty": (es256('{"alg":"ES256"}', ""), "the claims are malformed"),
    "a claim twice": (es256('{"alg":"ES256"}', claims_text[:-1] + ', "sub": "admin"}'), "the claims are malformed"),
    "an inner member twice": (es256('{"alg":"ES256"}', claims_text[:-1] + ', "x": {"y": 1, "y": 2}}'), "the claims are malformed"),
    "claims too deep": (es256('{"alg":"ES256"}', claims_text[:-1] + ', "x": ' + "[" * 40 + "]" * 40 + "}"), "the claims are malformed"),
    "exp that is infinite": (es256('{"alg":"ES256"}', claims_text.replace(str(NOW + 3600), "1e999")), "the claims are malformed"),
    "iss missing": (with_claims(iss=None), "`iss` is missing"),
    "iss of another": (with_claims(iss="https://issuer.example.evil"), "the issuer is not accepted"),
    "iss with a slash more": (with_claims(iss=ISSUER + "/"), "the issuer is not accepted"),
    "iss in another case": (with_claims(iss=ISSUER.upper()), "the issuer is not accepted"),
    "iss in a list": (es256('{"alg":"ES256"}', json.dumps({**CLAIMS, "iss": [ISSUER]})), MALFORMED),
    "aud missing": (with_claims(aud=None), "`aud` is missing"),
    "aud of another": (with_claims(aud="https://other.example"), "the token is for somebody else"),
    "aud list of others": (with_claims(aud=["https://other.example", "https://api.example/"]), "the token is for somebody else"),
    "aud empty list": (with_claims(aud=[]), "the token is for somebody else"),
    "aud a number": (es256('{"alg":"ES256"}', json.dumps({**CLAIMS, "aud": 7})), "`aud` is malformed"),
    "exp missing": (with_claims(exp=None), "`exp` is missing"),
    "exp a text": (es256('{"alg":"ES256"}', json.dumps({**CLAIMS, "exp": str(NOW + 3600)})), "a time is malformed"),
    "exp in milliseconds": (with_claims(exp=(NOW + 3600) * 1000), "a time is malformed"),
    "exp negative": (with_claims(exp=-1), "a time is malformed"),
    "exp passed": (with_claims(exp=NOW - 31), "the token has expired"),
    "exp passed by just the leeway": (with_claims(exp=NOW - 30), "the token has expired"),
    "nbf to come": (with_claims(nbf=NOW + 31), "the token is not valid yet"),
    "iat to come": (with_claims(iat=NOW + 31), "the token is not valid yet"),
    "sub a number": (es256('{"alg":"ES256"}', json.dumps({**CLAIMS, "sub": 7})), MALFORMED),
    "expired and for another": (with_claims(exp=NOW - 3600, aud="https://other.example"), "the token is for somebody else"),
}
accepted = {
    "no kid": es256('{"alg":"ES256"}'),
    "unknown members in the header": es256('{"alg":"ES256","kid":"p256","x":[1,{"y":null}],"jku":7}'),
    "blanks in the JSON": es256('{ "alg" :\r\n\t"ES256" }', json.dumps(CLAIMS, indent=2)),
    "escapes in the JSON": es256('{"\\u0061lg":"ES\\u0032\\u00356"}'),
    "typ at+jwt": sign("p256", typ="at+jwt"),
    "aud in a list": with_claims(aud=["https://other.example", AUDIENCE]),
    "exp passed within the leeway": with_claims(exp=NOW - 29),
    "exp with a fraction": with_claims(exp=NOW + 0.5),
    "nbf to come within the leeway": with_claims(nbf=NOW + 30),
    "iat to come within the leeway": with_claims(iat=NOW + 30),
    "far future": with_claims(exp=253402300799),
}
algorithms = {
    "RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
    "ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519",
}
by_algorithm = {name: {"key": key, "token": sign(key, algorithm=name)} for name, key in algorithms.items()}
ed = b64('{"alg":"Ed25519","kid":"ed25519"}') + "." + b64(claims_text)
by_algorithm["Ed25519"] = {"key": "ed25519", "token": ed + "." + b64(private["ed25519"].sign(ed.encode()))}
hmacs = {name: jwt.encode(CLAIMS, SECRET, name) for name in ("HS256", "HS384", "HS512")}
full = {**CLAIMS, "email": "alice@example.com", "roles": ["reader", "writer"], "realm": {"tier": "gold", "a/b": 7},
        "scp": ["ignored"], "jti": "t-1", "tenant": 42, "admin": False}
special = {
    "full": sign("p256", full),
    "bob": with_claims(sub="bob"),
    "nobody": with_claims(sub="nobody"),
    "no scope": with_claims(scope=None),
    "scp": with_claims(scope=None, scp=["read", "write"]),
    "header injection": with_claims(email="a@b\r\nx-admin: 1"),
    "comma in a role": with_claims(roles=["reader,admin"]),
    "no exp": with_claims(exp=None),
    "second issuer": sign("p384", {**CLAIMS, "iss": "https://second.example", "sub": "bob"}),
    "second issuer by the first's key": sign("p256", {**CLAIMS, "iss": "https://second.example"}),
    "second issuer by the first's key, unnamed": es256('{"alg":"ES256"}', json.dumps({**CLAIMS, "iss": "https://second.example"})),
    "third issuer": jwt.encode({**CLAIMS, "iss": "third"}, SECRET, "HS256"),
    "first issuer by the third's secret": jwt.encode(CLAIMS, SECRET, "HS256"),
    "HS256 with another secret": jwt.encode(CLAIMS, SECRET + "!", "HS256"),
}
tag = hmacs["HS256"].rsplit(".", 1)
special["HS256 cut short"] = tag[0] + "." + b64(base64.urlsafe_b64decode(tag[1] + "==")[:16])
# RFC 8705 section 3.1 and RFC 9449 section 6.1. Nobody parses the certificate.
for name, confirmation in {
    "bound to a certificate": {"x5t#S256": b64(hashlib.sha256(b"not really DER").digest())},
    "bound to another certificate": {"x5t#S256": b64(hashlib.sha256(b"another").digest())},
    "bound to a DPoP key": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
}.items():
    special[name] = jwt.encode({**CLAIMS, "cnf": confirmation}, SECRET, "HS256")

print(json.dumps({
    "now_ms": NOW * 1000,
    "secret": SECRET,
    "keys": {name: {"pem": pem(name), "jwk": jwk(name)} for name in private if name != "rsa-other"},
    "by_algorithm": by_algorithm,
    "hmacs": hmacs,
    "accepted": accepted,
    "special": special,
    "refused": {name: {"token": token, "detail": detail} for name, (token, detail) in refused.items()},
}, indent=1))
