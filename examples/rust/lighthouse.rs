//! Prints the URL of a picture.

#![allow(clippy::print_stdout)]

use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> fal::Result<()> {
    let client = fal::Client::builder().build()?;
    let input = json!({"prompt": "a lighthouse"});
    let made = client.run("fal-ai/flux/schnell", input).await?;
    println!("{}", made.get_str("/images/0/url")?);
    Ok(())
}
