;; Never comes back from being configured.
;;! phases request
(func (export "sluice_v1_configure") (result i32) (loop $forever (br $forever)) (unreachable))
(func (export "sluice_v1_request") (result i32) (i32.const 0))
