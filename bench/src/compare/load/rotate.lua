-- Sends the requests of a file in turn: each is its length in a line, then its bytes.
local requests, count, turn = {}, 0, 0

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   while true do
      local length = file:read("*n")
      if not length then break end
      file:read(1)
      count = count + 1
      requests[count] = file:read(length)
   end
   file:close()
end

function request()
   turn = turn % count + 1
   return requests[turn]
end
