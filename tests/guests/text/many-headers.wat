;; Appends headers until the host says no, then fails.
;;! phases request
(import "sluice:v1/http" "header_append" (func $header_append (param i32 i32 i32 i32 i32) (result i32)))
(func (export "sluice_v1_request") (result i32)
  (if (call $misbehaves (i32.const 0)) (then
    (loop $more
      (br_if $more (i32.ge_s
        (call $header_append (i32.const 0) (i32.const 60000) (i32.const 11) (i32.const 60000) (i32.const 11))
        (i32.const 0))))
    (return (i32.const 2))))
  (i32.const 0))
