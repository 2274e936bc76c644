# fal_targets(INCLUDE folder [SHARED library] [STATIC library] [NATIVE options] [GLOBAL])
#
# Makes fal::shared and fal::static, each if its library is named, and fal::cpp, the C++ header with one of the two: with the
# static library if there is no other or the variable fal_USE_STATIC_LIBS is set. NATIVE is what the static library needs of the
# system, and GLOBAL makes the targets visible everywhere in a project.
function(fal_targets)
    cmake_parse_arguments(PARSE_ARGV 0 FAL "GLOBAL" "INCLUDE;SHARED;STATIC;NATIVE" "")
    set(global)
    if(FAL_GLOBAL)
        set(global GLOBAL)
    endif()
    if(FAL_SHARED)
        add_library(fal::shared SHARED IMPORTED ${global})
        set_target_properties(fal::shared PROPERTIES
            IMPORTED_LOCATION "${FAL_SHARED}"
            IMPORTED_SONAME libfal.so.0
            INTERFACE_INCLUDE_DIRECTORIES "${FAL_INCLUDE}")
    endif()
    if(FAL_STATIC)
        add_library(fal::static STATIC IMPORTED ${global})
        set_target_properties(fal::static PROPERTIES
            IMPORTED_LOCATION "${FAL_STATIC}"
            INTERFACE_COMPILE_DEFINITIONS FAL_STATIC
            INTERFACE_INCLUDE_DIRECTORIES "${FAL_INCLUDE}"
            INTERFACE_LINK_LIBRARIES "${FAL_NATIVE}")
    endif()
    add_library(fal::cpp INTERFACE IMPORTED ${global})
    target_compile_features(fal::cpp INTERFACE cxx_std_17)
    if(FAL_STATIC AND (fal_USE_STATIC_LIBS OR NOT FAL_SHARED))
        target_link_libraries(fal::cpp INTERFACE fal::static)
    else()
        target_link_libraries(fal::cpp INTERFACE fal::shared)
    endif()
endfunction()
