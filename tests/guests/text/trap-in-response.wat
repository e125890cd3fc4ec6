;; Executes `unreachable` when it sees the response's head.
;;! phases response
(func (export "sluice_v1_response") (result i32)
  (if (call $misbehaves (i32.const 1)) (then (unreachable)))
  (i32.const 0))
