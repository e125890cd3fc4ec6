;; Never comes back from `_initialize`, where a reactor runs its constructors.
;;! phases request
(func (export "_initialize") (loop $forever (br $forever)))
(func (export "sluice_v1_request") (result i32) (i32.const 0))
