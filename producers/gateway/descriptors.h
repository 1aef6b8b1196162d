// The process's file descriptors: as many as the system lets it have, and how many of them
// connections may take.
#pragma once

#include <cstdint>

namespace millrace::gateway {

// Raises the limit to the hard one; the limit.
[[nodiscard]] std::uint64_t raise_descriptor_limit();

// What a limit leaves for connections beside the links to brokers, the log and the program itself;
// 0 where it leaves too few to be of use.
[[nodiscard]] std::uint64_t connections_within(std::uint64_t descriptors);

}  // namespace millrace::gateway
