;; Writes four bytes in the place of each piece of the response body, and executes `unreachable` at its end.
;;! phases response response_chunk
(import "sluice:v1/http" "context_set" (func $context_set (param i32 i32 i32 i32 i32) (result i32)))
(import "sluice:v1/http" "context_get" (func $context_get (param i32 i32 i32 i32 i32) (result i64)))
(import "sluice:v1/http" "body_write" (func $body_write (param i32 i32) (result i32)))
(func (export "sluice_v1_response") (result i32)
  (if (call $misbehaves (i32.const 1)) (then
    (drop (call $context_set (i32.const 0) (i32.const 60000) (i32.const 11) (i32.const 60000) (i32.const 11)))))
  (i32.const 0))
(func (export "sluice_v1_response_chunk") (param $last i32) (result i32)
  (if (i32.eqz (local.get $last))
    (then (drop (call $body_write (i32.const 60000) (i32.const 4))))
    (else
      (if (i64.ge_s
            (call $context_get (i32.const 0) (i32.const 60000) (i32.const 11) (i32.const 61000) (i32.const 100))
            (i64.const 0))
        (then (unreachable)))))
  (i32.const 0))
