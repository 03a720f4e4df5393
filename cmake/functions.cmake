# fw_add_library(NAME SOURCES... [PUBLIC libs...] [PRIVATE libs...]): one static library per module.
function(fw_add_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_PUBLIC} PRIVATE fw_options ${arg_PRIVATE})
endfunction()

# fw_add_program(NAME MAIN libs...): an executable is only main.
function(fw_add_program name main)
  add_executable(${name} ${main})
  target_link_libraries(${name} PRIVATE fw_options ${ARGN})
endfunction()

# fw_add_test(NAME SOURCES... [LIBS libs...] [LABELS labels...] [TIMEOUT s] [SERIAL]): one gtest program per module.
# The program is one ctest test; tests/run_tests.py counts the cases from what it prints.
function(fw_add_test name)
  cmake_parse_arguments(arg "SERIAL" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT FW_BUILD_TESTS)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE fw_options ${arg_LIBS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE FW_SOURCE_DIR="${PROJECT_SOURCE_DIR}" FW_BINARY_DIR="${PROJECT_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
  if(arg_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

# fw_add_fuzzer(NAME SOURCE libs...): a libFuzzer target with its corpus in tests/fuzz/corpus/NAME.
function(fw_add_fuzzer name source)
  if(NOT FW_BUILD_FUZZERS)
    return()
  endif()
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE fw_options ${ARGN})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_property(GLOBAL APPEND PROPERTY FW_FUZZERS ${name})
endfunction()

# fw_add_capnp(NAME SCHEMAS...): generated Cap'n Proto code as a library, without our warnings.
function(fw_add_capnp name)
  set(CAPNPC_SRC_PREFIX "${CMAKE_CURRENT_SOURCE_DIR}")
  set(CAPNPC_OUTPUT_DIR "${PROJECT_BINARY_DIR}/generated/${name}")
  file(MAKE_DIRECTORY "${CAPNPC_OUTPUT_DIR}")
  capnp_generate_cpp(sources headers ${ARGN})
  add_library(${name} STATIC ${sources} ${headers})
  target_include_directories(${name} SYSTEM PUBLIC "${CAPNPC_OUTPUT_DIR}")
  target_link_libraries(${name} PUBLIC CapnProto::capnp)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # capnp 0.9.2 does not compile in C++20 with clang >= 16 without this operator.
    target_compile_options(${name} PUBLIC -include ${PROJECT_SOURCE_DIR}/cmake/kj_string_equal.hpp)
  endif()
endfunction()

# fw_add_bpf(NAME SOURCE [HEADERS...]): compiles SOURCE for the BPF target and generates NAME.skel.h;
# the interface library NAME carries the include folder.
function(fw_add_bpf name source)
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o")
  set(skeleton_dir "${PROJECT_BINARY_DIR}/generated/bpf")
  set(skeleton "${skeleton_dir}/${name}.skel.h")
  file(MAKE_DIRECTORY "${skeleton_dir}")
  add_custom_command(OUTPUT "${object}"
    COMMAND "${FW_BPF_CLANG}" -O2 -g -Wall -Werror -target bpf -mcpu=v3 -D__TARGET_ARCH_x86
            "-ffile-prefix-map=${PROJECT_SOURCE_DIR}=."
            -I "${CMAKE_CURRENT_SOURCE_DIR}" -I "${PROJECT_SOURCE_DIR}"
            -c "${CMAKE_CURRENT_SOURCE_DIR}/${source}" -o "${object}"
    DEPENDS "${source}" ${ARGN} VERBATIM)
  add_custom_command(OUTPUT "${skeleton}"
    COMMAND "${FW_BPFTOOL}" gen skeleton "${object}" name ${name}_bpf > "${skeleton}"
    DEPENDS "${object}" VERBATIM)
  add_custom_target(${name}_skeleton DEPENDS "${skeleton}")
  add_library(${name} INTERFACE)
  add_dependencies(${name} ${name}_skeleton)
  target_include_directories(${name} SYSTEM INTERFACE "${skeleton_dir}")
endfunction()

# fw_embed(OUT NAME FILES...): text files as a generated OUT.cpp with `std::span<const fw::EmbeddedFile> fw::NAME()`; its user declares NAME.
function(fw_embed out name)
  list(TRANSFORM ARGN PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/" OUTPUT_VARIABLE paths)
  string(REPLACE ";" "\\;" files "${paths}")
  add_custom_command(OUTPUT "${out}"
    COMMAND "${CMAKE_COMMAND}" "-DOUT=${out}" "-DNAME=${name}" "-DROOT=${CMAKE_CURRENT_SOURCE_DIR}" "-DFILES=${files}"
            -P "${PROJECT_SOURCE_DIR}/cmake/embed.cmake"
    DEPENDS ${paths} "${PROJECT_SOURCE_DIR}/cmake/embed.cmake" VERBATIM)
endfunction()
