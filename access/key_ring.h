// The keys of a folder, as they are now: read at the start and again whenever a file changes, at
// the latest a second later.
// A file that cannot be read as a key counts as absent, for nothing is allowed by mistake; what is
// wrong with it is told once.
// Threads: any. A table never changes: a new one takes its place.
#pragma once

#include "access/key.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace millrace::access {

using KeyRef = std::shared_ptr<const Key>;

struct KeyTable {
  std::map<std::string, KeyRef, std::less<>> by_name, by_public_key, by_token;
  std::vector<std::string> errors;  // of files that are not in the table
};
using KeyTableRef = std::shared_ptr<const KeyTable>;

// Reads every NAME.toml of the folder.
[[nodiscard]] KeyTable read_keys(const std::string& folder);

class KeyRing {
 public:
  // told: after each change, on the ring's thread: what is wrong now, and what was before.
  using Told = std::function<void(const KeyTable& now, const KeyTable& before)>;
  KeyRing(std::string folder, Told told,
          std::chrono::milliseconds look_every = std::chrono::milliseconds(300));
  ~KeyRing();
  KeyRing(const KeyRing&) = delete;
  KeyRing& operator=(const KeyRing&) = delete;

  [[nodiscard]] KeyTableRef table() const;
  // Rises with each change: a user that keeps a table looks at this instead of a lock.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  // Null where it is unknown, whatever its state.
  [[nodiscard]] KeyRef by_public_key(std::string_view public_key) const;
  [[nodiscard]] KeyRef by_token(std::string_view token) const;

 private:
  void watch();
  void look();

  const std::string folder_;
  const Told told_;
  const std::chrono::milliseconds look_every_;
  mutable std::mutex mutex_;  // guards table_, stop_
  KeyTableRef table_;
  std::string seen_;  // the folder as it was read: the thread's
  std::atomic<std::uint64_t> version_{1};
  bool stop_ = false;
  std::condition_variable stopped_;
  std::thread thread_;  // last
};

// One thread's view of a ring: it takes the lock only when the keys have changed.
// Threads: one.
class KeyLookup {
 public:
  explicit KeyLookup(const KeyRing* ring) : ring_(ring) {}
  // Null where the key is unknown, or where there is no ring.
  [[nodiscard]] KeyRef by_public_key(std::string_view public_key);

 private:
  const KeyRing* ring_;
  KeyTableRef table_;
  std::uint64_t version_ = 0;
};

}  // namespace millrace::access
