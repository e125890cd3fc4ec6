-- An action that does nothing, for the chains.
core.register_action("noop", { "http-req", "http-res" }, function() end)
