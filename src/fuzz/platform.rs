//! Fuzzes parameters of the Platform API: accepted parameters result in a URL of the requested
//! operation.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is what the fuzzer looks for"
)]

use serde_json::Value;
use url::Url;

use super::arguments::Arguments;
use crate::fuzz::input::Input;
use crate::openapi::operations;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let operations = operations();
    let place = usize::from(input.byte()) % operations.len().max(1);
    let Some(operation) = operations.get(place) else {
        return;
    };
    let Ok(params) = crate::codec::json::tree(input.rest()).unwrap() else {
        return;
    };
    let Ok(arguments) = Arguments::check(operation, &params) else {
        return;
    };
    let Ok(address) = arguments.path_and_query(operation) else {
        panic!("what fits has an address")
    };
    assert!(address.starts_with("/v1/"), "{address}");
    let base = Url::parse("https://api.fal.ai/").and_then(|base| base.join(&address));
    let Ok(url) = base else {
        panic!("{address:?} is no address")
    };
    assert!(
        url.host_str() == Some("api.fal.ai") && url.fragment().is_none(),
        "{url}"
    );
    assert_eq!(
        url.path(),
        address.split('?').next().unwrap_or_default(),
        "nothing has to be resolved"
    );
    let known = super::Operation::at(
        operation.method(),
        url.path().strip_prefix("/v1").unwrap_or_default(),
    );
    assert_eq!(known.map(|known| known.name), Some(operation.name), "{url}");
    if let Some(body) = arguments.body(operation) {
        assert!(body.to_string().len() <= 6 * params.to_string().len() + 64);
        assert!(matches!(body, Value::Object(_) | Value::Array(_)));
    }
}
