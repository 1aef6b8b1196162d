# What makes a mistake in the release's machine code harder to exploit: every target of every room is
# compiled and linked so, and tests/packages/test_hardening.py reads it from the finished files.
include(CheckPIESupported)
include(CheckCXXCompilerFlag)

# A program has no reason to offer its functions to libraries; what has to be found from outside
# says so itself (millrace/export.h, net/connection_limiter.cc).
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

# Position-independent programs, whatever the compiler's default is.
check_pie_supported(OUTPUT_VARIABLE said LANGUAGES CXX)
if(NOT CMAKE_CXX_LINK_PIE_SUPPORTED)
  message(FATAL_ERROR "the linker makes no position-independent programs: ${said}")
endif()

# relro and now: the loader resolves every function at the start and then makes the table read-only.
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

# The sanitizers check the stack and the C library's calls by themselves, and more exactly.
if(NOT MILLRACE_SANITIZE)
  add_compile_options(-fstack-protector-strong -fstack-clash-protection)
  # Indirect branches of x86 may only reach places that are marked for them.
  check_cxx_compiler_flag(-fcf-protection MILLRACE_CF_PROTECTION)
  if(MILLRACE_CF_PROTECTION)
    add_compile_options(-fcf-protection)
  endif()
  # It needs an optimizing build. A compiler that predefines it would warn of a second value.
  set(optimizing $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)
  add_compile_options($<${optimizing}:-U_FORTIFY_SOURCE> $<${optimizing}:-D_FORTIFY_SOURCE=2>)
endif()
