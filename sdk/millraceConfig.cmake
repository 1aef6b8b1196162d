# What find_package(millrace) gives: the target millrace::millrace.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(tl-expected)
find_dependency(PkgConfig)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)
include(${CMAKE_CURRENT_LIST_DIR}/millraceTargets.cmake)
