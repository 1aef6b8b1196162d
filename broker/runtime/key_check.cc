#include "runtime/key_check.h"

#include "runtime/clock.h"

#include <spdlog/spdlog.h>

namespace millrace::runtime {
namespace {

constexpr std::int64_t tell_again_ms = 10'000;
constexpr std::size_t told_max = 1'024;

std::string why_not(const access::KeyRef& key) {
  if (key == nullptr) return "the broker has no file of this key";
  return access::why_invalid(*key, read_clocks().wall_ms);
}

}  // namespace

bool KeyCheck::counts(std::string_view public_key, std::string_view address) {
  const std::string why = why_not(keys_.by_public_key(public_key));
  if (why.empty()) return true;
  tell(public_key, address, why);
  return false;
}

bool KeyCheck::still_counts(std::string_view public_key) const {
  return why_not(keys_.by_public_key(public_key)).empty();
}

void KeyCheck::tell(std::string_view public_key, std::string_view address, const std::string& why) {
  if (address.empty()) return;
  const std::int64_t now = read_clocks().mono_ms;
  {
    const std::lock_guard lock(mutex_);
    if (told_.size() >= told_max) told_.clear();
    const auto [at, is_new] =
        told_.try_emplace(std::string(address) + " " + std::string(public_key), now);
    if (!is_new && now - at->second < tell_again_ms) return;
    at->second = now;
  }
  spdlog::warn("a connection from {} was refused: {} (public key {})", address, why, public_key);
}

}  // namespace millrace::runtime
