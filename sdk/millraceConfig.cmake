# What find_package(millrace) gives: millrace::shared and millrace::static; millrace::millrace is the
# shared one. The static one carries libzmq and libsodium to the application's link,
# and needs libzmq3-dev and libsodium-dev.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(tl-expected)
find_dependency(PkgConfig)
pkg_check_modules(ZMQ QUIET IMPORTED_TARGET libzmq)
pkg_check_modules(SODIUM QUIET IMPORTED_TARGET libsodium)
include(${CMAKE_CURRENT_LIST_DIR}/millraceTargets.cmake)
if(NOT TARGET millrace::millrace)
  add_library(millrace::millrace INTERFACE IMPORTED)
  set_target_properties(millrace::millrace PROPERTIES INTERFACE_LINK_LIBRARIES millrace::shared)
endif()
