# What every room shares: the language level, the warnings, where binaries go, and millrace_room(),
# which creates a room's library with only the include paths that are named.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

option(MILLRACE_WERROR "treat warnings as errors" ON)
set(MILLRACE_SANITIZE "" CACHE STRING "sanitizers to build with, for example address,undefined")

# Designated initialisers leave the other fields to their defaults on purpose; g++ 12 takes that for
# a slip.
option(MILLRACE_UNITY "compile the files of a target together: a third of the time, where all is built once" OFF)
add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wno-missing-field-initializers)
if(MILLRACE_WERROR)
  add_compile_options(-Werror)
endif()
# For the targets of this folder and those below.
macro(millrace_compile_together)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
  # There a name of one file can hide one of another, as it does nowhere else.
  add_compile_options(-Wno-shadow)
endmacro()
if(MILLRACE_UNITY)
  millrace_compile_together()
endif()
if(MILLRACE_SANITIZE)
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
endif()

find_program(MILLRACE_CCACHE ccache)
if(MILLRACE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MILLRACE_CCACHE})
endif()
find_program(MILLRACE_MOLD mold)
if(MILLRACE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Libraries lie where Debian has them, whatever the prefix.
if(CMAKE_LIBRARY_ARCHITECTURE)
  set(CMAKE_INSTALL_LIBDIR lib/${CMAKE_LIBRARY_ARCHITECTURE})
endif()
include(GNUInstallDirs)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# millrace_room(target PREFIX prefix SOURCES files... DOORS targets... PRIVATE_DOORS targets...)
#   PREFIX   how others spell it: a room with PREFIX core is included as "core/job.h"
#   DOORS    the rooms and packages that this room's headers and sources may include
# Each room gets an include root of its own that holds one link, PREFIX, to its folder. So a room
# can spell only the headers of the rooms it links, however close the folders lie.
function(millrace_room target)
  cmake_parse_arguments(ROOM "" "PREFIX" "SOURCES;DOORS;PRIVATE_DOORS" ${ARGN})
  set(door ${CMAKE_BINARY_DIR}/doors/${target})
  file(MAKE_DIRECTORY ${door})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${door}/${ROOM_PREFIX} SYMBOLIC)
  add_library(${target} STATIC ${ROOM_SOURCES})
  target_include_directories(${target} PUBLIC ${door})
  target_link_libraries(${target} PUBLIC ${ROOM_DOORS} PRIVATE ${ROOM_PRIVATE_DOORS})
endfunction()
