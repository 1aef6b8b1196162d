#include "descriptors.h"

#include <sys/resource.h>
#include <algorithm>

namespace millrace::gateway {
namespace {

// Two links to each shard take some ten descriptors, the threads of libzmq as many.
constexpr std::uint64_t reserve_min = 64, reserve_max = 1'024, connections_min = 8;

}  // namespace

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

std::uint64_t connections_within(std::uint64_t descriptors) {
  const std::uint64_t reserve = std::clamp(descriptors / 4, reserve_min, reserve_max);
  if (descriptors < reserve + connections_min) return 0;
  return descriptors - reserve;
}

}  // namespace millrace::gateway
