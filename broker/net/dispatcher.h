// The one table of commands. A handler parses the body of a message and makes a command of it. What
// other kinds of verbs ask (wire::VerbKind) is left in the body, for the part that answers them.
// Here, in front of all of them, a message is held against the permissions of its key: its verb in
// parse(), the topics that it names in read_body(), which every body of a request passes.
#pragma once

#include "access/key.h"
#include "core/command.h"
#include "net/endpoint.h"
#include "wire/codec.h"
#include "wire/messages.h"

#include <millrace/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace millrace::net {

// Whom to answer, and to what.
struct Asked {
  std::string peer;
  wire::Verb verb = wire::Verb::heartbeat;
  std::uint64_t correlation = 0;
};

struct Parsed {
  std::uint64_t correlation = 0;
  wire::Verb verb = wire::Verb::heartbeat;
  wire::VerbKind kind = wire::VerbKind::reply;
  std::optional<wire::Hello> hello;      // of any role; a worker's also makes the command
  std::optional<core::Command> command;  // its request id is set by set_request()
  Error error;                           // when refused
  bool refused = false;
};

// session: of the peer, if it has said HELLO. key: of its connection; null: it needs none, and
// everything is allowed.
[[nodiscard]] Parsed parse(const Incoming& message, const core::SessionId* session, core::Now now,
                           const access::Key* key);
// Decodes a body, unless it names a topic that the key has no access to.
template <typename Body>
[[nodiscard]] Result<Body> read_body(std::string_view frame, const access::Key* key) {
  auto body = wire::decode<Body>(frame);
  if (!body || key == nullptr) return body;
  std::string refused;
  const bool well = wire::each_topic(*body, [&](std::string_view topic) {
    if (access::covers(*key, topic)) return true;
    refused = access::lacks_topic(*key, topic);
    return false;
  });
  if (!well) return tl::unexpected(Error{ErrorCode::forbidden, std::move(refused), {}});
  return body;
}
// False for a command that is never answered.
bool set_request(core::Command& command, core::RequestId request);

}  // namespace millrace::net
