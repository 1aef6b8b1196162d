// The process's file descriptors: the limit of open files, and how many descriptors connections may
// use.
#pragma once

#include <cstdint>

namespace millrace::gateway {

// Raises the limit to the hard one; the limit.
[[nodiscard]] std::uint64_t raise_descriptor_limit();

// What a limit leaves for connections beside the links to brokers, the log and the program itself;
// 0 where it leaves too few to be of use.
[[nodiscard]] std::uint64_t connections_within(std::uint64_t descriptors);

}  // namespace millrace::gateway
