// The one table of commands. A handler parses the body of a message and makes a command of it. What
// other kinds of verbs ask (wire::VerbKind) is left in the body, for the part that answers them.
#pragma once

#include "core/command.h"
#include "net/endpoint.h"
#include "wire/messages.h"

#include <millrace/result.h>

#include <cstdint>
#include <optional>
#include <string>
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

// session: of the peer, if it has said HELLO.
[[nodiscard]] Parsed parse(const Incoming& message, const core::SessionId* session, core::Now now);
// False for a command that is never answered.
bool set_request(core::Command& command, core::RequestId request);

}  // namespace millrace::net
