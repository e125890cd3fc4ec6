;; Takes memory page by page until there is none, then cannot go on.
;;! phases request
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then
    (loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0))))
    (unreachable)))
  (i32.const 0))
