;; Executes `unreachable` when it sees the whole response body.
;;! phases response_body
(func (export "sluice_v1_response_body") (result i32)
  (if (call $misbehaves (i32.const 1)) (then (unreachable)))
  (i32.const 0))
