// What can go wrong with the audit log: a kind for programs, and a sentence for people.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

namespace millrace::audit {

enum class FailureKind : std::uint8_t {
  not_found,   // no folder or file there
  in_use,      // another process writes this log
  denied,      // no permission
  no_space,    // disk full, or a limit on the size of files
  damaged,     // it is there, and it is not what was written
  overloaded,  // too many lines wait for the disk
  io,
};

struct Failure {
  FailureKind kind = FailureKind::io;
  std::string message;  // a sentence: what is wrong, where, and what to do
};

template <typename T>
using Expected = tl::expected<T, Failure>;

// Of a failed system call: `doing` is "cannot write", error is errno.
[[nodiscard]] Failure system_failure(const std::string& doing, const std::string& path, int error);

}  // namespace millrace::audit
