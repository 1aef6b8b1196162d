// Fuzzing: any bytes as the file of a key give a key that can be written and read again as it is,
// or errors with their place.
#include "access/key_file.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr const char* path = "keys/web-1.toml";

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  std::vector<std::string> errors;
  const auto key = access::parse_key(path, {reinterpret_cast<const char*>(data), size}, errors);
  require(key.has_value() == errors.empty());
  for (const std::string& error : errors) require(error.rfind(path, 0) == 0);
  if (!key) return 0;
  require(!key->public_key.empty() || !key->token_sha256.empty());
  require(key->topics.size() <= access::patterns_max);
  for (const auto& pattern : key->topics) {
    require(access::valid_pattern(pattern));
    (void)access::covers(*key, pattern);
  }
  (void)access::why_invalid(*key, 1'700'000'000'000);
  const std::string written = access::write_key(*key);
  const auto again = access::parse_key(path, written, errors);
  require(again && access::write_key(*again) == written && access::same_rights(*again, *key));
  return 0;
}
