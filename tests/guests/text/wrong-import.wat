;; Wants a function that the host has, with other parameters.
;;! phases request
(import "sluice:v1/http" "respond" (func $respond (param i64) (result i32)))
(func (export "sluice_v1_request") (result i32) (call $respond (i64.const 1)))
