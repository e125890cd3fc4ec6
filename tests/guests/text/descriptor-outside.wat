;; Says that its descriptor lies where it has no memory.
;;! phases request
(func (export "sluice_v1_describe") (result i64) (i64.const 0x7fff_0000_0000_0100))
(func (export "sluice_v1_request") (result i32) (i32.const 0))
