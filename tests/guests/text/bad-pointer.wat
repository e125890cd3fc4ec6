;; Calls one host function with pointers outside its memory. The tests fill in which: @module@, @name@, @types@, @result@,
;; @arguments@.
;;! phases request
(import "@module@" "@name@" (func $call (param @types@) (result @result@)))
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then (drop (call $call @arguments@))))
  (i32.const 0))
