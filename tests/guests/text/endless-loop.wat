;; Never comes back.
;;! phases request
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then (loop $forever (br $forever))))
  (i32.const 0))
