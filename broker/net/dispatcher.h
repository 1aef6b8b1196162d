// The one table of verbs. A handler parses, makes a command or asks a question, and says how it is
// answered; what follows is decided elsewhere.
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

// A question that changes nothing; the views live as long as the message.
using Question = std::variant<wire::Topology, wire::TopicName, wire::Empty>;

// A question about rows; storage answers it.
using Lookup = std::variant<wire::JobName, wire::Wait, wire::Jobs>;

struct Parsed {
  std::uint64_t correlation = 0;
  wire::Verb verb = wire::Verb::heartbeat;
  std::optional<wire::Hello> hello;      // of any role; a worker's also makes the command
  std::optional<core::Command> command;  // its request id is set by set_request()
  std::optional<Question> question;
  std::optional<Lookup> lookup;
  std::optional<wire::Backup> backup;
  Error error;  // when refused
  bool refused = false;
};

// session: of the peer, if it has said HELLO.
[[nodiscard]] Parsed parse(const Incoming& message, const core::SessionId* session, core::Now now);
// False for a command that is never answered.
bool set_request(core::Command& command, core::RequestId request);

}  // namespace millrace::net
