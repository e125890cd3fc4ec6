;; Describes itself in something that is no JSON.
;;! phases request
;;! descriptor {"abi":1,"name":
(func (export "sluice_v1_request") (result i32) (i32.const 0))
