//! The proxy in the Windows settings. Proxy scripts (PAC, WPAD) are not run, because they are
//! programs from the network.

/// The proxy settings.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SystemProxy {
    /// `[scheme://]host[:port]`, as in the options of a client.
    pub(super) address: String,
    /// The hosts that are reached without the proxy, in the form of `NO_PROXY`.
    pub(super) direct: String,
}

impl SystemProxy {
    /// Parses the two lists of the settings: `servers` is one proxy for everything, or
    /// `scheme=proxy` for each scheme; `bypass` is a list of hosts, which may contain `*`.
    fn of(servers: &str, bypass: &str) -> Option<Self> {
        let entries = || {
            servers
                .split([';', ' ', '\t'])
                .map(str::trim)
                .filter(|entry| !entry.is_empty())
        };
        let of_scheme = |scheme: &str| {
            entries()
                .filter_map(|entry| entry.split_once('='))
                .find(|(name, _)| name.trim().eq_ignore_ascii_case(scheme))
                .map(|(_, address)| address.trim())
        };
        let socks = || of_scheme("socks").map(|address| in_scheme("socks4", address));
        // fal uses https. An entry with "=" names another scheme.
        let address = of_scheme("https")
            .or_else(|| entries().find(|entry| !entry.contains('=')))
            .map(str::to_owned)
            .or_else(socks)
            .filter(|address| !address.is_empty())?;
        let hosts = bypass
            .split([';', ' ', '\t'])
            .map(|host| host.trim().trim_start_matches("*."));
        // "<local>" stands for names without a dot. fal has no such names.
        let direct: Vec<_> = hosts
            .filter(|host| !host.is_empty() && !host.starts_with('<'))
            .collect();
        Some(SystemProxy {
            address,
            direct: direct.join(","),
        })
    }
}

fn in_scheme(scheme: &str, address: &str) -> String {
    if address.contains("://") {
        address.to_owned()
    } else {
        format!("{scheme}://{address}")
    }
}

/// Reads the settings of the current user.
#[cfg(windows)]
#[allow(unsafe_code)]
pub(super) fn read() -> Option<SystemProxy> {
    use std::ptr;

    use windows_sys::Win32::Foundation::ERROR_SUCCESS;
    use windows_sys::Win32::System::Registry::{
        HKEY_CURRENT_USER, REG_ROUTINE_FLAGS, RRF_RT_REG_DWORD, RRF_RT_REG_SZ, RegGetValueW,
    };
    use windows_sys::core::w;

    const SETTINGS: *const u16 =
        w!("Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings");
    /// The maximum size of a setting in bytes.
    const MOST: u32 = 16 << 10;

    /// Reads a setting into `value` and returns its size in bytes.
    fn get(name: *const u16, kind: REG_ROUTINE_FLAGS, value: &mut [u16]) -> Option<usize> {
        let mut size = u32::try_from(size_of_val(value)).unwrap_or(MOST);
        let place = value.as_mut_ptr().cast();
        // SAFETY: the names end with 0, and `place` is valid for writes of `size` bytes.
        let status = unsafe {
            RegGetValueW(
                HKEY_CURRENT_USER,
                SETTINGS,
                name,
                kind,
                ptr::null_mut(),
                place,
                &raw mut size,
            )
        };
        (status == ERROR_SUCCESS).then_some(size as usize)
    }

    fn text(name: *const u16) -> Option<String> {
        let mut units = vec![0; MOST as usize / 2];
        let size = get(name, RRF_RT_REG_SZ, &mut units)?;
        Some(
            String::from_utf16_lossy(&units[..size / 2])
                .trim_end_matches('\0')
                .to_owned(),
        )
    }

    let mut enabled = [0; 2];
    get(w!("ProxyEnable"), RRF_RT_REG_DWORD, &mut enabled).filter(|_| enabled != [0; 2])?;
    SystemProxy::of(
        &text(w!("ProxyServer"))?,
        &text(w!("ProxyOverride")).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_name_one_for_everything_or_one_for_each_scheme() {
        for (servers, address) in [
            ("proxy.example:8080", Some("proxy.example:8080")),
            (
                "http://proxy.example:8080",
                Some("http://proxy.example:8080"),
            ),
            ("http=a:1;https=b:2;ftp=c:3", Some("b:2")),
            ("HTTPS=http://b:2;socks=s:1", Some("http://b:2")),
            ("http=a:1 https=b:2", Some("b:2")),
            ("socks=s:1080", Some("socks4://s:1080")),
            ("socks=socks5://s:1080", Some("socks5://s:1080")),
            ("http=a:1;d:4", Some("d:4")),
            ("http=a:1", None),
            ("https=", None),
            ("", None),
        ] {
            let found = SystemProxy::of(servers, "").map(|found| found.address);
            assert_eq!(found.as_deref(), address, "{servers}");
        }
    }

    #[test]
    fn the_settings_name_hosts_that_are_reached_directly() {
        let direct = |bypass| SystemProxy::of("p:1", bypass).unwrap().direct;
        assert_eq!(
            direct("*.example.com;10.0.0.1; intern.example <local>"),
            "example.com,10.0.0.1,intern.example"
        );
        assert_eq!(direct(""), "");
    }
}
