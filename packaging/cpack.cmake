# The settings of CPack: names, descriptions, dependencies and scripts of each package.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME millrace)
set(CPACK_PACKAGE_CONTACT "Millrace maintainers <maintainers@millrace.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each has its own, the first line of its description
set(CPACK_DEBIAN_PACKAGE_RELEASE ${release})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL broker worker gateway cli sdk sdk_dev)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(about "\nMillrace takes jobs from programs, answers when they are on disk, and hands\nthem to workers; nothing that was acknowledged is lost.")

# millrace_package(component name section summary text)
macro(millrace_package component name section summary text)
  string(TOUPPER ${component} COMPONENT)
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${COMPONENT}_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${COMPONENT}_DESCRIPTION "${summary}${about}\n.\n${text}")
  set(CPACK_COMPONENT_${COMPONENT}_DESCRIPTION "${summary}${about}\n.\n${text}")
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_SHLIBDEPS ON)
  of_package(${component} share/doc/${name} copyright ${built}/changelog.Debian.gz)
endmacro()
# millrace_scripts(component files...): the scripts and lists that dpkg takes beside the files.
macro(millrace_scripts component)
  string(TOUPPER ${component} COMPONENT)
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_CONTROL_EXTRA ${ARGN})
endmacro()

set(here ${CMAKE_CURRENT_SOURCE_DIR})
set(service_tools "init-system-helpers (>= 1.60), systemd | systemd-standalone-sysusers")
millrace_package(broker millrace-broker net "durable job platform: the broker"
  "This package holds millraced, which keeps the jobs in an SQLite database, and\nruns it as a service with settings that work as they are.")
millrace_scripts(broker ${built}/broker/conffiles
  ${here}/broker/postinst ${here}/broker/prerm ${here}/broker/postrm)
set(CPACK_DEBIAN_BROKER_PACKAGE_DEPENDS
  "${service_tools}, systemd | systemd-standalone-tmpfiles")
set(CPACK_DEBIAN_BROKER_PACKAGE_RECOMMENDS millrace-cli)
set(CPACK_DEBIAN_BROKER_PACKAGE_SUGGESTS "millrace-worker, millrace-gateway")

millrace_package(worker millrace-worker net "durable job platform: the worker host"
  "This package holds millrace-worker, which runs a command for each job, and the\nunit millrace-worker@TOPIC-N for any number of them.")
millrace_scripts(worker ${here}/worker/postinst ${here}/worker/prerm ${here}/worker/postrm)
set(CPACK_DEBIAN_WORKER_PACKAGE_DEPENDS
  "${service_tools}, systemd | systemd-standalone-tmpfiles")
set(CPACK_DEBIAN_WORKER_PACKAGE_SUGGESTS "millrace-broker, millrace-cli")

millrace_package(gateway millrace-gateway net "durable job platform: the HTTP gateway"
  "This package holds millrace-gateway, which takes jobs as JSON over HTTP, and\nruns it as a service on the loopback address.")
millrace_scripts(gateway ${built}/gateway/conffiles
  ${here}/gateway/postinst ${here}/gateway/prerm ${here}/gateway/postrm)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_DEPENDS "${service_tools}")
set(CPACK_DEBIAN_GATEWAY_PACKAGE_SUGGESTS millrace-broker)

millrace_package(cli millrace-cli utils "durable job platform: the command line"
  "This package holds millrace, which enqueues jobs, looks at them and manages\nthem, with completion for bash, zsh and fish.")
set(CPACK_DEBIAN_CLI_PACKAGE_SUGGESTS millrace-broker)

millrace_package(sdk libmillrace0 libs "durable job platform: the shared library"
  "This package holds the library that applications in C++ use as producers,\nworkers and clients.")
millrace_scripts(sdk ${here}/library/triggers ${built}/library/shlibs)
file(WRITE ${built}/library/shlibs
  "libmillrace 0 libmillrace0 (= ${PROJECT_VERSION}-${release})\n")
set(CPACK_DEBIAN_SDK_PACKAGE_SHLIBDEPS OFF)
set(CPACK_MILLRACE_BUILD ${CMAKE_BINARY_DIR})
set(CPACK_PROJECT_CONFIG_FILE ${here}/library/depends.cmake)

millrace_package(sdk_dev libmillrace-dev libdevel "durable job platform: development files"
  "This package holds the headers, the static library, and the files for CMake\nand pkg-config.")
set(CPACK_DEBIAN_SDK_DEV_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_SDK_DEV_PACKAGE_DEPENDS
  "libmillrace0 (= ${PROJECT_VERSION}-${release}), libexpected-dev, libmsgpack-cxx-dev, libsodium-dev, libzmq3-dev")

include(CPack)
