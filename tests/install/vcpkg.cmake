# Runs the port as vcpkg does, which is in no package of Debian: cmake -DPORT=folder -DPACKAGES=folder -DLINKAGE= -P vcpkg.cmake
#
# The port calls two functions of vcpkg, which are made here. What it makes of cargo is replaced: install-built installs libraries
# that exist.

cmake_minimum_required(VERSION 3.20)

set(CURRENT_PORT_DIR "${PORT}")
set(CURRENT_PACKAGES_DIR "${PACKAGES}")
set(VCPKG_LIBRARY_LINKAGE "${LINKAGE}")
set(TARGET_TRIPLET test)

function(vcpkg_execute_required_process)
    cmake_parse_arguments(PARSE_ARGV 0 run "" "WORKING_DIRECTORY;LOGNAME" "COMMAND")
    list(TRANSFORM run_COMMAND REPLACE "^install$" "install-built")
    execute_process(COMMAND ${run_COMMAND} WORKING_DIRECTORY "${run_WORKING_DIRECTORY}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(vcpkg_install_copyright)
    cmake_parse_arguments(PARSE_ARGV 0 of "" "" "FILE_LIST")
    foreach(file ${of_FILE_LIST})
        file(READ "${file}" text)
        file(APPEND "${CURRENT_PACKAGES_DIR}/share/fal/copyright" "${text}")
    endforeach()
endfunction()

include("${PORT}/portfile.cmake")
