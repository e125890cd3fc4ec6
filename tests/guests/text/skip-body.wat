;; Wants no body of any request, and has no phase that would see one.
;;! phases request
(import "sluice:v1/http" "body_mode" (func $body_mode (param i32 i32) (result i32)))
(func (export "sluice_v1_request") (result i32)
  (drop (call $body_mode (i32.const 0) (i32.const 0)))
  (i32.const 0))
