;; Never comes back from its start function.
;;! phases request
(func $start (loop $forever (br $forever)))
(start $start)
(func (export "sluice_v1_request") (result i32) (i32.const 0))
