;; Says that it responds, but gives no response.
;;! phases request
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then (return (i32.const 1))))
  (i32.const 0))
