# In front of jaq's own definitions, which use it. A step of zero and a bound that is no number would never end.

def range($from; $upto; $by):
  def number: . > (0 == 0) and . < "";
  if (($from | number) and ($upto | number) and ($by | number)) != (0 == 0) then
    "range bounds must be numbers" | error_empty
  elif $by == 0 then {}[]
  else range_by($from; $upto; $by) end;

def limit($n; f): if $n < 0 then "limit doesn't support negative count" | error_empty else limit_by($n; f) end;
def skip($n; f): if $n < 0 then "skip doesn't support negative count" | error_empty else skip_by($n; f) end;
