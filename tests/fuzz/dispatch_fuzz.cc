// Messages of two peers as the broker takes them: parsed by the table of verbs, stepped through a
// real engine, committed to a store in memory. Nothing that peers send may break an invariant.
// Input: messages, each a byte for the verb (its highest bit: of the second peer; 0: a restart),
// two for the length of its body, and the body.
#include "engine_test_kit.h"
#include "net/dispatcher.h"
#include "wire/codec.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace {

using namespace millrace;

// Two peers and the shard that they talk to.
class Peers {
 public:
  void say(std::size_t who, std::uint8_t verb, std::string_view body) {
    auto& session = sessions_.at(who);
    const std::string header = wire::encode_header(static_cast<wire::Verb>(verb), 7);
    net::Incoming message;
    message.header = header;
    message.body = body;
    message.two_parts = true;
    const auto parsed = net::parse(message, session ? &*session : nullptr, shard_.now);
    if (parsed.refused) return;
    if (parsed.hello) session = parsed.hello->session;
    if (!parsed.command) return;
    core::Command command = *parsed.command;
    (void)net::set_request(command, 1);
    shard_.turn(std::move(command));
    shard_.pass(core::lease_tick_ms);
    shard_.idle();
  }
  void restart() {
    shard_.crash();
    sessions_ = {};
  }

 private:
  core::test::EngineHarness shard_;
  std::array<std::optional<core::SessionId>, 2> sessions_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t messages_max = 32;
  constexpr std::uint8_t second = 0x80;
  Peers peers;
  for (std::size_t i = 0; i < messages_max && size >= 3; ++i) {
    const std::uint8_t verb = data[0];
    std::size_t length = static_cast<std::size_t>(data[1]) << 8U | data[2];
    data += 3;
    size -= 3;
    length = length < size ? length : size;
    if (verb == 0) {
      peers.restart();
    } else {
      peers.say(verb / second, verb % second, {reinterpret_cast<const char*>(data), length});
    }
    data += length;
    size -= length;
  }
  return 0;
}
