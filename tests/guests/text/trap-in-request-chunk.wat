;; Executes `unreachable` at the first piece of a request body that begins with `x`.
;;! phases request_chunk
(import "sluice:v1/http" "body_read" (func $body_read (param i32 i32 i32) (result i64)))
(func (export "sluice_v1_request_chunk") (param $last i32) (result i32)
  (if (i64.gt_s (call $body_read (i32.const 0) (i32.const 61000) (i32.const 1)) (i64.const 0)) (then
    (if (i32.eq (i32.load8_u (i32.const 61000)) (i32.const 120)) (then (unreachable)))))
  (i32.const 0))
