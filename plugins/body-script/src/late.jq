# What jaq's standard library lacks of jq's, or does in another way.

def type: rtype;
def toboolean:
  if type == "boolean" then .
  elif . == "true" then true
  elif . == "false" then false
  else error("\(type) (\(tojson)) cannot be parsed as a boolean") end;
def getpath($path):
  if ($path | type) != "array" then error("Path must be specified as an array")
  else reduce $path[] as $key (.; .[$key]) end;
def delpaths($paths): reduce ($paths | sort | reverse)[] as $path (.; delpath($path));
def del(f): delpaths([path(f)]);
def pick(f): . as $input | reduce path(f) as $path (null; setpath($path; $input | getpath($path)));
def transpose: (map(length) | max // 0) as $width | [range($width) as $i | [.[][$i]]];
def in(xs): . as $key | xs | has($key);
def inside(xs): . as $part | xs | contains($part);
def index($part): indices($part) | if . == null then null else .[0] end;
def rindex($part): indices($part) | if . == null then null else .[-1:][0] end;
def reverse: if type == "null" or type == "array" then [.[length - 1 - range(length)]]
  else error("Cannot reverse \(type)") end;
def isnormal: type == "number" and (isnan or isinfinite | not) and abs >= 2.2250738585072014e-308;
def normals: select(isnormal);
def flatten($depth):
  def flat($depth): reduce .[] as $x ([];
    if ($x | type) == "array" and $depth != 0 then . + ($x | flat($depth - 1)) else . + [$x] end);
  if $depth < 0 then error("flatten depth must not be negative") else flat($depth) end;
def flatten: [.[] | recurse(arrays[]) | select(isarray | not)];
def join($separator):
  reduce .[] as $x (null;
    (if . == null then "" else . + $separator end)
    + (if $x == null then "" elif ($x | type | . == "boolean" or . == "number") then $x | tojson else $x end))
  // "";
def from_entries:
  reduce .[] as $entry ({};
    . + {($entry
      | if .key == null then .k // .name // .Name // .K // .Key else .key end
      | if type == "string" then . else tojson end):
      ($entry | if has("value") then .value elif has("v") then .v else .Value end)});
def with_entries(f): to_entries | map(f) | from_entries;
def ltrimstr($fix): if startswith($fix) then .[($fix | length):] end;
def rtrimstr($fix): if endswith($fix) and $fix != "" then .[:length - ($fix | length)] end;
def trimstr($fix): ltrimstr($fix) | rtrimstr($fix);
def nth($n; f): if $n < 0 then error("nth doesn't support negative indices") else first(skip($n; f)) end;
def tostream: path(def r: (.[]? | r), .; r) as $path
  | getpath($path) | reduce path(.[]?) as $last ([$path, .]; [$path + $last]);
def fromstream(f): {x: null, e: false} as $init
  | foreach f as $i ($init;
      if .e then $init end
      | if $i | length == 2
        then setpath(["e"]; $i[0] | length == 0) | setpath(["x"] + $i[0]; $i[1])
        else setpath(["e"]; $i[0] | length == 1) end;
      if .e then .x else empty end);
def truncate_stream(stream): . as $n | null
  | stream | . as $input
  | if (.[0] | length) > $n then setpath([0]; .[0][$n:]) else empty end;
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] |= $row);
def INDEX(f): INDEX(.[]; f);
def JOIN($index; f): [.[] | [., $index[f]]];
def JOIN($index; stream; f): stream | [., $index[f]];
def JOIN($index; stream; f; g): stream | [., $index[f]] | g;

# A regular expression may come in an array with its flags.
def regex_and_flags: if type == "array" and length > 0 then [.[0], .[1] // ""]
  elif type == "string" then [., ""] else error("\(type) (\(tojson)) is no regular expression") end;
def test($value): ($value | regex_and_flags) as [$re, $flags] | test($re; $flags);
def capture($value): ($value | regex_and_flags) as [$re, $flags] | capture($re; $flags);
def scan($value): ($value | regex_and_flags) as [$re, $flags] | scan($re; $flags);

def match(re; flags): matches(re; flags)[] | .[0] + {captures: (.[1:] | map(. + {name}))};
def match($value): ($value | regex_and_flags) as [$re, $flags] | match($re; $flags);

def todateiso8601: strftime("%Y-%m-%dT%H:%M:%SZ");
def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def todate: todateiso8601;
def fromdate: fromdateiso8601;

def have_literal_numbers: true;
def have_decnum: true;
def gamma: lgamma;

def @text: tostring;
def @json: tojson;
def @csv: if type != "array" then error("\(type) (\(tojson)) cannot be csv-formatted, only an array can be") else
  map(type as $type | if $type == "number" or $type == "boolean" then tojson
    elif $type == "null" then ""
    elif $type == "string" then "\"" + (split("\"") | join("\"\"")) + "\""
    else error("\($type) (\(tojson)) is not valid in a csv row") end) | join(",") end;
def @tsv: if type != "array" then error("\(type) (\(tojson)) cannot be tsv-formatted, only an array can be") else
  map(type as $type | if $type == "number" or $type == "boolean" then tojson
    elif $type == "null" then ""
    elif $type == "string" then
      split("\\") | join("\\\\") | split("\t") | join("\\t") | split("\n") | join("\\n") | split("\r") | join("\\r")
    else error("\($type) (\(tojson)) is not valid in a tsv row") end) | join("\t") end;
