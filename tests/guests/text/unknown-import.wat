;; Wants a function that no host has.
;;! phases request
(import "sluice:v1/http" "launch_rocket" (func $launch (param i32) (result i32)))
(func (export "sluice_v1_request") (result i32) (call $launch (i32.const 1)))
