"""Asks two JSONPath implementations what queries select, for `src/path/conformance.rs`.

    pip install jsonpath-rfc9535==1.0.1
    python3 generate.py SECOND        # SECOND: the program that `second.rs` is built to, with serde_json_path 0.7.2

Writes `expected.json` from `cases.txt` and the rows made below. Where the two differ, `decided.tsv` has to say which is
right by RFC 9535, and why; where both select from what `cases.txt` has as refused, or refuse what it does not, nothing
is written. Both are asked about `rfc.json` as well, whose results are those of the RFC.
"""

import itertools
import json
import pathlib
import subprocess
import sys

import jsonpath_rfc9535

HERE = pathlib.Path(__file__).parent
ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", "'": "\\'", "\\": "\\\\"}


def normalized(location):
    """RFC 9535 section 2.7."""
    quote = lambda char: ESCAPES.get(char) or (f"\\u{ord(char):04x}" if char < " " else char)
    return "$" + "".join(f"['{''.join(map(quote, at))}']" if isinstance(at, str) else f"[{at}]" for at in location)


def first(query, document):
    """Pairs of a location and a value; none if the query is refused; a string if the implementation fails."""
    try:
        compiled = jsonpath_rfc9535.compile(query)
    except jsonpath_rfc9535.JSONPathError:
        return None
    try:
        nodes = compiled.find(document)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    assert all(node.path() == normalized(node.location) for node in nodes), query
    return [[list(node.location), node.value] for node in nodes]


def second(pairs):
    asked = json.dumps([{"query": query, "document": document} for query, document in pairs])
    return json.loads(subprocess.run([sys.argv[1]], input=asked, stdout=subprocess.PIPE, text=True, check=True).stdout)


def same(left, right):
    """Equal as JSON: neither is 1 true, nor 1.0 written as 1."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def listed(documents):
    """Pairs of a document's name, or none for what is refused, and a query. Fills in the documents."""
    name = None
    for line in (HERE / "cases.txt").read_text().split("\n"):
        word, _, rest = line.partition(" ")
        if not line or line.startswith("# "):
            continue
        if word == "document":
            key, _, text = rest.partition(" ")
            documents[key] = json.loads(text)
        elif word in ("on", "refused"):
            name = rest or None
        else:
            yield name, json.loads(line) if line.startswith('"') else line


def slices():
    bounds = ["", "0", "2", "6", "7", "-1", "-4", "-7", "-9"]
    for start, end, step in itertools.product(range(9), range(9), enumerate(["", "1", "3", "-1", "-2"])):
        # One in three, in which every pair of bounds and every bound with every step occurs.
        if (start + end + step[0]) % 3 == 0:
            yield "letters", f"$[{bounds[start]}:{bounds[end]}:{step[1]}]"


def comparisons():
    literals = "null true false 0 1 -1.5 1.0 '' 'a' \"b\" '1' $.nothing $[12] $[15]".split()
    for operator, literal in itertools.product("== != < <= > >=".split(), literals):
        yield "types", f"$[?@{operator}{literal}]"
    for operator, literal in itertools.product("== != < >=".split(), "null 1 'a' $.nothing @.b".split()):
        yield "types", f"$[?@.a {operator} {literal}]"


def decisions():
    for line in (HERE / "decided.tsv").read_text().splitlines():
        if line.count("\t") == 3:
            right, _, name, query = line.split("\t")
            yield (None if name == "-" else name, json.loads(query)), right


def main():
    documents, out, trouble = {}, [], []
    cases = [*listed(documents), *slices(), *comparisons()]
    assert len(set(cases)) == len(cases), [case for case in cases if cases.count(case) > 1]
    decided = dict(decisions())
    answers = second((query, documents.get(name)) for name, query in cases)
    for (name, query), other in zip(cases, answers):
        nodes = first(query, documents.get(name))
        right = decided.pop((name, query), None)
        if (right is None) != same(nodes, other):
            trouble.append(f"{name or '-'}\t{json.dumps(query)}: first {nodes}, second {other}")
            continue
        nodes = other if right == "second" else nodes
        if (nodes is None) != (name is None):
            trouble.append(f"{name or '-'}\t{json.dumps(query)}: {'it is none' if nodes is None else 'it is one'}")
        elif nodes is None:
            out.append({"query": query})
        else:
            paths, values = [normalized(location) for location, _ in nodes], [value for _, value in nodes]
            out.append({"query": query, "on": name, "values": values, "paths": paths})
    rfc = json.loads((HERE / "rfc.json").read_text())
    cases = [(case["query"], rfc["documents"].get(case.get("on"))) for case in rfc["cases"]]
    for case, document, other in zip(rfc["cases"], cases, second(cases)):
        for who, nodes in [("first", first(*document)), ("second", other)]:
            found = nodes and {"paths": [normalized(at) for at, _ in nodes], "values": [value for _, value in nodes]}
            found = {"paths": [], "values": []} if nodes == [] else found or {}
            wanted = {key: case[key] for key in ("paths", "values") if key in case}
            wrong = who == "second" and decided.pop((case.get("on"), case["query"]), None) == "first"
            if same(wanted, found) == wrong:
                trouble.append(f"rfc.json {case['query']!r}: {who} {nodes}")
    trouble += [f"not asked, or not about: {case}" for case in decided]
    if trouble:
        raise SystemExit("\n".join(trouble))
    texts = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in documents.items()]
    lines = [json.dumps(case, ensure_ascii=False) for case in out]
    whole = '{"documents": {\n' + ",\n".join(texts) + '\n},\n"cases": [\n' + ",\n".join(lines) + "\n]}\n"
    (HERE / "expected.json").write_text(whole)
    print(f"{len(out)} cases, {sum('on' not in case for case in out)} of them refused, and {len(cases)} of the RFC")


main()
