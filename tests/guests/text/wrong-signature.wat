;; Exports a phase with another signature.
;;! phases request
(func (export "sluice_v1_request") (param i32) (result i32) (i32.const 0))
