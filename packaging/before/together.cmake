# The programs of the version before are built once and never worked on, so their files are compiled
# together, which takes a third of the time. Names of these would clash; they are compiled alone.
set(CMAKE_UNITY_BUILD ON)
function(compile_alone room)
  foreach(file IN LISTS ARGN)
    set_property(SOURCE ${CMAKE_SOURCE_DIR}/${file} TARGET_DIRECTORY ${room}
                 PROPERTY SKIP_UNITY_BUILD_INCLUSION ON)
  endforeach()
endfunction()
cmake_language(DEFER CALL compile_alone broker_storage broker/storage/checked_vfs.cc
               broker/storage/synced_mark.cc broker/storage/backup/manifest.cc)
cmake_language(DEFER CALL compile_alone millrace-cli cli/top.cc)
