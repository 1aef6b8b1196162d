// The rows of the store at the end of a run, read through the views for people.
#pragma once

#include "recorder.h"

#include <string>

namespace millrace::testing {

// Adds every row, and the integrity check's verdict as the end.
void note_rows(const std::string& path, const char* vfs, Recorder& to);

}  // namespace millrace::testing
