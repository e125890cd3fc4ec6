;; Takes table elements until there are none, then cannot go on.
;;! phases request
(table $table 1 funcref)
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then
    (loop $more
      (br_if $more (i32.ge_s (table.grow $table (ref.null func) (i32.const 1000)) (i32.const 0))))
    (unreachable)))
  (i32.const 0))
