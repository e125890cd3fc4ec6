;; Executes `unreachable` at the first piece of the response body, after the head went out.
;;! phases response response_chunk
(import "sluice:v1/http" "context_set" (func $context_set (param i32 i32 i32 i32 i32) (result i32)))
(import "sluice:v1/http" "context_get" (func $context_get (param i32 i32 i32 i32 i32) (result i64)))
(func (export "sluice_v1_response") (result i32)
  (if (call $misbehaves (i32.const 1)) (then
    (drop (call $context_set (i32.const 0) (i32.const 60000) (i32.const 11) (i32.const 60000) (i32.const 11)))))
  (i32.const 0))
(func (export "sluice_v1_response_chunk") (param $last i32) (result i32)
  (if (i64.ge_s
        (call $context_get (i32.const 0) (i32.const 60000) (i32.const 11) (i32.const 61000) (i32.const 100))
        (i64.const 0))
    (then (unreachable)))
  (i32.const 0))
