;; Wants no body of any request, and has no phase that would see one.
;;! phases request
(import "sluice:v1/http" "body_skip" (func $body_skip (param i32) (result i32)))
(func (export "sluice_v1_request") (result i32)
  (drop (call $body_skip (i32.const 0)))
  (i32.const 0))
