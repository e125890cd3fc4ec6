//! An OpenAPI 3.1 document of the services.

use sluice_sdk_protobuf::WriteOptions;

use crate::rules::Api;

pub(crate) fn document(_: &Api, _: &str, _: &WriteOptions) -> String {
    "{}".to_owned()
}
