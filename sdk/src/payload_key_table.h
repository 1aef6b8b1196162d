// The payload keys themselves, in memory of their own, and the text of their file.
// Threads: a table does not change once it is made.
#pragma once

#include <millrace/encryption.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

inline constexpr std::size_t payload_key_bytes = 32;

// Whether libsodium can be used; the first call prepares it.
[[nodiscard]] bool sodium_ready();
[[nodiscard]] bool is_payload_key_id(std::string_view text);

// Memory of libsodium: locked, left out of core dumps, and cleared when it is freed.
struct SodiumFree {
  void operator()(unsigned char* memory) const;
};
using SodiumMemory = std::unique_ptr<unsigned char, SodiumFree>;

class MILLRACE_HIDDEN PayloadKeyTable {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const PayloadKeyTable>> read(const std::string& path);
  // The text of a file with these keys and a new one, which is current; *text is to be cleared.
  [[nodiscard]] static Result<std::string> with_new_key(const PayloadKeyTable* earlier,
                                                        std::string* text);

  // Null where it has none of that id.
  [[nodiscard]] const unsigned char* find(std::string_view id) const;
  [[nodiscard]] const std::string& current() const { return current_; }
  [[nodiscard]] const std::vector<std::string>& ids() const { return ids_; }

 private:
  std::vector<std::string> ids_;  // sorted; the key of the i-th is at i * payload_key_bytes
  SodiumMemory secrets_;
  std::string current_;
};

}  // namespace millrace
