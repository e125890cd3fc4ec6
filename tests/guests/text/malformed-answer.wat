;; Gives `respond` a message that is none.
;;! phases request
(import "sluice:v1/http" "respond" (func $respond (param i32 i32) (result i32)))
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then
    (drop (call $respond (i32.const 60000) (i32.const 11)))
    (return (i32.const 1))))
  (i32.const 0))
