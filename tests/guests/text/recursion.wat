;; Calls itself until its stack is used up.
;;! phases request
(func $deeper (param i64) (result i64)
  (i64.add (call $deeper (i64.add (local.get 0) (i64.const 1))) (local.get 0)))
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then (drop (call $deeper (i64.const 0)))))
  (i32.const 0))
