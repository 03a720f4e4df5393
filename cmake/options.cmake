# fw_options: language standard, warnings, hardening and sanitizers. Every target of ours links it PRIVATE.
# Generated code (capnp, BPF skeletons) does not: it is compiled without our warnings.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")

option(FW_WERROR "Warnings are errors" OFF)

find_program(FW_CCACHE ccache)
if(FW_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${FW_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${FW_CCACHE}")
endif()

add_library(fw_options INTERFACE)
target_include_directories(fw_options INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/generated")
target_compile_options(fw_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough
  $<$<BOOL:${FW_WERROR}>:-Werror>)
target_compile_definitions(fw_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED
  $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)

# Optimising, g++ 12 takes string assignments for overlapping copies (GCC bug 105651), and sees the operator new and delete of
# Asio's coroutine frames through inlining as a mismatched pair.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict> $<$<COMPILE_LANGUAGE:CXX>:-Wno-mismatched-new-delete>)
endif()

# Hardening of released programs; _FORTIFY_SOURCE needs optimisation and fights with the sanitizers.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT FW_SANITIZE)
  add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
  add_link_options(-pie -Wl,-z,relro,-z,now)
endif()

if(FW_SANITIZE)
  add_compile_options(-fsanitize=${FW_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FW_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # With -O1 and sanitizers g++ 12 takes the error half of a Result<void> inside Asio's co_spawn for uninitialised.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
  endif()
  if(FW_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ says that it does not model atomic_thread_fence, which Asio uses; no report of ours depends on it.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-tsan>)
  endif()
endif()

# mold links a test program in 0.1 s where bfd takes 0.3 s and more.
find_program(FW_MOLD mold)
if(FW_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=mold)
endif()
