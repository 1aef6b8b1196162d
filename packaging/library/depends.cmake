# Read by CPack when it packs: the dependencies of the shared library, and the packages that depend
# on it. They are determined here, because where CPack determines them it also adds scripts that
# call ldconfig, beside the trigger (triggers).
set(folder ${CPACK_MILLRACE_BUILD}/packaging/library)
file(WRITE ${folder}/debian/control "")
execute_process(COMMAND dpkg-shlibdeps -O ${CPACK_MILLRACE_BUILD}/sdk/libmillrace.so.0
  WORKING_DIRECTORY ${folder} OUTPUT_VARIABLE needs RESULT_VARIABLE failed)
if(failed OR NOT needs MATCHES "shlibs:Depends=([^\n]+)")
  message(FATAL_ERROR "dpkg-shlibdeps does not say what libmillrace.so.0 needs")
endif()
set(CPACK_DEBIAN_SDK_PACKAGE_DEPENDS "${CMAKE_MATCH_1}")
