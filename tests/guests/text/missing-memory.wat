;; Does not export its memory.
;;! phases request
;;! without memory
(func (export "sluice_v1_request") (result i32) (i32.const 0))
