#include "access/enqueue_quotas.h"

#include <algorithm>
#include <cmath>

namespace millrace::access {
namespace {

constexpr double ms_per_second = 1'000;
constexpr std::size_t accounts_max = 4'096;

}  // namespace

std::int64_t EnqueueQuotas::take(const Key& key, std::size_t jobs, std::int64_t now_mono_ms) {
  const auto per_second = static_cast<double>(key.quota.enqueues_per_second);
  if (per_second == 0) return 0;
  // Keys that were removed: a new account has a second's worth, as one that was idle.
  if (accounts_.size() >= accounts_max) accounts_.clear();
  const auto [at, is_new] = accounts_.try_emplace(key.name, Account{per_second, now_mono_ms});
  Account& account = at->second;
  const auto passed_ms = static_cast<double>(now_mono_ms - account.at_mono_ms);
  account.left = std::min(per_second, account.left + passed_ms * per_second / ms_per_second);
  account.at_mono_ms = now_mono_ms;
  if (account.left <= 0) {
    return std::max<std::int64_t>(
        1, std::llround(std::ceil((1 - account.left) * ms_per_second / per_second)));
  }
  account.left -= static_cast<double>(jobs);
  return 0;
}

}  // namespace millrace::access
