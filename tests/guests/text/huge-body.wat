;; Puts a body of 4 MiB in place of the one at hand; if the host says no, it fails.
;;! phases request_body
(import "sluice:v1/http" "body_write" (func $body_write (param i32 i32) (result i32)))
(func (export "sluice_v1_request_body") (result i32)
  (if (call $misbehaves (i32.const 0)) (then
    (drop (memory.grow (i32.const 64)))
    (if (i32.lt_s (call $body_write (i32.const 65536) (i32.const 4194304)) (i32.const 0))
      (then (return (i32.const 2))))))
  (i32.const 0))
