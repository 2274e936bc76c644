//! Sets the name of the shared library by which the loader finds it (`libfal.so.0`), and the linker
//! options that make unloading possible.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Cargo passes these options on to the libraries of dependents. Without the C ABI such a library,
    // the module of Python, must not be found as libfal.
    if !has_c_abi() {
        return;
    }
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match os.as_str() {
        "macos" | "ios" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libfal.0.dylib")
        }
        "windows" => {}
        _ => println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libfal.so.0"),
    }
    // The wrappers are in src/ffi/unload.rs.
    let target = |name| std::env::var(name).unwrap_or_default();
    let unloads = os == "linux" && target("CARGO_CFG_TARGET_ENV") == "gnu";
    if unloads
        && matches!(
            target("CARGO_CFG_TARGET_ARCH").as_str(),
            "x86_64" | "aarch64"
        )
    {
        for wrapped in [
            "__cxa_thread_atexit_impl",
            "pthread_key_create",
            "pthread_key_delete",
        ] {
            println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap={wrapped}");
        }
    }
}

fn has_c_abi() -> bool {
    std::env::var_os("CARGO_FEATURE_CAPI").is_some()
}
