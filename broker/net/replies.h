// The engine's answers, encoded as bodies of messages.
#pragma once

#include "core/effect.h"
#include "wire/messages.h"

#include <string>
#include <string_view>

namespace millrace::net {

struct Answer {
  wire::Verb verb = wire::Verb::ok;
  std::string body;
};

// The fields of HELLO's answer that do not come from the engine.
struct HelloFacts {
  std::string_view version;
  std::uint64_t shard = 0;
  std::int64_t lease_ms = 0, heartbeat_ms = 0;
};

[[nodiscard]] Answer answer(const core::ReplyBody& body, wire::Verb asked, const HelloFacts& facts);
[[nodiscard]] Answer refusal(std::string_view code, std::string_view message,
                             std::uint64_t retry_after_ms = 0);
[[nodiscard]] std::string hello_ok(const HelloFacts& facts, const std::vector<core::Token>& lost);
[[nodiscard]] std::string deliver(const core::Delivery& delivery, std::string_view topic);
[[nodiscard]] std::string revoke(const core::Revoke& revoke);

}  // namespace millrace::net
