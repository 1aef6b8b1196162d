#include "token_check.h"

#include "access/bearer.h"
#include "problem.h"

#include <millrace/log_line.h>

#include <algorithm>
#include <chrono>

namespace millrace::gateway {
namespace {

using namespace std::chrono;

std::int64_t now_wall_ms() {
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}
std::int64_t now_mono_ms() {
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

void tell_errors(const access::KeyTable& now, const access::KeyTable& before) {
  for (const auto& error : now.errors) {
    const bool known =
        std::find(before.errors.begin(), before.errors.end(), error) != before.errors.end();
    if (!known) write_log_line(LogLevel::error, "millrace-gateway", error);
  }
}

}  // namespace

TokenCheck::TokenCheck(const std::string& keys_dir)
    : keys_(keys_dir.empty() ? nullptr : std::make_unique<access::KeyRing>(keys_dir, tell_errors)) {
}

std::optional<http::Response> TokenCheck::refuse(const http::Exchange& request, wire::Verb verb,
                                                 std::string_view topic) const {
  if (keys_ == nullptr) return std::nullopt;
  const auto key = access::bearer_key(*keys_, request.authorization, now_wall_ms());
  if (!key) {
    http::Response answer = problem(key.error());
    answer.headers.emplace_back("WWW-Authenticate", access::bearer_challenge);
    return answer;
  }
  const auto allowed = access::check_access(**key, verb, topic);
  return allowed ? std::nullopt : std::optional(problem(allowed.error()));
}

std::optional<http::Response> TokenCheck::over_quota(const http::Exchange& request,
                                                     std::size_t jobs) {
  if (keys_ == nullptr) return std::nullopt;
  const auto key = access::bearer_key(*keys_, request.authorization, now_wall_ms());
  if (!key) return std::nullopt;  // it has ended between refuse() and this: the jobs were allowed
  const std::int64_t wait_ms = quotas_.take(**key, jobs, now_mono_ms());
  if (wait_ms == 0) return std::nullopt;
  http::Response answer =
      problem(429, ErrorCode::overloaded,
              "the token of " + (*key)->name + " has enqueued more than its quota of " +
                  std::to_string((*key)->quota.enqueues_per_second) +
                  " jobs a second allows: nothing was stored, try again later");
  answer.headers.emplace_back("Retry-After",
                              std::to_string(ceil<seconds>(milliseconds(wait_ms)).count()));
  return answer;
}

}  // namespace millrace::gateway
