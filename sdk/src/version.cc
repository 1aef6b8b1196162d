// The version of the library, from the headers that it is compiled with.
#include <millrace/version.h>

namespace millrace {

std::string_view version() { return MILLRACE_VERSION; }
std::uint32_t version_number() { return MILLRACE_VERSION_NUMBER; }

}  // namespace millrace
