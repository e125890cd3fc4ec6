;; Answers with a number that is no answer.
;;! phases request
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then (return (i32.const 77))))
  (i32.const 0))
