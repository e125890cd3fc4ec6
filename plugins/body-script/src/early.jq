# In front of jaq's standard library, which builds on these.

def tostring: if . >= "" and . < [] then . else tojson end;
