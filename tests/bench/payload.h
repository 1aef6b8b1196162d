// A payload that begins with the time it was made, so that a worker can tell how old it is.
#pragma once

#include "tally.h"

#include "wire/messages.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::bench {

class Payload {
 public:
  explicit Payload(std::uint64_t bytes) : bytes_(bytes, 'p') {}
  std::string_view made_now() {
    const std::uint64_t now = now_ns();
    std::memcpy(bytes_.data(), &now, std::min(bytes_.size(), sizeof now));
    return bytes_;
  }

 private:
  std::string bytes_;
};

// Payloads too short for a time are passed over.
inline void add_ages(const wire::Deliver& delivered, Samples& samples) {
  for (const auto& job : delivered.jobs) {
    std::uint64_t made_ns = 0;
    if (job.payload.size() < sizeof made_ns) continue;
    std::memcpy(&made_ns, job.payload.data(), sizeof made_ns);
    samples.add_ns(now_ns() - made_ns);
  }
}

}  // namespace millrace::bench
