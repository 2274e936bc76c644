//! Names the shared library for the loader: a program is bound to `libfal.so.0`, not to a file name.

fn main() {
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match os.as_str() {
        "macos" | "ios" => println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libfal.0.dylib"),
        "windows" => {}
        _ => println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libfal.so.0"),
    }
    println!("cargo:rerun-if-changed=build.rs");
}
