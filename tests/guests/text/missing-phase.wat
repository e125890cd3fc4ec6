;; Claims a phase that it does not export.
;;! phases request response
(func (export "sluice_v1_request") (result i32) (i32.const 0))
