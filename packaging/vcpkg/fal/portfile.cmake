# An overlay port: vcpkg install fal --overlay-ports=packaging/vcpkg. It builds the checkout or the source archive that it is in, by
# cargo, which vcpkg does not bring.

get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../../.." ABSOLUTE)

set(features "")
if("keyring" IN_LIST FEATURES)
    set(features keyring)
endif()

vcpkg_execute_required_process(
    COMMAND make install
        "DESTDIR="
        "PREFIX=${CURRENT_PACKAGES_DIR}"
        "CMAKEDIR=${CURRENT_PACKAGES_DIR}/share/fal"
        "LICENSEDIR=${CURRENT_PACKAGES_DIR}/share/fal"
        "FEATURES=${features}"
    WORKING_DIRECTORY "${SOURCE_PATH}"
    LOGNAME "install-${TARGET_TRIPLET}")

# Cargo's profile is always release, so that Debug and Release use the same libraries.
set(VCPKG_POLICY_MISMATCHED_NUMBER_OF_BINARIES enabled)
if(VCPKG_LIBRARY_LINKAGE STREQUAL "static")
    file(GLOB unwanted "${CURRENT_PACKAGES_DIR}/lib/libfal.so*")
    file(REMOVE ${unwanted} "${CURRENT_PACKAGES_DIR}/lib/pkgconfig/fal.pc")
else()
    file(REMOVE "${CURRENT_PACKAGES_DIR}/lib/libfal.a" "${CURRENT_PACKAGES_DIR}/lib/pkgconfig/fal-static.pc")
endif()

vcpkg_install_copyright(FILE_LIST
    "${SOURCE_PATH}/LICENSE-MIT" "${SOURCE_PATH}/LICENSE-APACHE" "${CURRENT_PACKAGES_DIR}/share/fal/THIRD-PARTY")
