"""Asks jq what it answers, for `../jq.rs`.

    pip install jq==1.13.0            # the bindings that carry jq 1.8.2
    pip download --no-binary :all: --no-deps jq==1.13.0   # jq's source is in it: deps/jq-1.8.2.tar.gz
    python3 generate.py [TESTS]       # TESTS: the folder `tests` of that source

Writes `own.jsonl` from `own.txt` and, with TESTS, `official.jsonl` from jq's own test suites: one case a line, with the
filter, the input, and what jq answers. `output` is JSON text, so that no number passes through a float. `error` is
true if an error came after these outputs, and `compile` if the filter is none.
"""

import json
import pathlib
import sys

import jq

HERE = pathlib.Path(__file__).parent
SUITES = ["jq", "man", "onig", "manonig", "base64", "uri", "optional"]


def ask(program, text):
    try:
        # On lines of its own, so that a comment at its end and `$__loc__` stay what they are.
        compiled = jq.compile(f"({program}\n)|tojson")
    except ValueError:
        return {"compile": True}
    output = []
    try:
        for value in compiled.input_text(text):
            output.append(value)
    except ValueError:
        return {"output": output, "error": True}
    return {"output": output}


def case(suite, program, text):
    return json.dumps({"suite": suite, "filter": program, "input": text, **ask(program, text)}, ensure_ascii=False)


def own():
    for line in (HERE / "own.txt").read_text().splitlines():
        if line and not line.startswith("# "):
            program, text = line.split("\t")
            yield case("own", program, text)


def official(folder):
    for suite in SUITES:
        lines = (folder / f"{suite}.test").read_bytes().removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
        block = []
        for line in [*lines.split("\n"), ""]:
            if line.lstrip().startswith("#") and not block:
                continue
            if line.strip():
                block.append(line)
                continue
            if block:
                failing = block[0].startswith("%%FAIL")
                program, text = (block[1], "null") if failing else (block[0], block[1])
                yield case(suite, program, text)
            block = []


def write(name, cases):
    (HERE / name).write_text("".join(f"{line}\n" for line in cases))


write("own.jsonl", own())
if len(sys.argv) > 1:
    write("official.jsonl", official(pathlib.Path(sys.argv[1])))
