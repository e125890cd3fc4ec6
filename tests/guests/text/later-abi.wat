;; Is built for an ABI that this host does not speak.
;;! descriptor {"abi":99,"name":"guest","version":"1.0.0","phases":["request"],"config_schema":true,"new":1}
(func (export "sluice_v1_request") (result i32) (i32.const 0))
