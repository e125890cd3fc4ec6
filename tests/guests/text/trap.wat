;; Executes `unreachable`.
;;! phases request
(func $deep (unreachable))
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then (call $deep)))
  (i32.const 0))
