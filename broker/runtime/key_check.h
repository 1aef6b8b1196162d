// Decides for the broker's sockets which keys count, and logs those that are refused: once for each
// address and key, then at most once in ten seconds, for clients try again for ever.
// Threads: any.
#pragma once

#include "access/key_ring.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace millrace::runtime {

class KeyCheck {
 public:
  explicit KeyCheck(const access::KeyRing& keys) : keys_(keys) {}

  // Of a connection that begins.
  [[nodiscard]] bool counts(std::string_view public_key, std::string_view address);
  // Of one that is open: the same without a line in the log.
  [[nodiscard]] bool still_counts(std::string_view public_key) const;

 private:
  void tell(std::string_view public_key, std::string_view address, const std::string& why);

  const access::KeyRing& keys_;
  std::mutex mutex_;  // guards told_
  std::map<std::string, std::int64_t> told_;
};

}  // namespace millrace::runtime
