;; Sets a header of 1 MiB; if the host says no, it fails with the host's code as its answer.
;;! phases request
(import "sluice:v1/http" "header_set" (func $header_set (param i32 i32 i32 i32 i32) (result i32)))
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then
    (drop (memory.grow (i32.const 16)))
    (memory.fill (i32.const 65536) (i32.const 97) (i32.const 1048576))
    (if (i32.lt_s
          (call $header_set (i32.const 0) (i32.const 60000) (i32.const 11) (i32.const 65536) (i32.const 1048576))
          (i32.const 0))
      (then (return (i32.const 2))))))
  (i32.const 0))
