// Writes the files of keys. The functions are the wire's, which the SDK uses too; they are named
// here for the programs that may include access/ alone. Threads: any.
#pragma once

#include "wire/secret_file.h"

namespace millrace::access {

using wire::replace_file;
using wire::write_new_secret_file;

}  // namespace millrace::access
