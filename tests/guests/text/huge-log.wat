;; Logs 1 MiB, then more and more.
;;! phases request
;;! capabilities log
(import "sluice:v1/log" "write" (func $log (param i32 i32 i32) (result i32)))
(func (export "sluice_v1_request") (result i32)
  (local $left i32)
  (if (call $misbehaves (i32.const 0)) (then
    (drop (memory.grow (i32.const 16)))
    (memory.fill (i32.const 65536) (i32.const 97) (i32.const 1048576))
    (local.set $left (i32.const 100))
    (loop $more
      (drop (call $log (i32.const 0) (i32.const 65536) (i32.const 1048576)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (return (i32.const 2))))
  (i32.const 0))
