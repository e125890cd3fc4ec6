;; Calls the host without end, each call being cheap and allowed.
;;! phases request
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then (loop $forever (drop (call $misbehaves (i32.const 0))) (br $forever))))
  (i32.const 0))
