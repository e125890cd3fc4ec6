;; Has no `configure`.
;;! phases request
;;! without sluice_v1_configure
(func (export "sluice_v1_request") (result i32) (i32.const 0))
